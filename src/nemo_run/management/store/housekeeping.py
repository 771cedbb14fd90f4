"""Who may forget what experiments share, and when: snapshots of code, tables of packages.

Whoever makes an experiment holds ``gc.lock`` shared from the moment it stores its snapshot until
the record that names it is visible. ``gc`` holds it alone while it looks what records name and
forgets the rest. A lock that nobody holds ends with its process, so a kill leaves nothing behind.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError

from . import layout
from .advice import explained
from .files import open_file
from .locks import locked

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = "gc.lock"

_PATIENCE_OF_MAKERS = 600.0
_PATIENCE_OF_COLLECTORS = 60.0


@contextmanager
def making() -> Iterator[None]:
    """Keep others from forgetting what is about to be named by a record.

    Raises:
        StoreError: Somebody is forgetting things for minutes.
    """
    try:
        descriptor = _opened()
    except OSError:
        # A home that cannot be written to: what is to be said is said by what is written there.
        yield
        return
    try:
        with _held(descriptor, shared=True, patience=_PATIENCE_OF_MAKERS):
            yield
    finally:
        os.close(descriptor)


@contextmanager
def collecting() -> Iterator[None]:
    """Keep others from making experiments meanwhile.

    Raises:
        StoreError: The lock cannot be had.
    """
    path = layout.home() / LOCK
    try:
        descriptor = _opened()
    except OSError as error:
        raise explained("lock", path, error) from error
    try:
        with _held(descriptor, shared=False, patience=_PATIENCE_OF_COLLECTORS):
            yield
    finally:
        os.close(descriptor)


def _opened() -> int:
    path = layout.home() / LOCK
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open_file(path, os.O_RDWR | os.O_CREAT)


@contextmanager
def _held(descriptor: int, *, shared: bool, patience: float) -> Iterator[None]:
    lock = locked(descriptor, shared=shared, timeout=patience)
    try:
        lock.__enter__()
    except TimeoutError as error:
        who = "`nemo-run experiment gc` works" if shared else "experiments are being made"
        raise StoreError(
            f"In {layout.home()} {who} since {patience:.0f} seconds or more. Nothing was changed. "
            "Try again later."
        ) from error
    except OSError as error:
        if not shared:
            raise explained("lock", layout.home() / LOCK, error) from error
        # A file system without locks: nobody can forget anything there.
        yield
        return
    try:
        yield
    finally:
        lock.__exit__(None, None, None)
