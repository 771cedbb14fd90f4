"""``experiment verify`` asks a real login host, once, and types nothing that the record says."""

from __future__ import annotations

import json
from pathlib import Path

import nemo_run as run
from nemo_run.config.files import codec
from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.management import store
from nemo_run.management.store.record import Record
from nemo_run.management.verifying import Check, verify


def submitted(jobs: int = 1, **options: object) -> Record:
    """A record of Slurm jobs that were submitted from a host."""
    names = [f"train-{n}" for n in range(jobs)]
    documents = [{"id": name, "members": [{"name": name}]} for name in names]
    record = store.create("far", meta={"jobs": documents})
    for name in names:
        folder = record.job_dir(name)
        folder.mkdir(parents=True)
        spec = JobSpec(
            record.id, name, "slurm", f"/d/{name}", (Member(name, "/d", ("true",)),),
            options=options,
        )  # fmt: skip
        (folder / "spec.json").write_text(json.dumps(spec.to_json()))
        (folder / "task.json").write_text(codec.dumps(run.Script(inline="true")))
        (folder / "executor.json").write_text(codec.dumps(run.LocalExecutor()))
    return record


def of(record: Record, what: str) -> list[Check]:
    return [check for check in verify(record) if check.what == what]


def test_a_host_without_the_engine_is_amber_and_a_record_types_nothing_there(lab, tmp_path):
    cluster = lab.host("cluster", f"SetEnv PATH={tmp_path} HOME={tmp_path}")
    trace = tmp_path / "typed"
    tunnel = {"kind": "ssh", "host": "cluster", "job_dir": "/d", "pre_command": f"touch {trace}"}
    (target,) = of(submitted(jobs=3, tunnel=tunnel), "target")
    assert target.verdict == "amber", target
    assert "sbatch is not on the PATH" in target.says
    assert not trace.exists()
    assert cluster.logins() == 1


def test_a_host_that_has_the_engine_is_green_and_its_images_are_looked_for(lab, tmp_path):
    sbatch = tmp_path / "bin/sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text("#!/bin/sh\n")
    sbatch.chmod(0o755)
    image = tmp_path / "it's $(an) image.sqsh"
    image.touch()
    lab.host("cluster", f"SetEnv PATH={sbatch.parent}:/usr/bin:/bin HOME={tmp_path}")
    tunnel = {"kind": "ssh", "host": "cluster", "job_dir": "/d"}
    (target,) = of(submitted(tunnel=tunnel), "target")
    assert (target.verdict, target.what) == ("green", "target"), target
    found = of(submitted(tunnel=tunnel, container_image=str(image)), "image")
    assert [check.verdict for check in found] == ["green"]
    gone = Path(f"{image}.gone")
    found = of(submitted(tunnel=tunnel, container_image=str(gone)), "image")
    assert [check.verdict for check in found] == ["red"]
    assert str(gone) in found[0].says
