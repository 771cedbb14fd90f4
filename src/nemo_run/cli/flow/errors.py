"""Errors on the way of a command: ours are sentences, those of the user's code are tracebacks."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.shared.ending import Refused, sentence
from nemo_run.exceptions import (
    AmbiguousError,
    ConfigError,
    NemoRunError,
    NotFoundError,
    PlanError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

# src/nemo_run/cli/flow/errors.py → src/nemo_run/
_PACKAGE = __file__.rsplit(os.sep, 3)[0] + os.sep


@contextmanager
def refusing() -> Iterator[None]:
    """Make what was found before anything ran a refusal, with its exit code.

    Raises:
        Refused: Instead of the error.
    """
    try:
        yield
    except (ConfigError, PlanError, NotFoundError, AmbiguousError) as error:
        raise Refused(sentence(error)) from error


@contextmanager
def refusing_exit() -> Iterator[None]:
    """Refuse that code of the user's ends the program where nothing has run yet.

    Raises:
        Refused: It did; that would look as if all went well.
    """
    try:
        yield
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise Refused(
            f"{_last_of_user(error)} ended the program with sys.exit({code}) before anything ran. "
            "Leave that out, or let it stand behind if __name__ == '__main__'."
        ) from error


def _last_of_user(error: BaseException) -> str:
    """Return the file and line of the user's code that an error comes from."""
    place, frames = "The code", error.__traceback__
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if not file.startswith(_PACKAGE) and not is_of_python(file):
            place = f"{file}:{frames.tb_lineno}"
        frames = frames.tb_next
    return place


@contextmanager
def showing_user_errors(look: Mapping[str, Any], *, running: bool = False) -> Iterator[None]:
    """Show an error of the user's code as Python would, without frames of ours above it.

    Args:
        look: The options ``rich_…`` and ``verbose``.
        running: Whether the user's function is what runs.

    Raises:
        click.exceptions.Exit: After it was shown; with code 1, or 2 where nothing ran yet.
    """
    try:
        yield
    except (NemoRunError, click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except (BrokenPipeError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        if not show_user_error(error, look, running=running):
            raise
        raise click.exceptions.Exit(1 if running else 2) from error


def show_user_error(
    error: BaseException, look: Mapping[str, Any], *, running: bool = False
) -> bool:
    """Show an error with the frames of the user's code; return whether it has any.

    Args:
        error: The error.
        look: The options ``rich_…``, and ``verbose``, which shows our frames too.
        running: Whether the user's function is what runs.
    """
    first = _first_of_user(error.__traceback__, running=running)
    if first is None:
        return False
    _show(error if look.get("verbose") else error.with_traceback(first), look)
    return True


def _first_of_user(traceback: TracebackType | None, *, running: bool) -> TracebackType | None:
    """Return where the user's code begins; None where the error is ours."""
    import contextlib

    found = None
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file.startswith(_PACKAGE):
            found = None
        elif not is_of_python(file):
            return traceback
        elif running and found is None and file != contextlib.__file__:
            # The task may be a function of the standard library.
            found = traceback
        traceback = traceback.tb_next
    return found


def is_of_python(file: str) -> bool:
    """Tell whether a file is Python's own."""
    if file.startswith("<frozen"):
        return True
    library = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
    return file.startswith(library) and "site-packages" not in file[len(library) :]


def _show(error: BaseException, look: Mapping[str, Any]) -> None:
    if look.get("rich_exceptions"):
        from rich.traceback import Traceback

        from nemo_run.console.api import console_of

        full = look.get("rich_traceback") is not False
        shown = Traceback.from_exception(
            type(error),
            error,
            error.__traceback__,
            show_locals=bool(look.get("rich_locals")),
            theme=look.get("rich_theme"),
            max_frames=100 if full else 4,
        )
        console_of(stderr=True).print(shown)
        return
    import traceback

    sys.stdout.flush()
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
