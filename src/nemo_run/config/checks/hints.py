"""Annotations of a callable as objects, also where they are written as text.

``from __future__ import annotations`` makes every annotation a text, and names imported only
under ``if TYPE_CHECKING:`` do not exist when the program runs. Such a name is looked up by
reading the module's source; its module is imported only if that costs and starts nothing of note:
it is loaded already, or part of the standard library. An annotation that cannot be read is left
out of the answer.
"""

from __future__ import annotations

import ast
import builtins
import functools
import inspect
import re
import sys
import types
import typing
import weakref
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def hints_of(target: Any) -> dict[str, Any]:
    """Return the annotations of what ``target`` takes and, under ``return``, gives.

    Args:
        target: A function, class, method, or anything else that can be called.
    """
    target = typing.get_origin(target) or target
    try:
        found = _known.get(target)
        if found is None:
            found = _known[target] = _hints_of(target)
    except TypeError:  # cannot be hashed, or not be referred to weakly
        return _hints_of(target)
    return found


def hints_now(target: Any) -> dict[str, Any]:
    """Return what :func:`hints_of` would, read anew: while a module is read, names are missing."""
    return _hints_of(typing.get_origin(target) or target)


_known: weakref.WeakKeyDictionary[Any, dict[str, Any]] = weakref.WeakKeyDictionary()


def _hints_of(target: Any) -> dict[str, Any]:
    if isinstance(target, functools.partial):
        return hints_of(target.func)
    if isinstance(target, types.MethodType):
        return hints_of(target.__func__)
    if isinstance(target, type):
        return _of_constructor(target)
    if isinstance(target, types.FunctionType):
        return _of_function(inspect.unwrap(target), target)
    call = getattr(type(target), "__call__", None)  # noqa: B004 - of an object, not of a class
    return _of_function(call, call) if isinstance(call, types.FunctionType) else {}


def hints_of_class(kind: type) -> dict[str, Any]:
    """Return the annotations of a class's attributes, each read where it was written."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        own = _own_annotations(base)
        if own:
            found |= _read(own, _scope_of_class(base))
    return found


def _of_constructor(kind: type) -> dict[str, Any]:
    # Fields that dataclasses and the like turn into parameters were written in the class that
    # has them, which need not be where the constructor is.
    fields = hints_of_class(kind) if _is_record(kind) else {}
    for name in ("__init__", "__new__"):
        method = getattr(kind, name)
        if isinstance(method, types.FunctionType):
            owner = next(base for base in kind.__mro__ if name in vars(base))
            found = _of_function(inspect.unwrap(method), method, _type_params(owner))
            if _is_generated(method):
                found = {**found, **fields}
            found.pop("return", None)
            return found
    return fields


def _is_record(kind: type) -> bool:
    return any(
        hasattr(kind, name)
        for name in ("__dataclass_fields__", "__attrs_attrs__", "_fields", "model_fields")
    )


def _is_generated(method: types.FunctionType) -> bool:
    return method.__code__.co_filename.startswith("<")


def _of_function(
    written: Any, function: Any, of_class: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    annotations = dict(getattr(function, "__annotations__", {}))
    module = sys.modules.get(getattr(written, "__module__", None) or "")
    scope = _Scope(
        getattr(written, "__globals__", {}), module, {**of_class, **_type_params(written)}
    )
    closure = getattr(written, "__closure__", None) or ()
    for name, cell in zip(
        getattr(written, "__code__", _NO_CODE).co_freevars, closure, strict=False
    ):
        try:
            scope.own.setdefault(name, cell.cell_contents)
        except ValueError:  # not set yet
            continue
    return _read(annotations, scope)


def _none() -> None:
    """Has no free variables."""


_NO_CODE = _none.__code__


def _own_annotations(kind: type) -> dict[str, Any]:
    found = vars(kind).get("__annotations__", {})
    return dict(found) if isinstance(found, dict) else {}


def _scope_of_class(kind: type) -> _Scope:
    module = sys.modules.get(kind.__module__)
    own = {**vars(kind), kind.__name__: kind, **_type_params(kind)}
    return _Scope(vars(module) if module else {}, module, own)


def _type_params(thing: Any) -> dict[str, Any]:
    return {param.__name__: param for param in getattr(thing, "__type_params__", ())}


class _Scope(Mapping[str, Any]):
    """Names as the author of a module meant them."""

    def __init__(
        self, names: dict[str, Any], module: types.ModuleType | None, own: dict[str, Any]
    ) -> None:
        self.names = names
        self.own = own
        self.module = module

    def __getitem__(self, name: str) -> Any:
        for place in (self.own, self.names, vars(builtins)):
            if name in place:
                return place[name]
        if self.module is None:
            raise KeyError(name)
        return _imported_for_checking(self.module, name)

    def __iter__(self) -> Iterator[str]:
        return iter({**self.names, **self.own})

    def __len__(self) -> int:
        return len({**self.names, **self.own})


def _read(annotations: dict[str, Any], scope: _Scope) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, hint in annotations.items():
        if isinstance(hint, type) and type(hint) is type:
            found[name] = hint
            continue
        try:
            holder = types.SimpleNamespace(__annotations__={name: _for_python_3_10(hint)})
            read = typing.get_type_hints(holder, scope.names, scope, include_extras=True)
        except Exception:  # noqa: BLE001,S112 - any code may stand there; then it says nothing
            continue
        found[name] = read[name]
    return found


def _for_python_3_10(hint: Any) -> Any:
    """Help ``typing.get_type_hints`` of Python 3.10 with ``list["Model"]`` and InitVar."""
    if isinstance(hint, str):
        found = re.fullmatch(r"(?:dataclasses\.)?InitVar\[(.*)\]", hint)
        return found[1] if found else hint
    if type(hint) is types.GenericAlias and any(isinstance(a, str) for a in hint.__args__):
        args = (typing.ForwardRef(a) if isinstance(a, str) else a for a in hint.__args__)
        origin: Any = hint.__origin__
        return origin[tuple(args)]
    return hint


def _imported_for_checking(module: types.ModuleType, name: str) -> Any:
    """Return what ``name`` is imported as under ``if TYPE_CHECKING:``.

    Raises:
        KeyError: It is not, or its module is not loaded.
    """
    source, attribute = _checking_imports(module).get(name, ("", ""))
    if not source:
        raise KeyError(name)
    if source not in sys.modules and source.partition(".")[0] not in sys.stdlib_module_names:
        raise KeyError(name)
    found = import_module(source)
    return getattr(found, attribute) if attribute else found


@functools.cache
def _checking_imports(module: types.ModuleType) -> dict[str, tuple[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    found: dict[str, tuple[str, str]] = {}
    for block in ast.walk(tree):
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test):
            for node in block.body:
                found |= _names_of(node, module.__package__ or "")
    return found


def _names_of(node: ast.stmt, package: str) -> dict[str, tuple[str, str]]:
    if isinstance(node, ast.Import):
        return {
            name.asname or name.name.partition(".")[0]: (
                name.name if name.asname else name.name.partition(".")[0],
                "",
            )
            for name in node.names
        }
    if not isinstance(node, ast.ImportFrom):
        return {}
    source = node.module or ""
    if node.level:
        parents = package.split(".")[: len(package.split(".")) - node.level + 1]
        source = ".".join([*parents, source]).strip(".")
    return {name.asname or name.name: (source, name.name) for name in node.names}
