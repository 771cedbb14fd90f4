"""What a parameter has before anybody sets it, and dataclass instances as configurations.

A default is shown when it is read. A default that could be changed in place (a list, a
dataclass instance, what a ``default_factory`` makes) becomes the node's own value at that
moment, so that ``cfg.tags.append("x")`` does what it says and touches nobody else's default.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
import typing
from collections import OrderedDict, defaultdict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ArgumentError, shown

from .history import History, caller, origin, setting
from .reference import Deferred, Reference
from .signature import signature_info

if TYPE_CHECKING:
    from .history import Location
    from .node import Node

MISSING: Any = dataclasses.MISSING

# Types whose values are shared freely: nobody can change them.
ATOMS: frozenset[type] = frozenset(
    {type(None), bool, int, float, complex, str, bytes, type(...), type, range, slice}
)
# The dicts whose values are part of the graph; other subclasses are values of their own.
DICTS = (dict, OrderedDict, defaultdict)
_OURS = (Reference, Deferred)


def default_of(node: Node[Any], key: str | int) -> tuple[Any, bool]:
    """Return the default of an argument and whether the node must own it.

    The value is :data:`MISSING` when there is none.
    """
    info = node.__signature_info__
    default = info.get_default(key, MISSING)
    if default is MISSING or type(default) in ATOMS:
        return default, False
    field = _fields(node.__fn_or_cls__).get(key) if isinstance(key, str) else None
    if field is not None and field.default_factory is not MISSING:
        return _made_by(field.default_factory)
    copied = _own_copy(default)
    return copied, copied is not default


def _made_by(factory: Any) -> tuple[Any, bool]:
    made = factory()
    if type(made) in ATOMS:
        return made, True
    own = converted(made)
    if own is made and not is_plain(made):
        from .node import Config

        return Config(factory), True
    return own, True


def is_plain(value: Any) -> bool:
    """Whether a value can stand in a configuration as it is."""
    if type(value) in (list, tuple, set, frozenset, dict, bytearray) or type(value) in ATOMS:
        return True
    from .node import is_node

    if is_node(value) or callable(value):
        return True
    return isinstance(value, tuple) or _is_value(type(value))


def _is_value(kind: type[Any]) -> bool:
    # A class that compares by content is a value, one that compares by identity an object.
    return getattr(kind, "__hash__", None) is not object.__hash__


def _own_copy(default: Any) -> Any:
    """Return a copy of a default that can be changed in place, or the default itself."""
    return _copied(converted(default))


def _copied(value: Any) -> Any:
    # Containers only: what else is inside belongs to whoever wrote the default.
    kind = type(value)
    if kind in DICTS:
        own = copy.copy(value)
        own.update({key: _copied(item) for key, item in value.items()})
        return own
    if kind in (list, set, bytearray):
        return kind(map(_copied, value))
    if kind is tuple:
        items = tuple(map(_copied, value))
        return (
            items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        )
    return value


def converted(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return ``value`` with every dataclass instance in it as a Config.

    Looks through lists, tuples and dicts. What needs no change is returned as it is, so that
    a list shared by two arguments stays shared.

    Args:
        value: Anything.
        memo: What was converted already, by identity; keeps an instance used twice one node.
    """
    kind = type(value)
    if kind in ATOMS:
        return value
    inside = kind in (list, tuple, *DICTS) or is_record(value)
    if inside or hasattr(kind, "__dataclass_fields__"):
        return _converted(value, {} if memo is None else memo)
    return value


def _converted(value: Any, memo: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in ATOMS:
        return value
    if id(value) in memo:
        return memo[id(value)][1]
    result = value
    if kind is list or kind is tuple:
        memo[id(value)] = (value, value)  # a list that holds itself
        items = [_converted(item, memo) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            result = kind(items)
    elif kind in DICTS:
        memo[id(value)] = (value, value)
        new = {key: _converted(item, memo) for key, item in value.items()}
        if any(new[key] is not item for key, item in value.items()):
            result = copy.copy(value)
            result.update(new)
    elif is_record(value):
        items = [_converted(item, memo) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            result = kind._make(items)
    elif (
        hasattr(kind, "__dataclass_fields__") and kind not in _OURS and not isinstance(value, type)
    ):
        result = _config_of(value, memo)
    # The value is kept beside its result: its identity must stay its own while we go.
    memo[id(value)] = (value, result)
    return result


def is_record(value: Any) -> bool:
    """Whether a value is a named tuple."""
    return isinstance(value, tuple) and hasattr(type(value), "_fields")


def _config_of(instance: Any, memo: dict[int, Any]) -> Any:
    kind = type(instance)
    own = getattr(kind, "to_config", None)
    if own is not None and getattr(own, "__module__", "") != "nemo_run.config.mixin":
        return own(instance)
    if not is_convertible(kind):
        return instance
    return config_of_dataclass(instance, memo)


def is_convertible(kind: type) -> bool:
    """Whether an instance of this dataclass tells everything that its constructor takes.

    It does not where a parameter is no field: ``InitVar``, or an ``__init__`` of its own.
    """
    fields = _fields(kind)
    parameters = signature_info(kind).parameters
    return all(
        name in fields and parameter.kind is not parameter.POSITIONAL_ONLY
        for name, parameter in parameters.items()
    )


def config_of_dataclass(instance: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return the Config that builds an equal instance.

    Raises:
        ArgumentError: A field that the constructor does not take was changed, so that building
            would lose the value.
    """
    from .node import Config

    kind = type(instance)
    memo = {} if memo is None else memo
    arguments: dict[str | int, Any] = {}
    history, said, place = History(), origin(), caller()
    history.add("__fn_or_cls__", kind, said, place)
    parameters = signature_info(kind).parameters
    for name, field in _fields(kind).items():
        value = getattr(instance, name, MISSING)
        if name not in parameters:
            _refuse_lost_value(kind, field, value)
        elif value is not MISSING and value is not parameters[name].default:
            # The configuration is edited; the instance's own lists are not.
            arguments[name] = _copied(_converted(value, memo))
            history.add(name, value, said, place)
    return Config._restore(kind, arguments, history)  # noqa: SLF001  (the node's other half)


def _refuse_lost_value(kind: type, field: Any, value: Any) -> None:
    if hasattr(kind, "__post_init__"):
        return  # computed there, and again when the config is built
    default = field.default
    if field.default_factory is not MISSING:
        default = field.default_factory()
    if value is MISSING or value is default:
        return
    from .compare import same

    if not same(value, default):
        raise ArgumentError(
            f"{kind.__qualname__} takes no argument {field.name!r} (init=False), so its "
            f"value {shown(value)} would be lost when the configuration is built. Make it a "
            "parameter, or compute it in __post_init__."
        )


def _fields(kind: Any) -> dict[Any, Any]:
    """Return the fields of a dataclass by name; of anything else none."""
    if not isinstance(kind, type) or not hasattr(kind, "__dataclass_fields__"):
        return {}
    info = signature_info(kind)
    if info.fields is None:
        info.fields = {field.name: field for field in dataclasses.fields(kind)}
    return info.fields


# Types whose optional defaults are being filled: a type that contains itself ends there.
_filling: ContextVar[tuple[Any, ...]] = ContextVar("nemo_run_filling", default=())


def fill_optional_nodes(node: Node[Any], place: Location | None) -> None:
    """Give each omitted ``OptionalDefaultConfig[T]`` parameter its ``Config(T)``."""
    target = node.__fn_or_cls__
    wanted = _optional_nodes(target)
    active = _filling.get()
    for name, (kind, of) in wanted.items():
        key = node.__signature_info__.keys[name]
        if key in node.__arguments__ or of in active:
            continue
        token = _filling.set((*active, of))
        try:
            with setting("default"):
                value = kind(of)
        finally:
            _filling.reset(token)
        node.__arguments__[key] = value
        node.__argument_history__.add(key, value, ("default", None, None), place)


def _optional_nodes(target: Any) -> dict[str, tuple[Any, Any]]:
    info = signature_info(target)
    if info.optional_nodes is None:
        found = {}
        for name, parameter in info.parameters.items():
            wanted = _node_in(parameter.annotation, target)
            if wanted is not None and name in info.keys:
                found[name] = wanted
        info.optional_nodes = found
    return info.optional_nodes


def _node_in(annotation: Any, target: Any) -> tuple[Any, Any] | None:
    from .node import Node

    if isinstance(annotation, str):
        if "OptionalDefault" not in annotation and "Annotated" not in annotation:
            return None
        annotation = evaluated(annotation, target)
    for extra in getattr(annotation, "__metadata__", ()):
        kind = typing.get_origin(extra)
        if isinstance(kind, type) and issubclass(kind, Node):
            return kind, typing.get_args(extra)[0]
    return None


def evaluated(annotation: str, target: Any) -> Any:
    """Return what a string annotation means, or the string where that cannot be told."""
    import inspect

    unwrapped = inspect.unwrap(target) if callable(target) else target
    places = [getattr(unwrapped, "__globals__", None)]
    for cls in getattr(unwrapped, "__mro__", (type(unwrapped),)):
        module = sys.modules.get(cls.__module__)
        places.append({**vars(module), **vars(cls)} if module else None)
    for names in places:
        if names is None:
            continue
        try:
            return eval(annotation, dict(names))  # noqa: S307  (as typing.get_type_hints does)
        except Exception:  # noqa: BLE001, S112  (a name that exists for type checkers only)
            continue
    return annotation
