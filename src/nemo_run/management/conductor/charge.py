"""Who has charge of an experiment: one process at a time, as a lock tells that ends with it."""

from __future__ import annotations

import contextlib
import os
import platform
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.execution import processes
from nemo_run.management.store.files import open_file
from nemo_run.management.store.locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nemo_run.management.store import Record
    from nemo_run.management.store.status import ConductorStatus

_NAME = "conductor.lock"
_FOLLOWED = "follow.lock"

# Longer than anybody looks (see `taken`), so that a look is never mistaken for a holder.
_PATIENCE = 2.0


@contextmanager
def charge(record: Record) -> Iterator[None]:
    """Have charge of the experiment; nobody else has until the context, or the process, ends.

    Raises:
        TimeoutError: Another process has it.
        OSError: The lock file could not be opened.
    """
    descriptor = open_file(_path(record), os.O_RDWR | os.O_CREAT)
    try:
        with locked(descriptor, timeout=_PATIENCE):
            yield
    finally:
        os.close(descriptor)


def taken(record: Record) -> bool:
    """Whether some process, on any machine that shares the folder, has charge of it now.

    Raises:
        StoreError: That cannot be told.
    """
    try:
        descriptor = open_file(_path(record), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        why = error.strerror or error
        raise StoreError(f"{_path(record)} cannot be opened: {why}.") from error
    try:
        with locked(descriptor, shared=True, timeout=0):
            return False
    except TimeoutError:
        return True
    finally:
        os.close(descriptor)


@contextmanager
def following(record: Record) -> Iterator[None]:
    """Be somebody who waits for the experiment, so that its conductor stays until its end."""
    with contextlib.ExitStack() as held:
        # Where that cannot be said, as in a record of somebody else, one follows all the same.
        with contextlib.suppress(OSError):
            descriptor = open_file(record.path / _FOLLOWED, os.O_RDWR | os.O_CREAT)
            held.callback(os.close, descriptor)
            held.enter_context(locked(descriptor, shared=True, timeout=_PATIENCE))
        yield


def followed(record: Record) -> bool:
    """Whether somebody waits for the experiment; also where that cannot be told."""
    try:
        descriptor = open_file(record.path / _FOLLOWED, os.O_RDWR)
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    try:
        with locked(descriptor, timeout=0):
            return False
    except OSError:
        return True
    finally:
        os.close(descriptor)


def is_stopped(conductor: ConductorStatus | None) -> bool:
    """Whether a conductor on this machine is there and held up, as by ``kill -STOP``."""
    if conductor is None or conductor.ended is not None or not _is_here(conductor):
        return False
    found = processes.look(conductor.pid)
    return found is not None and found.state in "Tt"


def _is_here(conductor: ConductorStatus) -> bool:
    return conductor.host == platform.node()


def _path(record: Record) -> Path:
    return record.path / _NAME
