"""Whether a value can be what an annotation says.

Only what is certainly wrong is reported. What cannot be known is accepted: annotations that
cannot be read, results of functions that do not say what they return, anything with ``Any`` in
it. A few conversions that programs rely on are accepted too: int for float, bool for int, 0 and 1
for bool, a list for a tuple and the other way round, a str for a path and a path for a str, the
value of a str enum for the member. A float is no int, also a whole one: ``range(3.0)`` fails.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import Deferred, Reference
from nemo_run.config.secret import Secret

from .build_types import Built, built_alternatives
from .fitting import fits_class, is_a, is_dict, safely

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# A container is looked into this far; a list of a million numbers is not the place for a check.
_LOOK_INTO = 1000


@dataclass(frozen=True)
class Mismatch:
    """A value that is certainly wrong.

    Attributes:
        path: Where it is inside of what was checked: ``[0]``, ``['k']``, or nothing.
        value: The value.
        expected: What the annotation wants, in words.
    """

    path: str
    value: Any
    expected: str


def mismatches(value: Any, hint: Any) -> list[Mismatch]:
    """Return what is certainly wrong with ``value`` under the annotation ``hint``.

    Args:
        value: A value of a configuration, nodes included: a ``Config`` counts as what it makes.
        hint: A resolved annotation (see :mod:`nemo_run.config.checks.hints`).
    """
    if type(value) is hint or _is_unknowable(value):
        return []
    if type(value) is Secret:
        # In the job it is a text; which one, nobody knows here.
        return _unless(not _check("", hint), value, hint)
    if not is_node(value):
        return _check(value, hint)
    options = built_alternatives(value)
    fits = not options or any(not _check(option, hint) for option in options)
    return _unless(fits, value, hint)


def display(hint: Any) -> str:
    """Return an annotation as people write it."""
    hint = hint.__origin__ if typing.get_origin(hint) is typing.Annotated else hint
    if isinstance(hint, type) and not typing.get_args(hint):
        return "None" if hint is type(None) else hint.__qualname__
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return " | ".join(display(arg) for arg in args)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin is not None and args and origin is not abc.Callable:
        inside = ", ".join("..." if arg is ... else display(arg) for arg in args)
        return f"{display(origin)}[{inside}]"
    return str(hint).replace("typing.", "").replace("collections.abc.", "")


UNIONS = (typing.Union, types.UnionType)
_TRANSPARENT = {"Final", "ClassVar", "Required", "NotRequired", "ReadOnly", "Annotated"}


def _check(value: Any, hint: Any) -> list[Mismatch]:  # noqa: PLR0911 - one case a line
    """Check a value that is no node, or what a node makes."""
    hint = simplified(hint)
    origin = typing.get_origin(hint) or hint
    args = typing.get_args(hint)
    if hint is Any or hint is object:
        return []
    if origin in UNIONS:
        return _check_union(value, hint, args)
    rule = next((rule for special, rule in _RULES if origin is special), None)
    if rule is not None:
        return _unless(rule(value, args), value, hint)
    if not isinstance(origin, type):
        return []
    if hasattr(origin, "__required_keys__"):
        return _check_typed_dict(value, origin)
    if not fits_class(value, origin):
        whole = hint is int and isinstance(value, float) and value.is_integer()
        return [Mismatch("", value, f"the int {int(value)}" if whole else display(hint))]
    if origin is tuple and not args and hint not in (tuple, typing.Tuple):  # noqa: UP006
        args = ((),)  # tuple[()]
    return list(_check_items(value, origin, args))


def simplified(hint: Any) -> Any:
    """Return what stands behind aliases, qualifiers, new types and type variables."""
    for _ in range(20):  # an alias may refer to itself
        name = getattr(typing.get_origin(hint), "_name", None) or getattr(
            typing.get_origin(hint), "__name__", None
        )
        if name in _TRANSPARENT:
            hint = typing.get_args(hint)[0]
        elif _is_node_class(typing.get_origin(hint) or hint):
            hint = _of_node_class(hint)
        elif isinstance(hint, dataclasses.InitVar):
            hint = hint.type
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        elif type(typing.get_origin(hint)).__name__ == "TypeAliasType":
            hint = typing.get_origin(hint).__value__[typing.get_args(hint)]
        elif isinstance(hint, typing.TypeVar):
            hint = _of_type_variable(hint)
        elif getattr(hint, "_name", None) == "LiteralString":
            hint = str
        else:
            return hint
    return Any


def _is_node_class(kind: Any) -> bool:
    return isinstance(kind, type) and all(hasattr(kind, n) for n in ("__flatten__", "__build__"))


def _of_node_class(hint: Any) -> Any:
    """Return what a parameter annotated ``run.Config[Model]`` gets once the graph is built."""
    made = typing.get_args(hint)[0] if typing.get_args(hint) else Any
    is_partial = "Partial" in (typing.get_origin(hint) or hint).__name__
    return typing.Union[abc.Callable, made] if is_partial else made  # noqa: UP007 - of objects


def _of_type_variable(hint: typing.TypeVar) -> Any:
    if hint.__constraints__:
        return typing.Union[hint.__constraints__]  # noqa: UP007 - of any number
    bound = hint.__bound__
    return Any if bound is None or isinstance(bound, (str, typing.ForwardRef)) else bound


def _unless(fits: bool, value: Any, hint: Any) -> list[Mismatch]:
    return [] if fits else [Mismatch("", value, display(hint))]


def _check_union(value: Any, hint: Any, args: Sequence[Any]) -> list[Mismatch]:
    found = [mismatches(value, arg) for arg in args]
    if not all(found):
        return []
    # Where one alternative is right but for something inside, that is what to show.
    inside = [problems for problems in found if all(problem.path for problem in problems)]
    return inside[0] if len(inside) == 1 else [Mismatch("", value, display(hint))]


def _is_none(value: Any, _args: Sequence[Any]) -> bool:
    return is_a(value, type(None))


def _is_literal(value: Any, allowed: Sequence[Any]) -> bool:
    if isinstance(value, Built):
        return any(is_a(value, type(option)) for option in allowed)
    for option in allowed:
        same_kind = isinstance(value, bool) == isinstance(option, bool)
        by_value = isinstance(option, enum.Enum) and isinstance(option, str)
        if same_kind and (isinstance(value, type(option)) or by_value) and bool(value == option):
            return True
    return False


def _is_callable(value: Any, _args: Sequence[Any]) -> bool:
    return value.is_callable if isinstance(value, Built) else callable(value)


def _is_class(value: Any, args: Sequence[Any]) -> bool:
    if isinstance(value, Built):
        # A functools.partial of a class is used where a class is.
        return value.is_callable or issubclass(value.kind, type)
    if not isinstance(value, type):
        # list[int] and the like make objects too.
        return typing.get_origin(value) is not None or callable(value)
    wanted = simplified(args[0]) if args else Any
    options = typing.get_args(wanted) if typing.get_origin(wanted) in UNIONS else [wanted]
    return any(_is_subclass(value, simplified(option)) for option in options)


_RULES: tuple[tuple[Any, Any], ...] = (
    (None, _is_none),
    (type(None), _is_none),
    (typing.Literal, _is_literal),
    (abc.Callable, _is_callable),
    (type, _is_class),
)


def _is_subclass(value: type, wanted: Any) -> bool:
    wanted = typing.get_origin(wanted) or wanted
    if wanted is Any or not isinstance(wanted, type) or getattr(wanted, "_is_protocol", False):
        return True
    return safely(issubclass, value, wanted)


def _check_items(value: Any, kind: type, args: Sequence[Any]) -> Iterator[Mismatch]:
    if isinstance(value, Built) or not args:
        return
    if issubclass(kind, tuple) and isinstance(value, (tuple, list)):
        yield from _check_tuple(value, args)
    elif isinstance(value, abc.Mapping) and issubclass(kind, abc.Mapping) and len(args) == 2:
        for key, item in _first(value.items()):
            yield from mismatches(key, args[0])
            yield from _at(f"[{key!r}]", mismatches(item, args[1]))
    elif isinstance(value, (list, tuple)) and _takes_one(kind, args):
        for index, item in enumerate(value[:_LOOK_INTO]):
            yield from _at(f"[{index}]", mismatches(item, args[0]))
    elif isinstance(value, (str, bytes)) and _takes_one(kind, args):
        yield from _check_text(value, kind, args[0])
    elif isinstance(value, (set, frozenset)) and _takes_one(kind, args):
        for item in _first(value):
            yield from mismatches(item, args[0])


def _check_text(value: str | bytes, kind: type, item: Any) -> list[Mismatch]:
    # Where its characters are no such items, what is wrong is the text and not one of them.
    fits = not any(mismatches(character, item) for character in value[:_LOOK_INTO] or [value])
    return [] if fits else [Mismatch("", value, f"{display(kind)}[{display(item)}]")]


def _takes_one(kind: type, args: Sequence[Any]) -> bool:
    """Whether the one argument of a generic class is what its items are."""
    return len(args) == 1 and kind.__module__ in {"builtins", "collections", "collections.abc"}


def _check_tuple(value: Sequence[Any], args: Sequence[Any]) -> Iterator[Mismatch]:
    if any(typing.get_origin(arg) is not None and "Unpack" in str(arg) for arg in args):
        return
    if len(args) == 2 and args[1] is ...:
        args = [args[0]] * len(value)
    elif args == ((),):
        args = ()
    if len(value) != len(args):
        items = f"{len(args)} item{'' if len(args) == 1 else 's'}"
        yield Mismatch("", value, f"tuple[{', '.join(map(display, args))}] ({items})")
        return
    for index, (item, arg) in enumerate(zip(value[:_LOOK_INTO], args, strict=False)):
        yield from _at(f"[{index}]", mismatches(item, arg))


def _check_typed_dict(value: Any, kind: Any) -> list[Mismatch]:
    if isinstance(value, Built) or not isinstance(value, abc.Mapping):
        return _unless(is_dict(value), value, kind)
    from .hints import hints_of_class

    hints = hints_of_class(kind)
    found: list[Mismatch] = []
    # Where annotations are texts, Python takes a NotRequired key for a required one.
    required = {n for n, hint in hints.items() if "NotRequired" not in str(hint)}
    missing = sorted(kind.__required_keys__ & required - value.keys())
    if missing:
        found.append(
            Mismatch("", value, f"{kind.__qualname__} with {', '.join(map(repr, missing))}")
        )
    for key, item in value.items():
        if key in hints:
            found += _at(f"[{key!r}]", mismatches(item, hints[key]))
        elif "NoExtraItems" in str(getattr(kind, "__extra_items__", "NoExtraItems")):
            names = ", ".join(map(repr, hints))
            found.append(
                Mismatch(f"[{key!r}]", item, f"no such key; {kind.__qualname__} has {names}")
            )
    return found


def _at(step: str, found: list[Mismatch]) -> list[Mismatch]:
    return [dataclasses.replace(problem, path=step + problem.path) for problem in found]


def _first(items: Any) -> Iterator[Any]:
    import itertools

    return itertools.islice(items, _LOOK_INTO)


def _is_unknowable(value: Any) -> bool:
    return isinstance(value, (Deferred, Reference)) or type(value).__module__.startswith(
        ("unittest.mock", "mock.")
    )
