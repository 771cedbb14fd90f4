"""Logs in once, with the person where there is one."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import RemoteTimeoutError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .openssh import Destination

# A login that asks nobody is over by then (seconds); ConnectTimeout does not cover all of it.
_ALONE = 90.0
_ASKPASS = ("force", "prefer")


def can_ask() -> bool:
    """Return whether ssh may ask somebody: at a terminal that is ours, or by SSH_ASKPASS.

    A background process has none, and must fail instead of waiting for an answer.
    """
    if os.environ.get("SSH_ASKPASS") and os.environ.get("SSH_ASKPASS_REQUIRE") in _ASKPASS:
        return True
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def log_in(argv: Sequence[str], destination: Destination) -> str | None:
    """Start the shared connection, which stays in the background.

    Args:
        argv: The ssh that becomes its master once it is logged in.
        destination: Whom to; for messages.

    Returns:
        None when it went well, else what ssh said.

    Raises:
        RemoteTimeoutError: Nobody was asked, and it still is not through.
    """
    asks = can_ask()
    line = [*argv] if asks else [argv[0], "-o", "BatchMode=yes", *argv[1:]]
    process = subprocess.Popen(
        line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        words = _listen(process, asks, None if asks else time.monotonic() + _ALONE)
        if process.poll() is None:
            raise RemoteTimeoutError(
                f"{destination.host}: the login has not come through in {_ALONE:g} s. "
                f"Try `{destination.typed()}` in a terminal."
            )
        return words if process.returncode else None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stderr:
            process.stderr.close()


def _listen(process: subprocess.Popen[bytes], asks: bool, until: float | None) -> str:
    """Pass on what ssh says (banners, what to do for a second factor) until it is through.

    The master that stays behind keeps the pipe open, so its end is not waited for.
    """
    assert process.stderr
    heard = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(process.stderr, selectors.EVENT_READ)
        over = False
        while until is None or time.monotonic() < until:
            ready = selector.select(0 if over else 0.05)
            piece = os.read(process.stderr.fileno(), 1 << 16) if ready else b""
            heard += piece
            if asks and piece:
                sys.stderr.write(piece.decode("utf-8", "replace"))
                sys.stderr.flush()
            if over and not piece:
                break
            if ready and not piece:  # nobody has it open any more
                process.wait()
            over = over or process.poll() is not None
    return heard.decode("utf-8", "replace")
