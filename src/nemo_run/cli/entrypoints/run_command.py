"""``nemo-run run FILE.py:FUNCTION key=value``: functions that nobody made a command."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.shared.settings import common_options, settings_of
from nemo_run.exceptions import OverrideError

from .entrypoint import Entrypoint, entrypoint_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

# Options with which standard output is for a document: what the file prints goes elsewhere.
_DOCUMENTS = frozenset({"--json", "--cfg", "--explain"})

_EPILOG = (
    "Examples: nemo-run run train.py:train lr=0.1 --yes; nemo-run run package.module:train --help. "
    "A file with one function or entrypoint needs no :FUNCTION. Options stand behind TARGET."
)


@click.command(
    "run",
    epilog=_EPILOG,
    # Options of the function's command stand behind it, and are none of this one.
    context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True},
    options_metavar="",
)
@click.argument(
    "target", metavar="FILE.py[:FUNCTION]|MODULE:FUNCTION", shell_complete=hooks.targets
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS] [KEY=VALUE]...")
@common_options
def command(target: str, words: tuple[str, ...]) -> int:
    """Run a function of a file or a module with values of the command line.

    It takes the options of every entrypoint: add --help to see them, and what the function takes.
    """
    from nemo_run.cli.flow.errors import refusing, refusing_exit, showing_user_errors
    from nemo_run.cli.flow.json_output import on_standard_error
    from nemo_run.cli.workspace import load_workspace

    context = click.get_current_context()
    aside = on_standard_error() if _DOCUMENTS & set(words) else nullcontext()
    look = vars(settings_of(context))
    with showing_user_errors(look), refusing(), refusing_exit(), aside:
        if not _is_file(_parted(target)[0]):
            load_workspace()  # modules may lie beside it
        lazy = "--lazy" in words and not {"-h", "--help"} & set(words)
        made = (_by_name(target) if lazy else entrypoint_at(target, words)).command(_defaults())
        load_workspace()  # it may import the script, which has its own name now
    name = f"{context.command_path} {target}"
    with made.make_context(name, list(words), obj=settings_of(context)) as below:
        code = made.invoke(below)
    return code if isinstance(code, int) else 0


def _defaults() -> dict[str, Any]:
    """Say that it is recorded, but under a launcher, which wants each of its processes to work."""
    from nemo_run.cli.flow.confirmation import is_one_of_several

    return {} if is_one_of_several() else {"direct": False}


def entrypoint_at(target: str, words: Sequence[str] = ()) -> Entrypoint:
    """Return the entrypoint that ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION`` leads to.

    Args:
        target: As it is typed. Without ``:FUNCTION`` the only entrypoint or function there.
        words: What follows; a script sees them as its own command line.

    Raises:
        OverrideError: There is nothing there.
    """
    from .loading import function_of, load_module, load_script

    if target.startswith("-"):
        raise OverrideError(
            f"{target} stands before the function. Write nemo-run run FILE.py:FUNCTION {target}."
        )
    place, function = _parted(target)
    module = load_script(place, words) if _is_file(place) else load_module(place)
    if not function:
        return _only(module, place)
    found = function_of(module, function, place)
    return entrypoint_of(found) or Entrypoint(found)


def _by_name(target: str) -> Entrypoint:
    """Return the entrypoint of a function that is imported in the job only."""
    place, function = _parted(target)
    if not function:
        return entrypoint_at(target)

    def unseen(*args: Any, **kwargs: Any) -> Any:
        """Stand in for a function that nobody has imported."""
        from nemo_run.cli.lazy.entrypoint import call_lazily

        return call_lazily(target, None, args, **kwargs)

    entry = Entrypoint(unseen, name=function, namespace=place)
    entry.lazy_target = target
    return entry


def _parted(target: str) -> tuple[str, str]:
    place, colon, function = target.rpartition(":")
    # A colon may also stand behind the letter of a drive.
    if not colon or _is_file(function):
        return target, ""
    return place, function


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or os.sep in place


def _only(module: ModuleType, place: str) -> Entrypoint:
    found = _entrypoints_in(module)
    functions = _functions_in(module)
    if len(found) == 1:
        return found[0]
    if not found and len(functions) == 1:
        return Entrypoint(getattr(module, functions[0]))
    what = "entrypoints" if found else "functions"
    names = [entry.fn.__name__ for entry in found] or functions
    if not names:
        raise OverrideError(f"{place} has no function. Say where it is: FILE.py:FUNCTION.")
    raise OverrideError(
        f"{place} has {len(names)} {what}: {', '.join(names)}. Say which: {place}:{names[0]}."
    )


def _entrypoints_in(module: ModuleType) -> list[Entrypoint]:
    found: dict[int, Entrypoint] = {}
    for value in _own(module).values():
        entry = entrypoint_of(value)
        if entry is not None:
            found[id(entry)] = entry
    return list(found.values())


def _functions_in(module: ModuleType) -> list[str]:
    """Return the functions that a module defines for others, but for factories."""
    import inspect

    from nemo_run.config.factories import is_factory

    return [
        name
        for name, value in _own(module).items()
        if inspect.isfunction(value) and not name.startswith("_") and not is_factory(value)
    ]


def _own(module: ModuleType) -> dict[str, Any]:
    """Return what a module defines itself."""
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__
    }
