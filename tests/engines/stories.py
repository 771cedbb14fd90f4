"""What the stories on the real cluster share: executors, launchers, and looks at what happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nemo_run as run
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.store import find
from nemo_run.management.store.record import Record

from .processes import until
from .slurm import Slurm
from .ssh import Login

# Of a job that needs no more than a moment; two cores, with much going on.
SOON = 90.0
NEMO_RUN = Path(sys.executable).parent / "nemo-run"


@dataclass(frozen=True)
class Way:
    """A way to the cluster: from its login node (``here``) or from elsewhere (``ssh``)."""

    kind: str
    slurm: Slurm
    login: Login

    def executor(self, pre_command: str | None = None, **fields: Any) -> run.SlurmExecutor:
        """Return an executor that goes this way."""
        return run.SlurmExecutor(tunnel=self.tunnel(pre_command), **fields)

    def tunnel(self, pre_command: str | None = None) -> run.SSHTunnel | run.LocalTunnel:
        """Return the tunnel."""
        if self.kind == "here":
            return run.LocalTunnel()
        return run.SSHTunnel(**self.login.tunnel(), pre_command=pre_command)  # type: ignore[arg-type]

    def source(self) -> str:
        """Return the tunnel as Python source, for programs."""
        if self.kind == "here":
            return "run.LocalTunnel()"
        return f"run.SSHTunnel(**{self.login.tunnel()!r})"


def experiment(title: str = "story", **options: Any) -> run.Experiment:
    """An experiment that says nothing of its own."""
    return run.Experiment(title, clean_mode=True, **options)


def shell(text: str, **options: Any) -> run.Script:
    """A task that is a few lines of sh."""
    return run.Script(inline=text, entrypoint="sh", **options)


def counting(log: Path, then: str = "") -> run.Script:
    """A task that writes its token at the end of a file."""
    return shell(f'echo "$NEMORUN_TOKEN" >> {log}\n{then}')


def until_there(file: Path) -> str:
    """A line of sh that waits for a file."""
    return f"while [ ! -e {file} ]; do sleep 0.1; done"


def end_conductor(record: Record) -> int:
    """Kill the process that drives an experiment, and return its id when it is gone."""
    conductor = record.status().conductor
    assert conductor is not None
    assert operations.taken(record)
    os.kill(conductor.pid, signal.SIGKILL)
    until(lambda: not operations.taken(record), SOON, "the conductor is still there")
    return conductor.pid


def tokens(log: Path) -> list[str]:
    """Return the tokens of the tasks that ran, each as often as it did."""
    return sorted(log.read_text().split()) if log.exists() else []


def started(exp: run.Experiment, *jobs: str) -> Record:
    """Start an experiment and return its record when these jobs run."""
    exp.run(detach=True)
    for job in jobs:
        wait_for(exp.id, job, State.RUNNING)
    return find(exp.id)


def wait_for(experiment_id: str, job: str, *states: State, seconds: float = SOON) -> None:
    """Wait until a job is seen in one of these states."""

    def seen() -> State:
        return operations.status(find(experiment_id)).jobs[job].state

    until(lambda: seen() in states, seconds, lambda: f"{job} is {seen()}\n{told(experiment_id)}")


def wait_for_end(experiment_id: str, seconds: float = SOON) -> Mapping[str, State]:
    """Wait until an experiment has ended, whoever drives it; return the states of its jobs."""

    def states() -> dict[str, State]:
        return operations.status(find(experiment_id)).states

    def ended() -> bool:
        return all(state.terminal for state in states().values())

    until(ended, seconds, lambda: f"{states()}\n{told(experiment_id)}")
    return states()


def told(experiment_id: str) -> str:
    """What there is to say when a story goes wrong."""
    record = find(experiment_id)
    events = (record.path / "events.jsonl").read_text()
    logs = [f"{file}:\n{file.read_text(errors='replace')[-1500:]}" for file in _logs(record.path)]
    return "\n".join([events[-3000:], *logs])


def _logs(folder: Path) -> list[Path]:
    found = [file for file in sorted(folder.rglob("*")) if file.suffix in (".log", ".out")]
    return [file for file in found if file.exists()]  # not a link that leads nowhere


def slurm_jobs(slurm: Slurm, experiment_id: str) -> list[str]:
    """Return the ids of all jobs of an experiment that Slurm was ever asked for."""
    return slurm.jobs_of(f"/{experiment_id}/")


def cli(*words: str, check: bool = True, limit: float = SOON) -> str:
    """Run ``nemo-run`` and return what it printed."""
    argv = [str(NEMO_RUN), *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=limit)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def launcher(folder: Path, text: str) -> subprocess.Popen[str]:
    """Start a launching program in a folder."""
    folder.mkdir(exist_ok=True)
    script = folder / "launch.py"
    script.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, script.name],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def launched(folder: Path, text: str) -> Any:
    """Run a launching program; return what it printed last, as JSON."""
    process = launcher(folder, text)
    out, err = process.communicate(timeout=SOON * 2)
    assert process.returncode == 0, f"{out}\n{err}"
    return json.loads(out.splitlines()[-1])


def git(folder: Path, *words: str) -> None:
    """Run git in a folder, as somebody."""
    who = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
