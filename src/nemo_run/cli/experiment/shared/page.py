"""The page about an experiment that a person reads: what failed, who, where, how, and each job."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from nemo_run.console.terminal import visible
from nemo_run.console.times import ago, duration, moment, size
from nemo_run.execution.observation import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from nemo_run.console.terminal import Look
    from nemo_run.management.capture.provenance import Image, Provenance
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus

    from .job_view import JobView
    from .left import Left

_MOST_TOLD = 3
_MOST_CAUSES = 5
_MOST_FILES = 40
_WIDTH = 10
# What is copied from the page into a terminal stays one line.
_COPIED = frozenset({"Folder", "Command", "In", "Python", "Log", "Engine id"})
_SHORT = 12


def failures(
    record: Record, status: ExperimentStatus, look: Look, jobs: Collection[str]
) -> list[str]:
    """Return what failed and why, causes before consequences; nothing where nothing failed.

    Args:
        record: The experiment.
        status: Its state.
        look: How text may look.
        jobs: The jobs to tell of.
    """
    from nemo_run.management import results, sweep_table

    bad = [status.jobs[job] for job in status.jobs if job in jobs and _has_failed(status.jobs[job])]
    swept = sweep_table.points(record)
    whole = [job for job in bad if job.id not in swept]
    blocks = [
        [*results.described_end(record, job).splitlines(), *_host(record, job)]
        for job in whole[:_MOST_TOLD]
    ]
    points = {job.id: results.in_a_line(record, job) for job in bad if job.id in swept}
    if points:
        blocks.append(list(sweep_table.causes(points, most=_MOST_CAUSES, named=3)))
    if len(whole) > _MOST_TOLD:
        blocks.append([f"and {len(whole) - _MOST_TOLD} more: {_names(whole[_MOST_TOLD:])}"])
    lines: list[str] = []
    for first, *rest in blocks:
        lines += [look.paint(visible(first), "red"), *map(visible, rest)]
    return [f"  {line}".rstrip() for line in lines]


def _host(record: Record, job: JobStatus) -> list[str]:
    """Return the line that says where the first process failed, if that was on another machine."""
    from nemo_run.management.results import first_error

    host = (first_error(record, job) or {}).get("host")
    return [f"  host: {host}"] if host and host != record.meta.get("host") else []


def _has_failed(job: JobStatus) -> bool:
    return job.state in {State.FAILED, State.LOST}


def _names(jobs: Iterable[JobStatus]) -> str:
    ids = [job.id for job in jobs]
    return ", ".join(ids[:_SHORT]) + (", …" if len(ids) > _SHORT else "")


def head(
    record: Record, status: ExperimentStatus, source: Provenance, look: Look, now: float
) -> list[str]:
    """Return who ran it, where, when and with what."""
    from nemo_run.management import marks

    ran = None
    if status.started is not None:
        ran = (now if status.ended is None else status.ended) - status.started
    python, marked = source.python, marks.read(record)
    facts = {
        "Title": record.title,
        "State": str(status.state),
        "Created": f"{moment(record.created)} ({ago(record.created, now)})",
        "Ran": duration(ran) if ran is not None else "",
        "By": "@".join(filter(None, (source.user, source.host))),
        "Folder": str(record.path),
        "Copy": record.copied.sentence if record.copied else "",
        "Rerun of": _rerun(source),
        "Command": shlex.join(source.argv),
        "In": source.cwd,
        "Python": f"{python.get('version', '')} ({python.get('executable', '')})" if python else "",
        "Git": _git(source.git),
        "Packages": _packages(record, source),
        "Machine": _machine(source),
        "Variables": " ".join(source.environment),
        "Tags": " ".join(marked.tags),
    }
    return [*_facts(facts, look), *_section("Note", marked.note.splitlines(), "  ")]


def _facts(facts: Mapping[str, str], look: Look) -> list[str]:
    lines: list[str] = []
    for name, value in facts.items():
        if name == "State":
            shown = [look.state(value)] if value else []
        else:
            shown = _folded(visible(value), None if name in _COPIED else look.width)
        lines += [
            f"  {'' if at else name:<{_WIDTH}}{part}" for at, part in enumerate(shown) if part
        ]
    return lines


def _folded(text: str, width: int | None) -> list[str]:
    """Return a text as lines that fit beside the names, broken between words only."""
    import textwrap

    if width is None:
        return [text]
    room = max(20, width - _WIDTH - 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _rerun(source: Provenance) -> str:
    words = source.rerun_overrides
    changes = [shlex.join(words)] if words else []
    changes += [f"the executor {source.rerun_executor}"] if source.rerun_executor else []
    return source.rerun_of + (f" with {' and '.join(changes)}" if changes else "")


def _git(git: Mapping[str, Any] | None) -> str:
    if git is None:
        return ""
    commit = str(git.get("commit") or "")[:_SHORT] or "no commit yet"
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{commit}{branch}{', with changes' if git.get('dirty') else ''}"


def _packages(record: Record, source: Provenance) -> str:
    from nemo_run.management.capture import packages

    known = packages.count(record)
    if not known:
        return ""
    digest = f", sha256:{source.packages_digest[:_SHORT]}" if source.packages_digest else ""
    missing = "" if source.packages else "; the list itself is not here"
    return f"{known} installed{digest} (names with --json{missing})"


def _machine(source: Provenance) -> str:
    """Return what the launching machine has, in one line."""
    has = source.devices
    cards = has.get("gpus")
    listed = cards if isinstance(cards, list) else []
    names = [str(card.get("name")) for card in listed if isinstance(card, dict)]
    driver = f" (driver {has['nvidia_driver']})" if has.get("nvidia_driver") else ""
    memory = has.get("memory_bytes")
    parts = [
        *(f"{names.count(name)} {name}{driver}" for name in dict.fromkeys(names)),
        _processors(has),
        f"{size(memory)} of memory" if type(memory) is int else "",
        source.platform,
    ]
    return ", ".join(filter(None, parts))


def _processors(has: Mapping[str, Any]) -> str:
    count, usable = has.get("cpus"), has.get("usable_cpus")
    if not count:
        return ""
    part = f"{usable} of {count}" if usable and usable != count else str(count)
    return f"{part} CPUs" + (f" {has['cpu']}" if has.get("cpu") else "")


def job_lines(
    record: Record,
    status: ExperimentStatus,
    one: JobView,
    source: Provenance,
    left: Left,
    look: Look,
) -> list[str]:
    """Return all about one job."""
    state = look.state(one.state.split(" ")[0], one.state)
    lines = [f"{look.paint(f'Job {visible(one.id)}', 'bold')}  {state}"]
    facts = {
        "On": source.executors.get(one.id, ""),
        "Asked for": _asked(source.asked.get(one.id, {})),
        "Image": "; ".join(map(_image, source.images.get(one.id, ()))),
        "After": ", ".join(_edge(edge) for edge in one.document.get("dependencies", ())),
        "Code": _code(one.document.get("code")),
        **_ran(record, status.jobs.get(one.id)),
    }
    lines += _facts(facts, look)
    for member in one.members:
        several = len(one.members) > 1
        indent = "  "
        if several:
            lines.append(f"  {look.paint(visible(member.name), 'bold')}")
            indent = "    "
        variables = [f"{k}={v}" for k, v in member.environment.items()]
        lines += _section("Command", [member.command], indent)
        lines += _section("Environment", variables, indent)
        lines += _section("Configuration", member.configuration.splitlines(), indent)
        lines += _section("Metrics", left.metric_lines(member.name), indent)
        lines += _section("Result", member.result.splitlines(), indent)
    return lines + _section("Artifacts", left.artifact_lines(), "  ")


def _ran(record: Record, job: JobStatus | None) -> dict[str, str]:
    """Return how long a job took, what its engine calls it, and where its output lies."""
    from nemo_run.management.operations import engine_id
    from nemo_run.management.watch.logs import log_files

    if job is None or not job.attempt:
        return {}
    took = None if job.started is None or job.ended is None else job.ended - job.started
    logs = log_files(record, job.id, job.attempt)
    more = f" and {len(logs) - 1} more" if len(logs) > 1 else ""
    return {
        "Ran": f"{duration(took)}, attempt {job.attempt}" if took is not None else "",
        # A handle of this machine names the job's folder.
        "Engine id": "" if job.handle.startswith("local:") else engine_id(job),
        "Log": f"{logs[0].path}{more}" if logs else "",
    }


def _asked(asked: Mapping[str, Any]) -> str:
    """Return what a job asked for, where that is more than one process."""
    if {**asked, "nodes": 1, "processes": 1} == dict(asked):
        asked = {k: v for k, v in asked.items() if k not in ("nodes", "processes")}
    return ", ".join(f"{name}={value}" for name, value in asked.items())


def _image(image: Image) -> str:
    if image.digest or image.modified is None:
        return image.reference  # which names the digest, if there is one
    return f"{image.reference} ({size(image.size or 0)}, changed {moment(image.modified)})"


def _code(code: object) -> str:
    if not isinstance(code, dict):
        return ""
    return f"{code.get('summary') or 'of an earlier run'}, git tree {code.get('tree')}"


def files(record: Record, one: JobView) -> list[str]:
    """Return the files of a job, the first of many."""
    listed = [f"{file.path}  {size(file.size)}" for file in one.files[:_MOST_FILES]]
    if len(one.files) > _MOST_FILES:
        listed.append(f"and {len(one.files) - _MOST_FILES} more")
    return _section(f"Files in {record.job_dir(one.id)}", listed, "  ")


def _section(title: str, content: list[str], indent: str) -> list[str]:
    if not any(content):
        return []
    return [f"{indent}{title}", *(f"{indent}  {visible(line)}" for line in content)]


def _edge(edge: Any) -> str:
    if not isinstance(edge, dict):
        return str(edge)
    kind = edge.get("kind", "afterok")
    return str(edge["job"]) + (f" ({kind})" if kind != "afterok" else "")
