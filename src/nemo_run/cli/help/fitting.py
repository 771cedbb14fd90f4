"""The factories that fit a function and its parameters, as they are typed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .docstrings import read
from .parameters import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .places import Place


@dataclass(frozen=True)
class Fitting:
    """A factory that can be named in a place.

    Attributes:
        key: The parameter; empty for the function itself.
        name: Its name.
        place: ``module.function``.
        text: The first line of its docstring.
        is_default: Whether it is what the parameter gets where none is named.
    """

    key: str
    name: str
    place: str
    text: str
    is_default: bool

    @property
    def typed(self) -> str:
        """What is typed to use it."""
        return f"{self.key}={self.name}" if self.key else self.name


def fitting_itself(target: Any) -> list[Fitting]:
    """Return the factories of a function or class itself."""
    return list(_shown("", target, None, None))


def fitting_each(places: Sequence[Place]) -> list[Fitting]:
    """Return the factories of each argument."""
    return [
        found
        for place in places
        if place.row.hint is not NOTHING and not place.row.name.startswith("**")
        for found in _shown(
            place.key.lstrip("*"), place.row.hint, place.owner, place.row.name.lstrip("*")
        )
    ]


def fitting_run() -> list[Fitting]:
    """Return the factories of executors and plugins, for ``run.executor=`` and ``run.plugins=``.

    Who has registered one has loaded their class, so nothing is imported for it.
    """
    found: list[Fitting] = []
    for key, module, name in _OF_RUN:
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None:
            found += _shown(key, kind, None, None)
    return found


_OF_RUN = (
    ("run.executor", "nemo_run.execution.executor", "Executor"),
    ("run.plugins", "nemo_run.management.describe.plugin", "Plugin"),
)


def _shown(key: str, hint: Any, parent: Any, argument: str | None) -> Iterator[Fitting]:
    from nemo_run.config.factories import default_of, fitting

    default = default_of(hint, parent, argument)
    for factory in fitting(hint, parent, argument):
        fn = factory.fn
        name = getattr(fn, "__qualname__", "").rpartition("<locals>.")[2]
        place = f"{getattr(fn, '__module__', '')}.{name}".strip(".")
        place = place.removeprefix("__main__.")
        text = read(factory.doc).summary
        yield Fitting(key, factory.name, place, text, factory is default)
