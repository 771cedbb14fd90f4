"""Asking before something is lost."""

from __future__ import annotations

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
    if not click.confirm(question, err=True):
        raise click.Abort


def can_ask() -> bool:
    """Tell whether a person can read a question and answer it."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)
