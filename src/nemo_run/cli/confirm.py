"""Asking before something is lost."""

from __future__ import annotations

import os
import sys

import click

from nemo_run.console.terminal import is_terminal


def confirm(question: str) -> None:
    """Ask, and go on only if the answer is yes.

    Raises:
        click.UsageError: There is nobody to ask, because this is no terminal.
        click.Abort: The answer is no.
    """
    if not can_ask():
        raise click.UsageError(
            "This cannot be undone, and there is no terminal to ask on. Add --yes to do it.",
            click.get_current_context(),
        )
    try:
        if not _agreed(question):
            raise click.Abort
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None


def _agreed(question: str) -> bool:
    while True:
        print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
        answer = _line().strip().lower()
        if answer in {"y", "yes"}:
            return True
        if answer in {"", "n", "no"}:
            return False
        print("Answer y or n.", file=sys.stderr)


def _line() -> str:
    """Read a line from the terminal; a Ctrl-C is never lost.

    Raises:
        EOFError: The terminal was closed, or the person typed Ctrl-D.
    """
    if os.name == "posix":
        _wait_for_line_or_signal()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _wait_for_line_or_signal() -> None:
    # Python handles a signal between two of its own steps. One that comes just before it begins
    # to read would wait for the line; the byte that it writes into this pipe does not.
    import select
    import signal

    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    before = signal.set_wakeup_fd(wake)
    try:
        select.select([sys.stdin, woken], [], [])
    finally:
        signal.set_wakeup_fd(before)
        os.close(woken)
        os.close(wake)


def can_ask() -> bool:
    """Tell whether a person can read a question and answer it."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)
