"""The classes that an annotation allows and that are loaded: by their names, and to be named."""

from __future__ import annotations

import sys
import typing
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import is_abstract, is_below

from .unions import union_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 3


def classes_below(hint: Any) -> Iterator[type]:
    """Yield the classes that an annotation allows and that are loaded, itself first."""
    waiting = _allowed(hint)
    known: set[type] = set()
    while waiting:
        kind = waiting.pop(0)
        if not isinstance(kind, type) or kind in known or kind is object:
            continue
        known.add(kind)
        yield kind
        waiting += type.__subclasses__(kind)


def classes_named(name: str, hint: Any) -> list[type]:
    """Return the loaded classes of that name, dotted or not, that an annotation allows.

    Those derived from it come first. Of others that fit what is abstract, such as a protocol,
    those of the launching script come before those of the annotation's own module, and these
    before the rest.
    """
    found = [
        kind
        for kind in classes_below(hint)
        if name in (kind.__name__, kind.__qualname__, f"{kind.__module__}.{kind.__qualname__}")
    ]
    if found:
        return found
    abstract = [kind for kind in _allowed(hint) if is_abstract(kind)]
    for modules in _modules_around(abstract) if abstract else ():
        others: list[Any] = [vars(module).get(name) for module in modules]
        found = list({id(one): one for one in others if _fits(one, abstract)}.values())
        if found:
            return found
    return []


def names_of_classes(hint: Any) -> list[str]:
    """Return what can be written for the classes that an annotation allows, as far as known."""
    abstract = [kind for kind in _allowed(hint) if is_abstract(kind)]
    kinds = [kind for kind in classes_below(hint) if not is_abstract(kind)]
    for modules in _modules_around(abstract)[:2] if abstract else ():
        for module in modules:
            kinds += [one for one in list(vars(module).values()) if _fits(one, abstract)]
    return list(dict.fromkeys(kind.__name__ for kind in kinds))


def which(hint: Any) -> str:
    """Return the sentence that says how to write an object of an abstract class."""
    names = names_of_classes(hint)[:_MOST] or ["package.module.Class"]
    return f"Write {' or '.join(f'{name}(key=value)' for name in names)}, or the name of a factory."


def _allowed(hint: Any) -> list[Any]:
    return [typing.get_origin(option) or option for option in union_parts(hint)]


def _fits(found: Any, abstract: list[Any]) -> bool:
    if not isinstance(found, type) or is_abstract(found):
        return False
    return any(is_below(found, kind) for kind in abstract)


def _modules_around(kinds: list[Any]) -> list[list[ModuleType]]:
    own = [sys.modules[kind.__module__] for kind in kinds if kind.__module__ in sys.modules]
    loaded: list[Any] = list(sys.modules.values())
    every = [module for module in loaded if isinstance(module, ModuleType)]
    return [[sys.modules["__main__"]], own, every]
