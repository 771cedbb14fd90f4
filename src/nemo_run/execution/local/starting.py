"""Starting the shell of a local job: its folders, its files, the process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nemo_run.atomic import make_folder
from nemo_run.masking import holds_covered
from nemo_run.shared_home import is_readable_by_group

from . import layout

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        make_folder(layout.output_folder(member))
        for rank in layout.ranks_here(spec, member):
            _make_sure(layout.log_file(spec, member, rank), "")
    processes = layout.processes(spec)
    for process in processes if len(processes) > 1 else ():
        _make_sure(layout.exit_record(spec, process), layout.record(layout.RUNNING))
    _make_sure(f"{folder}/{layout.EXIT}", layout.record(layout.RUNNING))
    _make_sure(f"{folder}/{layout.LEADER_LOG}", "")
    for artifact in job.artifacts:
        _place(artifact)
    if spec.code:
        _lay_out_code(spec)


def _lay_out_code(spec: JobSpec) -> None:
    """Make the archive that the job's script unpacks, unless another job had it made."""
    from nemo_run.packaging.store import CodeStore

    archive = Path(layout.code_archive(spec))
    if not archive.exists():
        make_folder(archive.parent)
        CodeStore(Path(spec.options["store"], "code.git")).write_tar(spec.code, archive)


def _make_sure(path: str, text: str) -> None:
    with contextlib.suppress(FileExistsError):
        create(path, text)


def create(path: str | Path, text: str) -> None:
    """Make a file that is not there yet, with all of its text or not at all.

    Raises:
        FileExistsError: It is there; it stays as it is.
        OSError: It could not be made.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
    except BaseException:
        # What is not whole has no room on the disk for what comes into it.
        Path(path).unlink(missing_ok=True)
        raise


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


@contextlib.contextmanager
def secrets(spec: JobSpec) -> Iterator[int]:
    """Give a file with the job's secrets that has no name, so that nothing of it can be left.

    Args:
        spec: The job.

    Raises:
        SecretError: A secret is not where it is said to be found.
    """
    if not spec.secrets:
        yield subprocess.DEVNULL
        return
    from nemo_run.execution.secrets import assignments, values_of

    text = assignments(values_of(spec))
    with _nameless() as file:
        file.write(text)
        file.seek(0)
        yield file.fileno()


def _nameless() -> IO[bytes]:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("secrets"), "w+b", 0)
    return tempfile.TemporaryFile(buffering=0)


def start(spec: JobSpec, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start the shell of a job in a session of its own, with nothing else of ours open.

    Args:
        spec: The job, prepared.
        stdin: What its script reads: see :func:`secrets`.
    """
    folder = layout.attempt_folder(spec)
    environment = {
        **os.environ,
        "NEMORUN_LEADER": spec.token,
        "NEMORUN_ATTEMPT_DIR": folder,
        "NEMORUN_UMASK": f"{_umask():o}",
    }
    environment.pop("NEMORUN_TOKEN", None)
    command = [_SHELL, f"{folder}/{layout.SCRIPT}", *_unspeakable(environment)]
    with open(f"{folder}/{layout.LEADER_LOG}", "ab") as log:  # noqa: PTH123
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
            # What the script itself makes; in a home that is shared, for the group to read.
            umask=0o027 if is_readable_by_group(folder) else 0o077,
        )


def _umask() -> int:
    # To read it is to set it. For that moment other threads make files more private, not less.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unspeakable(environment: dict[str, str]) -> list[str]:
    """Return the variables that a shell would drop, as arguments of the script.

    Environment modules and others keep shell functions in such names (``BASH_FUNC_module%%``). One
    with the value of a secret is left out: arguments can be read by everybody.
    """
    return [
        f"{name}={value}"
        for name, value in environment.items()
        if not (name.isidentifier() and name.isascii()) and name and not holds_covered(value)
    ]
