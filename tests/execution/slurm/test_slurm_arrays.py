"""Which jobs go as one array, and the script that starts an element."""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from slurm_specs import Part, executor, planned, shell

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import After, Rendered
from nemo_run.execution.jobspec import ArrayPlace, Token
from nemo_run.execution.slurm import arrays
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.execution.slurm.connections import host_of, reach, remember, tunnel_of
from nemo_run.execution.slurm.render import render
from slurm_jobs import small


def _point(index: int, size: int = 4, parallel: int = 0, **fields: object) -> Rendered:
    return small("/exp", f"p{index}", array=ArrayPlace("sweep", index, size, parallel), **fields)  # type: ignore[arg-type]


def test_what_is_sent_is_planned_alike_each_time() -> None:
    jobs = [_point(i) for i in range(4)]
    assert arrays.planned(jobs) == arrays.planned(jobs[::-1])
    [[array], alone] = arrays.planned(jobs)
    assert not alone
    assert array.indices == (0, 1, 2, 3)
    assert array.folder.startswith("/exp/arrays/sweep/")


def test_others_are_another_array() -> None:
    [[first], _] = arrays.planned([_point(0), _point(1)])
    [[second], _] = arrays.planned([_point(2), _point(3)])
    assert first.folder != second.folder
    assert second.indices == (2, 3)


@pytest.mark.parametrize(
    "other",
    [
        {"header": "#SBATCH --time=1:00"},
        {"header": "#SBATCH hetjob"},
        {"header": "#SBATCH --array=0-3"},
        {"after": [After("afterok", Token("exp/x/1"))]},
        {"options": {"dependencies": ["7"]}},
    ],
)
def test_a_job_that_differs_goes_alone(other: dict[str, object]) -> None:
    found, alone = arrays.planned([_point(0), _point(1), _point(2, **other)])
    assert [len(array.jobs) for array in found] == [2]
    assert [job.spec.job for job in alone] == ["p2"]


def test_the_index_is_what_is_limited() -> None:
    found, alone = arrays.planned([_point(i, 10) for i in range(10)], limit=4)
    assert [array.indices for array in found] == [(0, 1, 2, 3), (0, 1, 2, 3), (0, 1)]
    assert [array.number for array in found] == [0, 1, 2]
    assert [b"OFFSET=%d\n" % (4 * i) in a.artifacts[0].content for i, a in enumerate(found)] == [
        True
    ] * 3
    assert not alone


def test_jobs_as_they_are_rendered_are_one_array(tmp_path: Path) -> None:
    """Their names, folders and comments are their own; all else is the same."""
    jobs = []
    for i in range(3):
        spec = planned([Part(shell("true"), executor(account="acct", time="1:00"), name=f"p{i}")])
        spec = dataclasses.replace(spec, array=ArrayPlace("it's", i, 3, 2))
        jobs.append(Rendered(spec, render(spec)))
    [[array], alone] = arrays.planned(jobs)
    assert not alone
    script = array.artifacts[0].content.decode()
    assert "#SBATCH --account=acct\n" in script
    options = dict(arrays.header(script.encode()))
    assert shlex.split(options["job-name"])[0].endswith("it's")
    assert "p0" not in script
    file = tmp_path / "array.sh"
    file.write_text(script)
    subprocess.run(["bash", "-n", str(file)], check=True)
    if checker := shutil.which("shellcheck"):
        subprocess.run([checker, str(file)], check=True)


# Hosts


@pytest.mark.parametrize(
    ("tunnel", "host"),
    [
        ({"kind": "local"}, "localhost"),
        ({"kind": "ssh", "host": "login"}, "login"),
        ({"kind": "ssh", "host": "login", "user": "me", "port": 2222}, "me@login:2222"),
        ({"kind": "ssh", "host": "fe80::1", "port": 22}, "[fe80::1]:22"),
    ],
)
def test_the_host_of_a_handle_leads_back(
    tunnel: dict[str, object], host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path))
    options = {"tunnel": {"job_dir": "/lustre/me", **tunnel}}
    assert host_of(options) == host
    assert reach(host).key == tunnel_of(options).key
    remember({"tunnel": {**options["tunnel"], "pre_command": "module load slurm"}})
    if host != "localhost":
        assert reach(host).pre_command == "module load slurm"  # type: ignore[attr-defined]
        assert (tmp_path / "connections").stat().st_mode & 0o077 == 0


def test_a_machine_without_slurm_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    job = small(tmp_path, "job")
    [answer] = SlurmBackend().submit([job]).values()
    assert "There is no sbatch on" in str(answer)
    with pytest.raises(BackendError, match=r"There is no squeue on .* Is this a login node"):
        SlurmBackend().find([job.spec])
