"""Starting the shell of a local job: its folders, its files, the process."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.atomic import make_folder

from . import layout

if TYPE_CHECKING:
    from nemo_run.execution.backend import Artifact, Rendered
    from nemo_run.execution.jobspec import JobSpec

_SHELL = "/bin/sh"


def prepare(job: Rendered) -> None:
    """Make the folders, logs and records of an attempt, and write its script.

    What is there already stays: another process may be at it, or the job may have begun.

    Args:
        job: The job.
    """
    spec = job.spec
    folder = layout.attempt_folder(spec)
    make_folder(folder)
    for member in spec.members:
        make_folder(layout.member_folder(spec, member))
        make_folder(layout.log_folder(spec, member))
        for rank in layout.ranks_here(spec, member):
            _create(layout.log_file(spec, member, rank), "")
    processes = layout.processes(spec)
    for process in processes if len(processes) > 1 else ():
        _create(layout.exit_record(spec, process), layout.record(layout.RUNNING))
    _create(f"{folder}/{layout.EXIT}", layout.record(layout.RUNNING))
    for artifact in job.artifacts:
        _place(artifact)


def _create(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _place(artifact: Artifact) -> None:
    """Write a file in one step. Not synced: after a power cut it is rendered again."""
    target = Path(artifact.path)
    if target.exists() and target.read_bytes() == artifact.content:
        return
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(artifact.content)
        Path(temporary).chmod(artifact.mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def start(spec: JobSpec) -> subprocess.Popen[bytes]:
    """Start the shell of a job in a session of its own, with nothing of ours open.

    Args:
        spec: The job, prepared.
    """
    folder = layout.attempt_folder(spec)
    environment = {**os.environ, "NEMORUN_LEADER": spec.token}
    environment.pop("NEMORUN_TOKEN", None)
    command = [_SHELL, f"{folder}/{layout.SCRIPT}", *_unspeakable(environment)]
    with open(f"{folder}/{layout.LEADER_LOG}", "ab") as log:  # noqa: PTH123
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )


def _unspeakable(environment: dict[str, str]) -> list[str]:
    """Return the variables that a shell would drop, as arguments of the script.

    Environment modules and others keep shell functions in such names (``BASH_FUNC_module%%``).
    """
    return [
        f"{name}={value}"
        for name, value in environment.items()
        if not (name.isidentifier() and name.isascii()) and name
    ]
