"""Runs train.py: here, or on a cluster where it goes on after its time limit and lost nodes.

``python launch.py`` or ``python launch.py slurm --time 00:30:00``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nemo_run as run

FOLDER = Path(__file__).parent.resolve()


def code() -> run.Packager:
    """What travels with the job: the training, wherever this is launched from."""
    return run.PatternPackager(include_pattern=str(FOLDER / "*.py"), relative_path=str(FOLDER))


def here() -> run.LocalExecutor:
    """Two processes on this machine."""
    return run.LocalExecutor(launcher="torchrun", ntasks_per_node=2, packager=code())


def slurm(time: str) -> run.SlurmExecutor:
    """Two nodes with two processes each, for as long as ``time`` at once."""
    return run.SlurmExecutor(
        nodes=2,
        ntasks_per_node=2,
        launcher="torchrun",
        time=time,
        packager=code(),
        resume=run.Resume(
            max_attempts=8,
            max_time="12:00:00",
            signal_before=20,
            progress="checkpoints/*.pt",
            no_progress=3,
        ),
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("where", nargs="?", choices=["here", "slurm"], default="here")
    arguments.add_argument("--time", default="00:30:00")
    arguments.add_argument("--steps", default="200")
    arguments.add_argument("--pace", default="0")
    given = arguments.parse_args()
    executor = here() if given.where == "here" else slurm(given.time)
    words = ["--steps", given.steps, "--pace", given.pace]
    task = run.Script("train.py", args=words, entrypoint="python")
    run.run(task, executor, name="resume-training")
