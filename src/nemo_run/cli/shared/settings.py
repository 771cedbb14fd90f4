"""What every command of the command line shares: its common options and its output."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nemo_run.console.terminal import Look, look_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

HELP_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""How every command of click shows its help."""

NO_COLOUR = "--no-color"

COMPLETE = "_NEMO_RUN_COMPLETE"
"""The variable in which a shell asks a program for completions."""


@dataclass
class Settings:
    """The common options, as far as they were given.

    Attributes:
        verbose: Whether an error comes with its traceback.
        as_json: Whether standard output is for one JSON document, which also tells of an error.
        answered: Whether that document was printed.
    """

    verbose: bool = False
    as_json: bool = False
    answered: bool = False

    @property
    def look(self) -> Look:
        """How text on standard output may look."""
        return look_of(sys.stdout)


def settings_of(context: click.Context) -> Settings:
    """Return the settings of the running command."""
    return context.ensure_object(Settings)


def _set(name: str, *, value: Any) -> Callable[[click.Context, click.Parameter, bool], None]:
    def keep(context: click.Context, _parameter: click.Parameter, given: bool) -> None:
        if given:
            setattr(settings_of(context), name, value)

    return keep


def common_options(command: Any) -> Any:
    """Give a command ``--verbose`` and ``--no-color``; both are understood at every level."""
    return verbose_option(colour_option(command), "--verbose")


def verbose_option(command: Any, *names: str) -> Any:
    """Give a command the option for tracebacks, under these names."""
    return click.option(
        *names,
        is_flag=True,
        expose_value=False,
        callback=_set("verbose", value=True),
        help="Show tracebacks of errors.",
    )(command)


def colour_option(command: Any) -> Any:
    """Give a command ``--no-color``; :mod:`.program` obeys it, before anything is printed."""
    return click.option(
        NO_COLOUR,
        is_flag=True,
        expose_value=False,
        help="Print without colours.",
    )(command)


def json_option(command: Any) -> Any:
    """Give a command ``--json``: one JSON document on standard output and nothing else."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def print_json(document: Any) -> None:
    """Print a document on standard output."""
    import json

    print(json.dumps(document, indent=2, ensure_ascii=False, default=str))
    mark_answered()


def print_json_rows(documents: Iterable[Any]) -> None:
    """Print a list as one JSON document with a line for each item: ten times as fast."""
    import json

    encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
    rows = [encode(document) for document in documents]
    print("[\n" + ",\n".join(rows) + "\n]" if rows else "[]")
    mark_answered()


def mark_answered() -> None:
    """Remember that standard output has its document, so that no error adds another one."""
    context = click.get_current_context(silent=True)
    if context is not None:
        settings_of(context).answered = True


def note(message: str) -> None:
    """Tell the person something that is no part of the output."""
    from nemo_run.saying import say

    say(message)
