"""Asking before something is lost."""

from __future__ import annotations

import sys

import click

from nemo_run.console.terminal import is_terminal
from nemo_run.management.watch.keyboard import read_line

from .settings import note

_NOBODY = "This cannot be undone, and there is no terminal to ask on. Add --yes to do it."


def confirm(question: str, nobody: str = _NOBODY, declined: str = "Nothing was changed.") -> None:
    """Ask, and go on only if the answer is yes.

    Args:
        question: What to ask.
        nobody: What to say where there is nobody to ask.
        declined: What to say where the answer is no.

    Raises:
        click.UsageError: There is nobody to ask, because this is no terminal.
        click.Abort: The answer is no.
    """
    if not can_ask():
        raise click.UsageError(nobody, click.get_current_context(silent=True))
    try:
        if not _agreed(question):
            raise click.Abort(declined)
    except (KeyboardInterrupt, EOFError):
        raise click.Abort(declined) from None


def _agreed(question: str) -> bool:
    while True:
        print(f"{question} [y/N]: ", end="", file=sys.stderr, flush=True)
        line = read_line()
        if not line:
            raise EOFError
        answer = line.strip().lower()
        if answer in {"y", "yes"}:
            return True
        if answer in {"", "n", "no"}:
            return False
        note("Answer y or n.")


def can_ask() -> bool:
    """Tell whether a person can read a question and answer it."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)
