"""What a file says, as overrides: several files, and the command line after them.

Mappings are gone through key by key, so that a later file changes what it names and leaves the
rest. Lists, and mappings that spell an object (``_target_``), are set as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node, target_of
from nemo_run.config.overrides.grammar import MISSING, OPERATORS, Item, Override, key_of, parse_key
from nemo_run.exceptions import ConfigError, OverrideError

from .decoding import decoded
from .load import load
from .settling import Spelled
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nemo_run.config.overrides.grammar import Step

_RUN = "run"
_OPERATOR = re.compile(r"\s*([-+*/|&]?=)$")


def overrides_of(loaded: Source, function: Callable[..., Any] | None = None) -> list[Override]:
    """Return the changes that a file makes to the arguments of a task.

    Args:
        loaded: What :func:`nemo_run.config.files.load.load` returned.
        function: What the task calls. A file that spells a whole task must be one of it.

    Raises:
        OverrideError: The file holds no arguments, or those of something else.
    """
    _refuse_other(loaded)
    if "_target_" in loaded.data:
        return list(_of_task(loaded, function))
    _refuse_value(loaded, "the arguments of a task")
    _refuse_defaults(loaded, function)
    rest = {key: value for key, value in loaded.data.items() if not _is_beside(key, value)}
    return list(_Walk(replace(loaded, data=decoded(rest, loaded, taker=function))).root(rest))


def run_overrides_of(loaded: Source) -> list[Override]:
    """Return what the section ``run:`` of a file says; the keys have no ``run.`` in their steps.

    Raises:
        OverrideError: It holds no mapping.
    """
    if type(loaded.data) is not dict or type(loaded.data.get(_RUN)) is not dict:
        return []
    section = loaded.data[_RUN]
    _refuse_value(replace(loaded, data=section), "how a task runs", (_RUN,))
    lines = {path[1:]: line for path, line in loaded.lines.items() if path[:1] == (_RUN,)}
    inside = Source(decoded(section, loaded, (_RUN,)), loaded.file, lines)
    found = _Walk(inside).root(section)
    return [replace(one, key=f"{_RUN}.{one.key}", **_as_text(one)) for one in found]


def _as_text(override: Override) -> dict[str, Any]:
    """Return what makes a name of a factory the text that it is on the command line."""
    return {} if override.text is None else {"data": MISSING}


def task_of(loaded: Source, function: Callable[..., Any] | None = None) -> Any:
    """Return the task that a file spells with ``_target_``, or None when it spells arguments.

    Args:
        loaded: What :func:`nemo_run.config.files.load.load` returned.
        function: What the task should call, where it is known.
    """
    if type(loaded.data) is not dict or "_target_" not in loaded.data:
        return None
    return decoded(_without_beside(loaded.data), loaded, taker=function)


def factory_of(loaded: Source) -> Override | None:
    """Return the factory that a file names for the whole task, ``_factory_: small(lr=1)``."""
    if type(loaded.data) is not dict or "_factory_" not in loaded.data:
        return None
    text = loaded.data["_factory_"]
    if not isinstance(text, str):
        raise loaded.fault(f"_factory_ is {text!r}; it names a factory, as text.", ("_factory_",))
    line = loaded.line(("_factory_",))
    return Override("_factory_", (), "=", text, kind="file", file=loaded.file, line=line)


def read_file_value(text: str, name: str | None = None, taker: Any = None) -> Any:
    """Return the value of ``@file[:section]``.

    Args:
        text: The file, with the ``@`` before it or without.
        name: The argument that it is for. A file that holds a mapping of this name alone
            gives what stands under it.
        taker: What takes that argument.

    Raises:
        OverrideError: The file cannot be read.
    """
    loaded = load(text.removeprefix("@"))
    value = decoded(loaded.data, loaded, taker=taker)
    return (
        value[name] if type(value) is dict and name is not None and set(value) == {name} else value
    )


# --- A whole task ------------------------------------------------------------------------------


def _of_task(loaded: Source, function: Callable[..., Any] | None) -> Iterator[Override]:
    task = task_of(loaded, function)
    if not is_node(task):
        raise loaded.fault("_call_: false spells a function, not the arguments of one.")
    if function is not None:
        _refuse_other_target(loaded, task, function)
    for key, value in task.__arguments__.items():
        step: Step = Item(key) if isinstance(key, int) else key
        line = loaded.line((key,))
        yield Override(
            key_of((step,)),
            (step,),
            "=",
            data=Spelled(value),
            kind="file",
            file=loaded.file,
            line=line,
        )


def _refuse_other_target(loaded: Source, task: Any, function: Callable[..., Any]) -> None:
    from nemo_run.config.graph.compare import same_target
    from nemo_run.config.graph.node import target_name
    from nemo_run.config.graph.reference import Reference

    target = target_of(task)
    if same_target(target, function):
        return
    own = f"{function.__module__}.{function.__qualname__}"
    if isinstance(target, Reference):
        # A script is __main__ where it is started, and has a name where it is imported.
        launched = "__main__" in (target.module, function.__module__)
        if launched and target.qualname == function.__qualname__:
            return
        try:
            if target.resolve() is function:
                return
        except ConfigError:
            pass  # then it is another one, which is said below
    raise loaded.fault(
        f"The file holds the arguments of {target_name(task)}, but they are for {own}. Run "
        f"{target_name(task)} with it, or take one part of it: {loaded.file}:KEY.",
        ("_target_",),
    )


def _refuse_other(loaded: Source) -> None:
    if type(loaded.data) is dict:
        for key in loaded.data:
            if not isinstance(key, str):
                raise loaded.fault(f"The key {key!r} is no name of an argument.", (key,))
        return
    kinds: dict[type, str] = {list: "a list", str: "a text"}
    kind = kinds.get(type(loaded.data), f"{loaded.data!r}")
    raise loaded.fault(
        f"It holds {kind}, but the arguments of a task are keys and values. To give it to one "
        f"argument, write KEY=@{loaded.file}."
    )


def _refuse_value(loaded: Source, wanted: str, path: tuple[Any, ...] = ()) -> None:
    """Refuse a mapping that spells one value, where keys and values are expected."""
    found = next((word for word in ("_type_", "_target_") if word in loaded.data), None)
    if found is not None:
        raise loaded.fault(
            f"{found}: {loaded.data[found]} spells one value, where {wanted} should stand.",
            (*path, found),
        )
    for key in loaded.data:
        if not isinstance(key, str):
            raise loaded.fault(f"The key {key!r} is no name.", (*path, key))


def _refuse_defaults(loaded: Source, function: Callable[..., Any] | None) -> None:
    found = loaded.data.get("defaults")
    if type(found) is not list or not found:
        return
    if function is not None:
        from nemo_run.config.graph.signature import signature_info

        if "defaults" in signature_info(function).keys:
            return
    elif not all(isinstance(item, (str, dict)) for item in found):
        return
    raise loaded.fault(
        "`defaults` is Hydra's list of files to put together, which is not followed here. Name "
        "the files themselves, in their order: --config base.yaml --config this.yaml.",
        ("defaults",),
    )


def _is_beside(key: Any, value: Any) -> bool:
    # $schema is for editors.
    return key in ("_factory_", "$schema") or (key == _RUN and type(value) is dict)


def _without_beside(data: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in data.items() if not _is_beside(key, value)}


# --- Arguments ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Walk:
    """Goes through the values of a file, beside the data that they were made of."""

    loaded: Source

    def root(self, data: dict[Any, Any]) -> Iterator[Override]:
        for key, value in self.loaded.data.items():
            yield from self.entry(data[key], value, (), (), key)

    def entry(
        self, data: Any, value: Any, path: tuple[Any, ...], steps: tuple[Step, ...], key: Any
    ) -> Iterator[Override]:
        path = (*path, key)
        name, operator = _split(key)
        try:
            # At the root are names, so that a dot can only mean a way into one of them.
            more = parse_key(name) if not steps and isinstance(name, str) else (_step(name),)
        except OverrideError as error:
            raise self.loaded.fault(str(error), path) from None
        yield from self.value(data, value, path, (*steps, *more), operator)

    def value(
        self,
        data: Any,
        value: Any,
        path: tuple[Any, ...],
        steps: tuple[Step, ...],
        operator: str,
    ) -> Iterator[Override]:
        if operator or not _is_merged(data):
            value = self.with_factories(value, path)
            yield self.override(steps, path, operator or "=", data=value)
            return
        if "_factory_" in data:
            factory = self.factory(data, path)
            yield self.override(
                steps, (*path, "_factory_"), "=", text=data["_factory_"], data=factory
            )
        for key, inner in value.items():
            if key != "_factory_":
                yield from self.entry(data[key], inner, path, steps, key)

    def factory(self, data: dict[Any, Any], path: tuple[Any, ...]) -> Any:
        from nemo_run.config.values.reading import item_word

        if not isinstance(data["_factory_"], str):
            raise self.loaded.fault(
                f"_factory_ is {data['_factory_']!r}; it names a factory, as text.", path
            )
        return item_word(data["_factory_"])

    def with_factories(self, value: Any, path: tuple[Any, ...]) -> Any:
        """Return a list, or what it holds, with the factories that it names."""
        if type(value) is list:
            return [self.with_factories(v, (*path, i)) for i, v in enumerate(value)]
        if type(value) is not dict:
            return value
        if "_factory_" not in value:
            return {key: self.with_factories(v, (*path, key)) for key, v in value.items()}
        if len(value) > 1:
            raise self.loaded.fault(
                "In a list, a factory takes its arguments in parentheses: "
                f"_factory_: {value['_factory_']}(key=value).",
                path,
            )
        return self.factory(value, path)

    def override(
        self, steps: tuple[Step, ...], path: tuple[Any, ...], operator: str, **value: Any
    ) -> Override:
        found = Override(key_of(steps), steps, operator, **value)
        return replace(found, kind="file", file=self.loaded.file, line=self.loaded.line(path))


def _is_merged(data: Any) -> bool:
    """Whether a mapping is gone through key by key."""
    if type(data) is not dict or not data or "_target_" in data or "_type_" in data:
        return False
    return all(type(key) in (str, int) for key in data)


def _split(key: Any) -> tuple[Any, str]:
    """Return a key without the operator at its end, and the operator, if it has one."""
    found = _OPERATOR.search(key) if isinstance(key, str) else None
    if found is None or found[1] not in OPERATORS or not found.start():
        return key, ""
    return key[: found.start()], found[1]


def _step(key: Any) -> Step:
    if isinstance(key, str) and key.isidentifier():
        return key
    return Item(key, quoted=isinstance(key, str))
