"""Reading an answer from the person at the terminal."""

from __future__ import annotations

import os
import signal
import sys
import threading


def read_line() -> str:
    """Read a line from standard input; a Ctrl-C is never lost.

    Returns:
        The line; empty where there is none any more.

    Raises:
        KeyboardInterrupt: The person pressed Ctrl-C instead.
    """
    # Elsewhere consoles cannot be waited for, and other threads get no signals.
    if os.name == "posix" and threading.current_thread() is threading.main_thread():
        _wait_for_line_or_signal()
    return sys.stdin.readline()


def _wait_for_line_or_signal() -> None:
    # Python handles a signal between two of its own steps. One that comes just before it begins
    # to read would wait for the line; the byte that it writes into this pipe does not.
    import select

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake)
    try:
        select.select([sys.stdin, woken], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)
