"""What the facts about a cluster mean."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from nemo_run.execution.slurm.doctor import looking
from nemo_run.execution.slurm.doctor.judging import judged


def answer(out: str = "", err: str = "", rc: int = 0) -> dict:
    return {"rc": rc, "out": out, "err": err}


def facts(**changes) -> dict:
    programs = {name: f"/usr/bin/{name}" for name in ("sbatch", "srun", "git", "tar", "bash")}
    return {
        "host": "login1",
        "user": "me",
        "python": "3.9.18",
        "programs": programs,
        "version": answer("slurm-wlm 22.05.8\n"),
        "ping": answer("Slurmctld(primary) at ctl is UP\n"),
        "config": answer("MaxArraySize            = 1001\n"),
        "partitions": answer("debug*|up|1:00:00|4|gpu:8|idle\nlong|down|infinite|2|(null)|idle\n"),
        "accounting": answer(""),
        "associations": answer("research|\nother|\n"),
        "srun_options": "  --container-image=[USER@][REGISTRY#]IMAGE[:TAG]\n",
        "folder": {
            "path": "/lustre/me",
            "writable": True,
            "free": 5_000_000_000_000,
            "kind": "lustre",
        },
        "test": answer(err="sbatch: Job 12 to start at 2026-01-01T00:00:00 on nodes n1\n"),
        **changes,
    }


def found(options: dict | None = None, **changes) -> dict[str, tuple[str, str]]:
    return {
        one.what: (one.verdict, one.found + one.advice)
        for one in judged(facts(**changes), options or {})
    }


def test_a_cluster_on_which_all_is_well() -> None:
    seen = found({"partition": "debug", "account": "research"})
    assert {verdict for verdict, _ in seen.values()} == {"ok"}
    assert "indices up to 1000" in seen["job arrays"][1]
    assert "would take it: to start" in seen["test submission"][1]


@pytest.mark.parametrize(
    ("changes", "options", "what", "verdict", "words"),
    [
        ({"programs": {"sbatch": None, "srun": None}}, {}, "programs", "problem", "module load"),
        ({"version": answer("slurm 19.05.2")}, {}, "Slurm", "note", "older"),
        (
            {"ping": answer("Slurmctld(primary) at ctl is DOWN", rc=1)},
            {},
            "controller",
            "problem",
            "DOWN",
        ),
        ({}, {"partition": "debg"}, "partition", "problem", "'debug'"),
        ({}, {"partition": "debug,long"}, "partition", "problem", "long is down"),
        ({"partitions": answer("a|up|1|1|x|idle\n")}, {}, "partition", "problem", "Set partition="),
        ({"partitions": answer(err="no", rc=1)}, {}, "partitions", "problem", "sinfo names none"),
        (
            {"accounting": answer(err="Slurm accounting storage is disabled\n", rc=1)},
            {},
            "accounting",
            "note",
            "disabled",
        ),
        ({}, {"partition": "debug", "time": "02:00:00"}, "time limit", "problem", "never starts"),
        ({}, {"account": "reserch"}, "account", "note", "'research'"),
        ({"config": answer("")}, {}, "job arrays", "note", "could not be read"),
        (
            {"folder": {"path": "/x", "error": "Permission denied"}},
            {},
            "job_dir",
            "problem",
            "Permission denied",
        ),
        (
            {"folder": {"path": "/x", "free": 10, "kind": "nfs4"}},
            {},
            "job_dir",
            "problem",
            "nearly full",
        ),
        (
            {"folder": {"path": "/tmp", "free": 10**12, "kind": "tmpfs"}},
            {},
            "job_dir",
            "note",
            "login node alone",
        ),
        ({"srun_options": ""}, {"container_image": "a"}, "containers", "problem", "pyxis"),
        ({"srun_options": ""}, {}, "containers", "note", "without"),
        (
            {"test": answer(err="allocation failure: Invalid qos specification\n", rc=1)},
            {},
            "test submission",
            "problem",
            "Invalid qos",
        ),
    ],
)
def test_what_is_wrong(changes, options, what, verdict, words) -> None:
    seen = found(options, **changes)
    assert seen[what][0] == verdict
    assert words in seen[what][1]


def test_what_looks_runs_on_old_pythons() -> None:
    ast.parse(Path(looking.__file__).read_text(), feature_version=(3, 6))


def test_looking_on_a_machine_without_slurm(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    seen = looking.main({"folder": str(tmp_path / "new"), "script": "#!/bin/sh\n"}, None, None)
    assert seen["programs"]["sbatch"] is None
    assert seen["version"]["rc"] == 127
    assert seen["folder"]["writable"]
    assert list((tmp_path / "new").iterdir()) == []
    assert [one.verdict for one in judged(seen, {})] == ["ok", "problem"]
