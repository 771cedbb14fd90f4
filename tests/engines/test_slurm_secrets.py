"""Secrets on a real cluster: the processes of a job have them, and nothing else ever does."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import nemo_run as run
from engines import images
from engines.processes import until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import (
    Way,
    experiment,
    shell,
    slurm_jobs,
    started,
    until_there,
    wait_for,
    wait_for_end,
)
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.store import find
from nemo_run.testing.traces import command_lines, traces

NAME = "STORY_TOKEN"
VALUE = "hf_RealCluster'\"$HOME é-4711"
CHECK = f'test "$(printf %s "$TOKEN" | wc -c)" -eq {len(VALUE.encode())} || exit 3'


@pytest.fixture(params=["here", "ssh"])
def way(request: pytest.FixtureRequest, slurm: Slurm, login: Login) -> Way:
    return Way(request.param, slurm, login)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, VALUE)


def places(way: Way, home: Path) -> list[Path]:
    """Everything that is written: the home, the target, and what Slurm itself keeps."""
    return [home, Path(way.login.home), Path(way.slurm.shape.folder)]


def holders() -> list[str]:
    """Return the commands of the processes that have the value in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if VALUE.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_the_processes_of_a_job_have_a_secret_and_nothing_else_does(
    way: Way, home: Path, shared_folder: Path
) -> None:
    token = run.Secret(NAME)
    gate = shared_folder / "gate"
    with experiment() as exp:
        exp.add(run.Partial(len, token), way.executor(), name="argument")
        task = shell(f"{CHECK}\n{until_there(gate)}", env={"TOKEN": token})
        exp.add(task, way.executor(nodes=2, ntasks_per_node=2), name="four")
        inside = way.executor(container_image=images.BUSYBOX, env_vars={"TOKEN": token})
        exp.add(shell(CHECK), inside, name="container")
        record = started(exp, "four")
    try:
        wait_for(exp.id, "argument", State.SUCCEEDED)
        assert command_lines([VALUE]) == []
        batch = [one for one in holders() if "slurm_script" in one or "slurmstepd" in one]
        assert batch == []
        for job in slurm_jobs(way.slurm, exp.id):
            said = way.slurm.run("scontrol", "write", "batch_script", job, "-")
            assert VALUE not in said
    finally:
        gate.touch()
    assert set(wait_for_end(exp.id).values()) == {State.SUCCEEDED}
    result = json.loads((record.path / "jobs/argument/result.json").read_text())
    assert result["value"] == len(VALUE)
    until(lambda: traces(places(way, home), [VALUE]) == [], 20.0, "a secret is left")


def test_a_secret_is_there_again_when_slurm_starts_a_job_anew(way: Way, home: Path) -> None:
    body = f'{CHECK}\ntest "$NEMORUN_ATTEMPT" = 2'
    with experiment() as exp:
        task = shell(body, env={"TOKEN": run.Secret(NAME)})
        exp.add(task, way.executor(retries=1), name="again")
        exp.run(detach=True)
    assert wait_for_end(exp.id) == {"again": State.SUCCEEDED}
    assert find(exp.id).status().jobs["again"].attempt == 2
    assert traces(places(way, home), [VALUE]) == []


def test_a_secret_goes_when_a_job_is_ended_from_outside(way: Way, home: Path) -> None:
    with experiment() as exp:
        task = shell("sleep 300", env={"TOKEN": run.Secret(NAME)})
        exp.add(task, way.executor(retries=1), name="ended")
        started(exp, "ended")
    (job,) = slurm_jobs(way.slurm, exp.id)
    subprocess.run(["scancel", job], check=True)
    wait_for(exp.id, "ended", State.CANCELLED)
    operations.status(find(exp.id))
    until(lambda: traces(places(way, home), [VALUE]) == [], 20.0, "a secret is left")
