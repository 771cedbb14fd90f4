"""How every command ends: what a person reads, and the exit code."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nemo_run.exceptions import NemoRunError, closest

from .settings import Settings, note

if TYPE_CHECKING:
    from collections.abc import Callable


# What is shorter may well be a word of the message.
_SHORTEST_SECRET = 6


class Refused(click.ClickException):
    """What was asked for cannot be done as it was written; nothing was started."""

    exit_code = 2


def answer(command: Callable[[], int], settings: Settings) -> int:
    """Run a command and return the exit code of the process.

    Args:
        command: Does the work and returns a code.
        settings: Those that the command fills in while it reads its options.

    Returns:
        0 when it did what it was told; 1 when something was not found or a job failed; 2 for
        wrong use; 130 when interrupted; 141 when the reader of its output went away.
    """
    _prepare_streams()
    try:
        code = _answered(command, settings)
        sys.stdout.flush()
    except BrokenPipeError:
        # ``logs | head``: head has what it wanted. Python would complain once more when it
        # flushes at its own end, so that has to go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return 130
    return code


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # The shell closed it (`>&-`): nobody wants to read what goes there.
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - until the end
        elif isinstance(stream, io.TextIOWrapper):
            # Titles and paths are shown even where the encoding lacks their characters.
            stream.reconfigure(errors="backslashreplace")


def _answered(command: Callable[[], int], settings: Settings) -> int:
    try:
        return command()
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except click.exceptions.Exit as error:
        if error.__cause__ is not None:
            _document(settings, error.__cause__, str(error.__cause__), error.exit_code)
        return error.exit_code
    except click.Abort as error:
        note(f"\n{str(error) or 'Nothing was changed.'}")
        return 130
    except click.ClickException as error:
        if settings.verbose and error.__cause__ is not None:
            print_traceback()
        return _refused(error, settings)
    except (NemoRunError, OSError) as error:
        if settings.verbose:
            print_traceback()
        _document(settings, error, sentence(error), 1)
        return _say(sentence(error), 1)
    except Exception as error:  # noqa: BLE001 - the last one to see it: it is shown whole
        print_traceback()
        _document(settings, error, str(error), 1)
        return _say("This is a bug in NeMo Run. Please report it with the lines above.", 1)


def _refused(error: click.ClickException, settings: Settings) -> int:
    """Say what is wrong with the command line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        note(error.ctx.get_help())
        return 2
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        # Without the dashes, which make any two options alike.
        known = {one.lstrip("-"): one for one in error.possibilities or ()}
        close = known.get(closest(error.option_name.lstrip("-"), known) or "")
        message = f"No option {error.option_name!r}."
        message += f" Did you mean {close!r}?" if close else ""
    _document(settings, error.__cause__ or error, message, error.exit_code)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f" See: {error.ctx.command_path} --help"
    return _say(message, error.exit_code)


def _document(settings: Settings, error: BaseException, message: str, code: int) -> None:
    """Tell of an error on standard output, where programs read one JSON document."""
    if not settings.as_json or settings.answered:
        return
    import json

    kind, message = type(error).__name__, _without_secrets(message)
    document = {"error": {"type": kind, "message": message}, "exit_code": code}
    # On one line, as it may stand behind others of which each is a document.
    print(json.dumps(document, ensure_ascii=False))


def _say(message: str, code: int) -> int:
    from nemo_run.console.terminal import look_of

    note(f"{look_of(sys.stderr).paint('error:', 'red')} {_without_secrets(message)}")
    return code


def _without_secrets(message: str) -> str:
    """Return a message without the secrets of the environment and of the command line."""
    from nemo_run.masking import hidden_by, is_secret, is_secret_argument, mask_arguments, without

    known = {value for name, value in os.environ.items() if is_secret(name)}
    known |= hidden_by(sys.argv, mask_arguments(sys.argv, is_secret_argument))
    return without(message, known, _SHORTEST_SECRET)


def sentence(error: BaseException) -> str:
    """Return what an error says to a person."""
    if isinstance(error, OSError) and not isinstance(error, NemoRunError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    return str(error)


def print_traceback() -> None:
    """Print the error that is being handled, with all that led to it."""
    import traceback

    traceback.print_exc()
