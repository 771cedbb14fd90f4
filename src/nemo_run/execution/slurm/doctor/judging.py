"""What the facts about a cluster mean for an executor. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import nearest
from nemo_run.execution.findings import Finding
from nemo_run.execution.resume import limit_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# stat -f -c %T (coreutils) of file systems that machines share, and of those that one has alone.
_SHARED = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "fuseblk", "panfs", "wekafs", "gfs", "ocfs2")
_OWN = ("tmpfs", "ext2/ext3", "xfs", "btrfs", "overlayfs", "zfs", "f2fs", "ramfs")
_LITTLE = 1 << 30
_NUMBER = re.compile(r"^Job \d+ ")
_OLDEST = (20, 11)


def judged(facts: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what works and what does not.

    Args:
        facts: What :mod:`.looking` gave.
        options: The executor's fields (``JobSpec.options``).
    """
    yield Finding("login", "ok", f"{facts['user']}@{facts['host']}, Python {facts['python']} there")
    yield _programs(facts)
    if not facts["programs"]["sbatch"]:
        return
    yield _version(facts)
    yield _controller(facts)
    yield from _partition(facts, options)
    yield _accounting(facts)
    yield from _account(facts, options)
    yield _arrays(facts)
    yield _folder(facts)
    yield from _containers(facts, options)
    yield _test(facts)


def _programs(facts: Mapping[str, Any]) -> Finding:
    missing = [name for name, path in facts["programs"].items() if not path]
    if "sbatch" in missing or "srun" in missing:
        return Finding(
            "programs",
            "problem",
            f"{facts['host']} has no sbatch and srun in its PATH",
            "Name the login node of the cluster, or load Slurm first: SSHTunnel(pre_command="
            "'module load slurm').",
        )
    if "tar" in missing or "bash" in missing:
        return Finding(
            "programs", "problem", f"{' and '.join(missing)} missing", "Jobs need tar and bash."
        )
    if "git" in missing:
        return Finding(
            "programs",
            "note",
            "there is no git, so all of the code is sent each time it changes",
            "Load git in pre_command, if there is a module of it: then only changes are sent.",
        )
    return Finding("programs", "ok", "sbatch, srun, git, tar, bash")


def _version(facts: Mapping[str, Any]) -> Finding:
    text = facts["version"]["out"].strip()
    found = re.search(r"(\d+)\.(\d+)", text)
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        return Finding(
            "Slurm", "note", f"{text} is older than what NeMo Run is tested with (22.05)"
        )
    return Finding("Slurm", "ok", text)


def _controller(facts: Mapping[str, Any]) -> Finding:
    ping = facts["ping"]
    text = " ".join((ping["out"] or ping["err"]).split())
    if ping["rc"] == 0 and "UP" in text:
        return Finding("controller", "ok", text)
    return Finding(
        "controller",
        "problem",
        text or "no answer",
        "Jobs that run go on. Wait, or ask who looks after the cluster.",
    )


def _partition(facts: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Finding]:
    rows = [line.split("|") for line in facts["partitions"]["out"].splitlines()]
    known = {row[0].rstrip("*"): row for row in rows if len(row) == 6}
    if not known:
        said = facts["partitions"]["err"].strip() or "none"
        yield Finding("partitions", "problem", f"sinfo names none: {said}")
        return
    default = next((row[0].rstrip("*") for row in rows if row[0].endswith("*")), None)
    listed = ", ".join(f"{name} (limit {row[2]})" for name, row in known.items())
    yield Finding("partitions", "ok", listed)
    wanted = options.get("partition")
    if wanted is None:
        if default is None:
            yield Finding(
                "partition", "problem", "none is the default one", "Set partition= to one of them."
            )
        return
    for name in str(wanted).split(","):
        if name not in known:
            yield Finding(
                "partition",
                "problem",
                f"there is no {name!r}.{nearest(name, known)}",
                f"Set partition= to one of {', '.join(known)}.",
            )
        elif known[name][1] != "up":
            yield Finding("partition", "problem", f"{name} is {known[name][1]}")
        elif _is_over(options.get("time"), known[name][2]):
            yield Finding(
                "time limit",
                "problem",
                f"time={options['time']} is over the limit of {name}, {known[name][2]}",
                "Slurm takes such a job and never starts it. Set time= or partition=.",
            )


def _is_over(wanted: str | None, limit: str) -> bool:
    """Whether a time limit is longer than a partition's; False where one cannot be told."""
    asked, most = limit_seconds(wanted), limit_seconds(limit)
    return asked is not None and most is not None and asked > most


def _accounting(facts: Mapping[str, Any]) -> Finding:
    if facts["accounting"]["rc"] == 0:
        return Finding("accounting", "ok", "sacct answers")
    said = (facts["accounting"]["err"].strip().splitlines() or ["sacct does not answer"])[-1]
    return Finding(
        "accounting",
        "note",
        f"{said}. How jobs ended is known from what they write themselves",
        "Of a job that is killed with its node nobody may know why.",
    )


def _account(facts: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Finding]:
    answer, wanted = facts["associations"], options.get("account")
    if answer["rc"] != 0 or not answer["out"].strip():
        return
    accounts = sorted({line.split("|")[0] for line in answer["out"].splitlines()})
    if wanted is None or wanted in accounts:
        yield Finding("account", "ok", f"yours: {', '.join(accounts)}")
        return
    yield Finding(
        "account",
        "note",
        f"{wanted!r} is none of yours: {', '.join(accounts)}.{nearest(wanted, accounts)}",
        "The test below says whether Slurm takes it.",
    )


def _arrays(facts: Mapping[str, Any]) -> Finding:
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", facts["config"]["out"], re.MULTILINE)
    if found is None:
        return Finding("job arrays", "note", "their largest size could not be read")
    return Finding("job arrays", "ok", f"indices up to {int(found[1]) - 1}; longer ones are split")


def _folder(facts: Mapping[str, Any]) -> Finding:
    folder = facts["folder"]
    path, kind = folder["path"], folder.get("kind", "")
    if "error" in folder:
        return Finding(
            "job_dir",
            "problem",
            f"{path} cannot be written: {folder['error']}",
            "Name a folder in your home or scratch that all nodes see: tunnel.job_dir=…",
        )
    free = f"{folder['free'] / 1e9:.0f} GB free"
    if folder["free"] < _LITTLE:
        return Finding("job_dir", "problem", f"{path} is nearly full: {free}")
    if any(kind.startswith(word) for word in _SHARED):
        return Finding("job_dir", "ok", f"{path} ({kind}, {free})")
    if kind in _OWN:
        return Finding(
            "job_dir",
            "note",
            f"{path} ({kind}, {free}) looks like a disk of the login node alone",
            "Jobs fail at once if their nodes do not see it. Choose a shared one if so.",
        )
    return Finding("job_dir", "note", f"{path} ({kind or 'unknown'}, {free}); shared by all nodes?")


def _containers(facts: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[Finding]:
    can = "--container-image" in facts["srun_options"]
    image = options.get("container_image")
    if can:
        yield Finding("containers", "ok", "srun takes --container-image (pyxis)")
    elif image:
        yield Finding(
            "containers",
            "problem",
            f"srun takes no --container-image, and container_image={image!r} is set",
            "Leave container_image out, or ask for the pyxis plugin on this cluster.",
        )
    else:
        yield Finding("containers", "note", "srun takes no --container-image: jobs run without")


def _test(facts: Mapping[str, Any]) -> Finding:
    test = facts["test"]
    lines = [line for line in (test["err"] + test["out"]).splitlines() if line.strip()]
    text = lines[-1].strip() if lines else "nothing was said"
    if test["rc"] == 0:
        said = text.removeprefix("sbatch: ")
        # Slurm says "Job 12 to start", as if there were one.
        return Finding("test submission", "ok", f"sbatch would take it: {_NUMBER.sub('', said)}")
    return Finding(
        "test submission",
        "problem",
        " ".join(line.removeprefix("sbatch: ").strip() for line in lines) or text,
        "This is what sbatch --test-only said of a job with this executor's options.",
    )
