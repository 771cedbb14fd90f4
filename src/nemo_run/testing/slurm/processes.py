"""Batch scripts as processes of this machine: started, signalled, ended."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from . import times
from .jobenv import batch_variables, file_name, file_values, output_of

if TYPE_CHECKING:
    from .model import Job
    from .state import Cluster


class LaunchError(Exception):
    """A batch script could not be started; Slurm calls it JobLaunchFailure."""


def start(cluster: Cluster, job: Job) -> int:
    """Start a job's batch script on its first node and return its process id.

    It leads its own session, so that a signal to its group reaches what it started.

    Raises:
        LaunchError: Its output cannot be opened, or it cannot be executed.
    """
    spool = Path(cluster.folder, "spool", f"job{job.id:05}")
    spool.mkdir(parents=True, exist_ok=True)
    script = spool / "slurm_script"
    script.write_bytes(job.script)
    script.chmod(0o700)
    streams = _streams(job)
    directory = job.directory
    if not Path(directory).is_dir():
        text = f"couldn't chdir to `{directory}': No such file or directory: going to /tmp instead"
        os.write(streams[2], f"slurmstepd-{job.node_names[0]}: error: {text}\n".encode())
        directory = "/tmp"  # noqa: S108  (where slurmstepd goes)
    try:
        child = subprocess.Popen(
            [str(script), *job.arguments],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            cwd=directory,
            env=batch_variables(cluster, job),
            start_new_session=True,
            umask=job.umask,
        )
    except OSError as error:
        text = f"execve(): {script}: {os.strerror(error.errno or 0)}"
        os.write(streams[2], f"slurmstepd-{job.node_names[0]}: error: {text}\n".encode())
        raise LaunchError(text) from error
    finally:
        for stream in set(streams):
            os.close(stream)
    child.returncode = 0  # It is the controller's waitpid that learns it.
    return child.pid


def _streams(job: Job) -> tuple[int, int, int]:
    names = file_values(job, job.node_names[0])
    out = file_name(output_of(job, "output"), names)
    err = file_name(output_of(job, "error"), names)
    given = file_name(job.options.get("input", "/dev/null"), names)
    how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    if not job.options.get("open-mode", "truncate").startswith("a"):
        how |= os.O_TRUNC
    opened: list[int] = []
    try:
        opened.append(os.open(given, os.O_RDONLY))
        opened.append(os.open(out, how, 0o666 & ~job.umask))
        if err != out:
            opened.append(os.open(err, how, 0o666 & ~job.umask))
    except OSError as error:
        for stream in opened:
            os.close(stream)
        raise LaunchError(f"{error.filename}: {error.strerror}") from error
    return opened[0], opened[1], opened[-1]


def remark(job: Job, cause: str, now: float) -> None:
    """Write into a job's error file why it is ended, as slurmstepd does."""
    node = job.node_names[0] if job.node_names else ""
    due = f" DUE TO {cause}" if cause else ""
    lead, at = f"slurmstepd-{node}: error: *** ", f" ON {node} CANCELLED AT {times.iso(now)}"
    open_steps = [step.id for step in job.steps if step.end is None]
    text = "".join(f"{lead}STEP {job.id}.{number}{at}{due} ***\n" for number in open_steps)
    path = Path(file_name(output_of(job, "error"), file_values(job, node)))
    with suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(f"{text}{lead}JOB {job.id}{at}{due} ***\n")


def signal_batch(job: Job, number: int) -> None:
    """Signal a batch script alone."""
    if job.pid and job.left is None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(job.pid, number)


def signal_steps(job: Job, number: int, *, beside: int = 0) -> None:
    """Signal the tasks of all steps.

    Args:
        job: Whose.
        number: The signal.
        beside: A process group that has it already: an srun there passes it on to its tasks.
    """
    for step in job.steps:
        if step.end is None and not (beside and _group_of(step.launcher) == beside):
            for pid in step.pids:
                signal_group(pid, number)


def signal_all(job: Job, number: int) -> None:
    """Signal everything of a job: its batch script, what that started, and all tasks."""
    if job.pid:
        signal_group(job.pid, number)
    signal_steps(job, number, beside=job.pid if number != signal.SIGKILL else 0)


def signal_group(pid: int, number: int) -> None:
    """Signal a process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid) if pid else 0
    except ProcessLookupError:
        return 0


def marked(folder: str) -> list[int]:
    """Return the processes whose environment says they belong to a folder (Linux only)."""
    mark = f"NEMORUN_FAKE_SLURM={folder}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
