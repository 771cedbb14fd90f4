"""Callables and classes by their dotted names: nothing is called."""

from __future__ import annotations

import builtins
import re
import sys
import typing
from importlib import import_module
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from nemo_run.config.checks.annotations import display, mismatches
from nemo_run.config.checks.build_types import defines_call
from nemo_run.config.graph.node import Config, Partial
from nemo_run.exceptions import nearest

from .classes import classes_below
from .reading import Reading, Word, seen
from .refusal import RefusedError, shown
from .syntax import read_call

_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*(?::[^\W\d]\w*(?:\.[^\W\d]\w*)*)?")
_LONGEST_NAME = 500


def read_callable(source: Any, hint: Any, reading: Reading) -> Any:
    """Return the callable of that name; with arguments, a ``Partial`` of it.

    A class whose objects can be called, with arguments, gives a configuration of such an object.
    """
    from .objects import arguments_of, configured

    if not isinstance(source, Word) or (source.quoted and not source.text):
        raise RefusedError(f"{shown(seen(source))} is no name of a callable. {_HOW}")
    call = None if _DOTTED.fullmatch(source.text) else read_call(source.text)
    if call is None or call.bare:
        return _fitting(find(source.text, beside_text=reading.beside_text), source, hint)
    target = _fitting(find(call.name, beside_text=reading.beside_text), source, hint)
    positional, named = arguments_of(target, call, reading)
    # An object that can be called is meant itself; of other classes, what will make one.
    makes_callable = isinstance(target, type) and defines_call(target)
    return configured(Config if makes_callable else Partial, target, positional, named)


def read_class(source: Any, hint: Any, reading: Reading) -> Any:
    """Return the class of that name, which must be one of those that ``hint`` allows."""
    if not isinstance(source, Word):
        raise RefusedError(f"{shown(seen(source))} is no name of a class. {_HOW}")
    (wanted,) = typing.get_args(hint) or (Any,)
    own = {kind.__name__: kind for kind in classes_below(wanted)}
    found = own.get(source.text)
    if found is None:
        found = find(source.text, beside_text=reading.beside_text, also=own)
    if not isinstance(found, type):
        raise RefusedError(f"{shown(source.written)} is no class, but {kind_of(found)}. {_HOW}")
    if own and mismatches(found, hint):
        below = " or of a class derived from it" if len(own) == 1 else ""
        raise RefusedError(
            f"{shown(source.written)} is no {display(hint)}. Write the name of "
            f"{next(iter(own))}{below}.{nearest(source.text, own)}"
        )
    return _fitting(found, source, hint)


def _fitting(found: Any, source: Word, hint: Any) -> Any:
    if not callable(found):
        raise RefusedError(f"{shown(source.written)} is no callable, but {kind_of(found)}. {_HOW}")
    if mismatches(found, hint):
        raise RefusedError(f"{shown(source.written)} is no {display(hint)}. {_HOW}")
    return found


def kind_of(found: Any) -> str:
    """Return the kind of an object with its article."""
    kind = "function" if isinstance(found, _FUNCTIONS) else type(found).__qualname__
    kind = "class" if isinstance(found, type) else kind
    return f"{'an' if kind[:1] in 'aeiou' else 'a'} {kind}"


_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)

_HOW = "Write its dotted name, package.module.name."


def find(name: str, *, beside_text: bool = False, also: Any = ()) -> Any:
    """Return the object of a dotted name, importing its module.

    Names without dots are those of the launching script and Python's own.

    Args:
        name: ``package.module.name``, or ``package.module:name``.
        beside_text: The name may as well be a text, so that one without dots is none.
        also: More names, for the message.

    Raises:
        RefusedError: There is none, or its module cannot be imported.
    """
    if not _is_name(name):
        raise RefusedError(f"{shown(name)} is no dotted name. {_HOW}")
    if ":" in name:
        module, _, qualname = name.partition(":")
        return _member(_module(module, name), qualname.split("."), name)
    first, *rest = name.split(".")
    own = vars(sys.modules["__main__"])
    if first in own and not (beside_text and not rest):
        return _member(own[first], rest, name)
    if not rest:
        if not beside_text and hasattr(builtins, first):
            return getattr(builtins, first)
        names = [*also, *(n for n in (*own, *vars(builtins)) if not n.startswith("_"))]
        raise RefusedError(f"There is no {shown(name)}.{nearest(name, names)} {_HOW}")
    return _below_module(name)


def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _DOTTED.fullmatch(name) is not None


def _below_module(name: str) -> Any:
    """Return the object behind the longest beginning of ``name`` that is a module."""
    parts = name.split(".")
    module = _module(parts[0], name)
    depth = 1
    while depth < len(parts) and not hasattr(module, parts[depth]):
        below = ".".join(parts[: depth + 1])
        try:
            module = _module(below, name)
        except RefusedError as refusal:
            if _is_missing(refusal.__cause__, below):
                break
            raise
        depth += 1
    return _member(module, parts[depth:], name)


def find_of_program(name: str) -> Any:
    """Return the object of a dotted name that is in a package which the program has imported.

    Whoever annotates a class asks for no import, so that a text that only looks like a name must
    not run a module's code.

    Raises:
        RefusedError: There is none, or nobody has imported its package.
    """
    top = name.partition(":")[0].partition(".")[0]
    if _is_name(name) and top not in sys.modules and top not in vars(sys.modules["__main__"]):
        raise RefusedError(
            f"{shown(name)} is not there: {top} is not imported by this program. Import it there, "
            "or register a factory."
        )
    return find(name)


def find_loaded(name: str) -> Any:
    """Return the object of a dotted name if that takes no import and runs nothing.

    Raises:
        RefusedError: There is none in the modules that are loaded.
    """
    parts = name.split(".") if len(name) <= _LONGEST_NAME else []
    for depth in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:depth]))
        for part in parts[depth:]:
            found = vars(found).get(part) if isinstance(found, (ModuleType, type)) else None
        if found is not None:
            return found
    raise RefusedError(f"{shown(name)} is in no module that is loaded.")


def _is_missing(error: BaseException | None, module: str) -> bool:
    return error is None or (isinstance(error, ModuleNotFoundError) and error.name == module)


def _module(module: str, name: str) -> Any:
    if module in sys.modules:
        return sys.modules[module]
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:  # a module may fail in any way while it is imported
        raise RefusedError(
            f"{shown(name)} cannot be imported: {type(error).__name__}: {error}."
        ) from error


def _member(found: Any, parts: list[str], name: str) -> Any:
    for part in parts:
        # What an object answers is computed by its class; only modules and classes hold things.
        if not isinstance(found, (ModuleType, type)):
            raise RefusedError(
                f"{shown(name)} is not there: what stands before {part!r} is {kind_of(found)}, and "
                "only modules and classes are looked into."
            )
        if not hasattr(found, part):
            raise RefusedError(
                f"{shown(name)} is not there: {found.__name__} has no {part!r}."
                f"{nearest(part, dir(found))}"
            )
        found = getattr(found, part)
    return found
