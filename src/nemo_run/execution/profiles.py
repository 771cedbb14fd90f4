"""Executor profiles: named executors of TOML files, layered and inherited. Pure.

::

    [executors.base]
    executor = "slurm"
    account = "research"

    [executors.h100]
    extends = "base"
    partition = "h100"
    env_vars = { NCCL_DEBUG = "INFO" }
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

EXECUTORS = "executors"
DEFAULT = "default_executor"
KIND = "kind"
# Hooks are read elsewhere (management/hooks/configured.py).
_KEYS = (EXECUTORS, DEFAULT, "hooks")


@dataclass(frozen=True)
class Layer:
    """What one file says.

    Attributes:
        name: Whose file it is: ``site``, ``user`` or ``project``.
        file: The file.
        data: Its tables: ``executors`` and ``default_executor``.
        lines: The line of each key, by its path in the file.
        prefix: Where ``data`` stands in the file: ``tool.nemo-run`` in a pyproject.toml.
    """

    name: str
    file: str
    data: Mapping[str, Any]
    lines: Mapping[tuple[Any, ...], int] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()

    def line(self, path: tuple[str, ...]) -> int | None:
        """Return the line where a part of ``data`` begins."""
        whole = (*self.prefix, *path)
        if whole in self.lines:
            return self.lines[whole]
        inside = [line for at, line in self.lines.items() if at[: len(whole)] == whole]
        if inside:
            return min(inside)
        around = (whole[:length] for length in range(len(whole), 0, -1))
        return next((self.lines[at] for at in around if at in self.lines), None)


@dataclass(frozen=True)
class Setting:
    """A value of a file, and where it stands.

    Attributes:
        value: Plain data: text, number, boolean, list or date.
        file: The file.
        line: The line, where known.
    """

    value: Any
    file: str
    line: int | None = None

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Source:
    """A table of a file that says something of a profile.

    Attributes:
        layer: Whose file it is.
        profile: Whose table it is: the profile's own, or that of one that it extends.
        place: ``file:line``.
    """

    layer: str
    profile: str
    place: str

    def __str__(self) -> str:
        return f"{self.layer} {self.place}"


Tree = dict[str, "Setting | Tree"]
"""A table: its values by key, each with its place; tables inside are trees again."""


@dataclass(frozen=True)
class Profile:
    """A named executor, with all that it inherits.

    Attributes:
        name: Its name.
        kind: Which executor: a backend's name or a class.
        fields: The values of its fields.
        parents: The profiles that it extends, the nearest first.
        sources: Its tables; what comes later wins.
    """

    name: str
    kind: Setting
    fields: Tree
    parents: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()


class Profiles:
    """The profiles of some layers.

    Args:
        layers: Files in order; what comes later wins, key by key.

    Raises:
        OverrideError: A file has something else in it than profiles.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = tuple(layers)
        self._tables: dict[str, Tree] = {}
        self._sources: dict[str, list[Source]] = {}
        for layer in layers:
            _check_keys(layer)
            for name, table in _tables_of(layer):
                self._add(layer, name, table)

    def _add(self, layer: Layer, name: str, table: Mapping[str, Any]) -> None:
        path = (EXECUTORS, name)
        new = _tree(layer, table, path)
        place = _setting(layer, None, path).place
        if _flag(new.pop("replace", None), name, place):
            self._tables.pop(name, None)
            self._sources.pop(name, None)
        self._tables[name] = merged(self._tables.get(name, {}), new)
        self._sources.setdefault(name, []).append(Source(layer.name, name, place))

    @property
    def names(self) -> list[str]:
        """The names of the profiles, sorted."""
        return sorted(self._tables)

    @property
    def default(self) -> Setting | None:
        """The name of the executor that is used where none is named; the last layer's.

        Raises:
            OverrideError: It is no name.
        """
        found = None
        for layer in self.layers:
            if DEFAULT in layer.data:
                found = _setting(layer, layer.data[DEFAULT], (DEFAULT,))
                if not isinstance(found.value, str):
                    raise OverrideError(
                        f"{found.place}: {DEFAULT} is {found.value!r}; it must be the name of a "
                        "profile or of a kind of executor."
                    )
        return found

    def __contains__(self, name: str) -> bool:
        return name in self._tables

    def get(self, name: str) -> Profile:
        """Return a profile with what it inherits.

        Raises:
            OverrideError: There is none of that name, or it does not say which executor it is.
        """
        if name not in self._tables:
            raise OverrideError(self.unknown(name))
        order: list[str] = []
        self._collect(name, (), order)
        fields: Tree = {}
        for one in order:
            fields = merged(fields, self._tables[one])
        fields.pop("extends", None)
        sources = [source for one in order for source in self._sources[one]]
        kind = fields.pop("executor", None)
        if not isinstance(kind, Setting) or not isinstance(kind.value, str):
            said = "does not say" if kind is None else "says wrongly"
            raise OverrideError(
                f"{sources[-1].place}: profile {name!r} {said} which executor it is. "
                'Give it executor = "local" (a backend\'s name, or a class as '
                '"package.module:MyExecutor"), or extends = "another profile".'
            )
        return Profile(name, kind, fields, tuple(order[-2::-1]), tuple(sources))

    def unknown(self, name: str) -> str:
        """Return the sentence for a profile that is not there."""
        there = ", ".join(self.names) or "none"
        read = ", ".join(layer.file for layer in self.layers) or "no file"
        return (
            f"No profile is called {name!r}.{nearest(name, self.names)} "
            f"Profiles: {there}; read from {read}."
        )

    def _collect(self, name: str, below: tuple[str, ...], order: list[str]) -> None:
        """Add a profile to ``order``, behind those that it extends; each comes once."""
        extends = self._tables[name].get("extends")
        own = self._sources[name][-1].place
        place = extends.place if isinstance(extends, Setting) else own
        for parent in _parents(name, extends, place):
            if parent in (*below, name):
                circle = " -> ".join([*below, name, parent])
                raise OverrideError(f"{place}: profiles extend each other in a circle: {circle}.")
            if parent not in self._tables:
                raise OverrideError(f"{place}: profile {name!r} extends: {self.unknown(parent)}")
            if parent not in order:
                self._collect(parent, (*below, name), order)
        order.append(name)


def _flag(said: Setting | Tree | None, name: str, place: str) -> bool:
    if said is None:
        return False
    if isinstance(said, Setting) and isinstance(said.value, bool):
        return said.value
    place = said.place if isinstance(said, Setting) else place
    raise OverrideError(
        f"{place}: replace of profile {name!r} is {_shown(said)}; it must be true or false."
    )


def _parents(name: str, extends: Setting | Tree | None, place: str) -> list[str]:
    """Return the names after ``extends``; what comes later wins."""
    if extends is None:
        return []
    value = extends.value if isinstance(extends, Setting) else None
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise OverrideError(
            f"{place}: extends of profile {name!r} is {_shown(extends)}; it must be the name of a "
            "profile, or a list of names."
        )
    return listed


def _shown(said: Setting | Tree) -> str:
    return repr(said.value) if isinstance(said, Setting) else "a table"


def merged(old: Tree, new: Tree) -> Tree:
    """Return ``new`` laid over ``old``, key by key, also in the tables inside.

    A table over a text takes the text for its kind: ``launcher = "torchrun"`` may be followed by
    a table with fields of that launcher.
    """
    result = dict(old)
    for key, value in new.items():
        before = result.get(key)
        if isinstance(value, dict) and isinstance(before, Setting) and type(before.value) is str:
            before = {KIND: before}
        both = isinstance(value, dict) and isinstance(before, dict)
        result[key] = merged(before, value) if both else value  # type: ignore[arg-type]
    return result


def leaves(tree: Tree, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting]]:
    """Give every value of a tree with its path."""
    for key, value in tree.items():
        if isinstance(value, Setting):
            yield (*path, key), value
        else:
            yield from leaves(value, (*path, key))


def _tables_of(layer: Layer) -> Iterable[tuple[str, Mapping[str, Any]]]:
    tables = layer.data.get(EXECUTORS, {})
    if not isinstance(tables, dict):
        place = _setting(layer, None, (EXECUTORS,)).place
        raise OverrideError(f"{place}: {EXECUTORS} is {tables!r}; it must be a table of profiles.")
    for name, table in tables.items():
        if not isinstance(table, dict):
            place = _setting(layer, None, (EXECUTORS, name)).place
            raise OverrideError(
                f"{place}: profile {name!r} is {table!r}; it must be a table: [executors.{name}]."
            )
    return tables.items()


def _check_keys(layer: Layer) -> None:
    for key in layer.data:
        if key not in _KEYS:
            place = _setting(layer, None, (key,)).place
            raise OverrideError(
                f"{place}: {key!r} is nothing that is read here.{nearest(key, _KEYS)} "
                f"There are {' and '.join(_KEYS)}."
            )


def _tree(layer: Layer, table: Mapping[str, Any], path: tuple[str, ...]) -> Tree:
    return {
        key: _tree(layer, value, (*path, key))
        if isinstance(value, dict)
        else _setting(layer, value, (*path, key))
        for key, value in table.items()
    }


def _setting(layer: Layer, value: Any, path: tuple[str, ...]) -> Setting:
    return Setting(value, layer.file, layer.line(path))
