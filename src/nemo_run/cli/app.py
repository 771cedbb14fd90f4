"""The command ``nemo-run``: its start, and how every command of it ends."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nemo_run import __version__
from nemo_run.exceptions import NemoRunError, nearest

from .lazy import LazyGroup
from .settings import Settings, common_options, note

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMANDS = {
    "experiment": (
        "nemo_run.cli.experiment:group",
        "List, show, follow, cancel, repeat and delete experiments.",
    ),
}

# How a shell asks for completions: https://click.palletsprojects.com/shell-completion
_COMPLETE = "_NEMO_RUN_COMPLETE"

_EPILOG = (
    "Exit codes: 0 done, 1 not found or a job failed, 2 wrong use, 130 interrupted. "
    "Files lie in $NEMORUN_HOME, by default ~/.nemo_run."
)


@click.group(
    cls=LazyGroup,
    commands_of=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="nemo-run")
@common_options
def app() -> None:
    """Configure, execute and manage machine-learning experiments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What follows the program's name; None for those of this process.

    Returns:
        0 when it did what it was told; 1 when something was not found or a job failed; 2 for
        wrong use; 130 when interrupted; 141 when the reader of its output went away.
    """
    settings = Settings()
    _prepare_streams()
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments), settings)
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


def _run(arguments: list[str], settings: Settings) -> int:
    try:
        return _invoke(arguments, settings)
    except (BrokenPipeError, KeyboardInterrupt):
        raise
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.Abort:
        note("\nNothing was changed.")
        return 130
    except click.ClickException as error:
        return _refused(error)
    except (NemoRunError, OSError) as error:
        if settings.verbose:
            _print_traceback()
        return _say(_sentence(error), 1)
    except Exception:  # noqa: BLE001 - the last one to see it: it is shown whole, never swallowed
        _print_traceback()
        return _say("This is a bug in NeMo Run. Please report it with the lines above.", 1)


def _invoke(arguments: list[str], settings: Settings) -> int:
    if _COMPLETE in os.environ:
        app.main(arguments, prog_name="nemo-run", complete_var=_COMPLETE, obj=settings)
    # Not `app.main`: it answers a broken pipe itself, with the code of a failure.
    with app.make_context("nemo-run", arguments, obj=settings) as context:
        code = app.invoke(context)
    return code if isinstance(code, int) else 0


def _refused(error: click.ClickException) -> int:
    """Say what is wrong with the command line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        note(error.ctx.get_help())
        return 2
    message = error.format_message()
    if isinstance(error, click.NoSuchOption):
        close = nearest(error.option_name, error.possibilities or ())
        message = f"No option {error.option_name!r}.{close}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f" See: {error.ctx.command_path} --help"
    return _say(message, error.exit_code)


def _say(message: str, code: int) -> int:
    from nemo_run.console.terminal import look_of

    note(f"{look_of(sys.stderr).paint('error:', 'red')} {message}")
    return code


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, NemoRunError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{place}."
    return str(error)


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()
