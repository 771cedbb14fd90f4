"""Classes by the short names that files and the command line use for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run import execution, packaging, remote
from nemo_run.config.graph.reference import Reference
from nemo_run.exceptions import OverrideError, nearest

from .launcher import LAUNCHER_MAP, Launcher
from .registry import backend_names, executor_kind, is_backend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .executor import Executor

# Whose public names are known without their place.
_ROOMS = (execution, packaging, remote)


def executor_class(name: str) -> type[Executor]:
    """Return the executor class that a name stands for.

    Args:
        name: A backend, like ``local``; a class of this package, like ``LocalExecutor``; or any
            other by its place, ``package.module:MyExecutor``, which is imported here.

    Raises:
        OverrideError: Nothing has that name, or it is no executor.
    """
    from .executor import Executor

    unknown = unknown_kind(name)
    if unknown is not None:
        raise OverrideError(unknown)
    return _checked(find_executor_class(name), name, [Executor])


def unknown_kind(name: str) -> str | None:
    """Return the sentence about a name that no executor has; None where it may have one.

    What goes by its place is not imported for this.
    """
    if is_backend(name) or is_place(name) or _in_rooms(name) is not None:
        return None
    names = backend_names()
    return (
        f"{name!r} is no kind of executor.{nearest(name, names)} There are {', '.join(names)}; any "
        "other class goes by its place, 'package.module:MyExecutor'."
    )


def is_place(name: str) -> bool:
    """Whether a name says where a class is, so that it is imported to be known."""
    return ":" in name.strip(":") or "." in name.strip(".")


def find_executor_class(name: str) -> Any:
    """Return what :func:`executor_class` does, unchecked; None where nothing has that name."""
    if is_backend(name):
        return executor_kind(name)
    return _by_place(name)


def class_named(name: str, bases: Iterable[type]) -> type[Any]:
    """Return the class that a table's ``kind`` stands for, in a field that takes ``bases``.

    Args:
        name: A launcher, like ``torchrun``; a class of this package, like ``Packager``; or any
            other by its place.
        bases: What the field takes; the class is one of them or derives from one.

    Raises:
        OverrideError: Nothing has that name, or it does not fit.
    """
    wanted = list(bases)
    launchers = LAUNCHER_MAP if any(issubclass(base, Launcher) for base in wanted) else {}
    if name in launchers:
        return launchers[name]
    found = _by_place(name)
    if found is None:
        known = [*launchers, *(base.__name__ for base in wanted)]
        raise OverrideError(
            f"kind is {name!r}, which names nothing.{nearest(name, known)} There are "
            f"{', '.join(known)}; any other class goes by its place, 'package.module:MyClass'."
        )
    return _checked(found, name, wanted)


def _by_place(name: str) -> Any:
    module, colon, qualname = name.partition(":")
    if not colon:
        module, _, qualname = name.rpartition(".")
    if module and qualname:
        return Reference(module, qualname).resolve()
    return _in_rooms(name)


def _in_rooms(name: str) -> Any:
    for room in _ROOMS:
        if name in getattr(room, "__all__", ()):
            return getattr(room, name)
    return None


def _checked(found: Any, name: str, bases: list[type]) -> type[Any]:
    if isinstance(found, type) and issubclass(found, tuple(bases)):
        return found
    wanted = " or ".join(base.__name__ for base in bases)
    what = "a class that does not derive from" if isinstance(found, type) else "no class, so no"
    raise OverrideError(f"{name!r} is {what} {wanted}.")
