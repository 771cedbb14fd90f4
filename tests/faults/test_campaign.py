"""A run that is killed at any call that changes the disk loses nothing and does nothing twice.

These are samples; `make faults` tries each call.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ptrace
import pytest
from crowd import crowd

HERE = Path(__file__).parent
_NOT_TRACEABLE = ptrace.possible()


@pytest.mark.skipif(bool(_NOT_TRACEABLE), reason=_NOT_TRACEABLE)
@pytest.mark.parametrize(
    ("scenario", "every"),
    [("local", "59"), ("code", "97"), ("slurm", "97")],
)
def test_a_run_that_is_killed_anywhere_is_recovered(scenario, every):
    command = [sys.executable, HERE / "campaign.py", "--only", scenario, "--every", every]
    done = subprocess.run([*command, "--jobs", "2"], capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    points = int(done.stdout.splitlines()[-1].split()[0])
    assert points >= {"local": 8, "code": 4, "slurm": 3}[scenario]


def test_many_who_submit_at_once_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "home"))
    figures = crowd(tmp_path, programs=8, each=3, seed=5)
    print(figures)
    assert figures.killed == 2
    assert figures.promised >= 18


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk in a namespace")
def test_a_disk_that_is_full_at_any_stage_is_told_of_and_recovered_from(tmp_path):
    try:
        may_mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", tmp_path]
        subprocess.run(may_mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody mount a disk")
    command = ["unshare", "-rm", sys.executable, HERE / "full_disk.py", "--every", "6"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
