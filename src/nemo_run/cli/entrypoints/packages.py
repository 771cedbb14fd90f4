"""The commands that installed packages bring, loaded when one of them is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.flow.errors import is_of_python, show_user_error
from nemo_run.cli.shared.settings import settings_of

from .entrypoint import Entrypoint, entrypoint_of
from .registry import entrypoints
from .tree import Commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .installed import Point


class BrokenPackage(click.ClickException):
    """An installed package whose commands cannot be loaded."""

    exit_code = 2


def command_of_points(points: Sequence[Point]) -> click.Command:
    """Return the command, or the group of commands, of entry points of one name.

    Args:
        points: Those of several packages come together in one group.

    Raises:
        BrokenPackage: One of them cannot be imported; the frames of its code are printed.
    """
    before = set(map(id, entrypoints()))
    loaded = [_load(point) for point in points]
    name = points[0].name
    if len(loaded) == 1:
        entry = entrypoint_of(loaded[0])
        if entry is not None:
            return entry.command()
        if isinstance(loaded[0], click.Command):
            return loaded[0]
    commands = Commands(name, f"Commands of {', '.join(point.value for point in points)}.")
    for entry in entrypoints():
        place = _place(entry, points, new=id(entry) not in before)
        if place is not None:
            commands.put(place, entry)
    return commands.group()


_imported: set[Point] = set()


def load_installed(name: str | None = None) -> None:
    """Import the packages that bring commands, each once; a broken one is a warning.

    Args:
        name: Those of this entry point only.
    """
    from .installed import installed_points

    for key, points in installed_points(thorough=True).items():
        for point in points:
            if point in _imported or name not in {None, key}:
                continue
            _imported.add(point)
            try:
                _loaded(point)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - any code of others
                import warnings

                warnings.warn(f"{_broken(point, error)}", stacklevel=3)


def _load(point: Point) -> Any:
    try:
        return _loaded(point)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        _show(error)
        raise BrokenPackage(_broken(point, error)) from error


def _show(error: BaseException) -> None:
    context = click.get_current_context(silent=True)
    # With --verbose all of it is shown with the sentence.
    if context is None or not settings_of(context).verbose:
        show_user_error(error, {})


def _loaded(point: Point) -> Any:
    from importlib import import_module

    module, _, attribute = point.value.partition(":")
    loaded: Any = import_module(module.strip())
    for step in filter(None, attribute.strip().split(".")):
        loaded = getattr(loaded, step)
    return loaded


def _broken(point: Point, error: BaseException) -> str:
    return (
        f"The commands {point.name!r} of the package {point.distribution} cannot be loaded "
        f"({point.value}{_place_of(error)}): {type(error).__name__}: {error}"
    )


def _place_of(error: BaseException) -> str:
    """Return the file and line of the package that failed, after a comma."""
    import traceback

    if isinstance(error, SyntaxError) and error.filename:
        return f", {error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [f for f in frames if f.filename != __file__ and not is_of_python(f.filename)]
    return f", {theirs[-1].filename}:{theirs[-1].lineno}" if theirs else ""


def _place(entry: Entrypoint, points: Sequence[Point], *, new: bool) -> list[str] | None:
    """Return the groups above an entrypoint; None where it belongs to another command."""
    if entry.given_namespace is not None:
        steps = [step for step in entry.given_namespace.split(".") if step]
        if steps[:1] == [points[0].name]:
            return steps[1:]
        return steps if new else None
    for point in points:
        module = point.value.partition(":")[0].strip()
        if f"{entry.namespace}.".startswith(f"{module}."):
            return []
    return [] if new else None
