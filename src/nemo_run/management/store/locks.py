"""Locks on open files, held between processes."""

from __future__ import annotations

import errno
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Lock = Callable[[int, int], None]

# What a file system without flock(2) answers: NFS before Linux 2.6.12, some Lustre mounts.
_UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS})
_BUSY = frozenset({errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK})


@contextmanager
def locked(
    descriptor: int,
    *,
    shared: bool = False,
    timeout: float = 60.0,
    ways: Sequence[Lock] | None = None,
) -> Iterator[None]:
    """Hold a lock on an open file.

    Args:
        descriptor: The open file; for an exclusive lock, open for writing.
        shared: Let other readers in, but no writer.
        timeout: How long to wait for it, in seconds.
        ways: What to lock with; the first that the file system has. ``flock``, then ``lockf``.

    Raises:
        TimeoutError: Somebody else kept the lock.
        OSError: The file system has no locks at all.
    """
    import fcntl

    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    lock = _acquire(ways or (fcntl.flock, fcntl.lockf), descriptor, mode, timeout)
    try:
        yield
    finally:
        lock(descriptor, fcntl.LOCK_UN)


def _acquire(ways: Sequence[Lock], descriptor: int, mode: int, timeout: float) -> Lock:
    for lock in ways[:-1]:
        try:
            _wait(lock, descriptor, mode, timeout)
            return lock
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    _wait(ways[-1], descriptor, mode, timeout)
    return ways[-1]


def _wait(lock: Lock, descriptor: int, mode: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    pause = 0.001
    while True:
        try:
            lock(descriptor, mode)
            return
        except OSError as error:
            if error.errno not in _BUSY:
                raise
        if time.monotonic() >= deadline:
            raise TimeoutError(f"another process held the lock for {timeout:g} seconds")
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
