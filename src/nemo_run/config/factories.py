"""Factories: functions that make a value, called by their name on a command line.

A factory is registered for a target: the class or function that it configures, one argument of
one (``target_arg``), or a namespace that the program chose. :func:`find` looks a name up for the
annotation of a parameter.
"""

from __future__ import annotations

import inspect
import sys
from collections import abc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

from .alternatives import (
    alternatives,
    is_below,
    is_class,
    items_of,
    kind_of,
    makes,
    namespace_of,
)
from .checks.hints import hints_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEFAULT = "default"


@dataclass(frozen=True)
class Factory:
    """A registered function.

    Attributes:
        name: What it is called by.
        namespace: What it is registered for, as text.
        fn: The function.
        target: What it makes: a class, function, annotation or dotted name; None where it was
            registered in a namespace.
        made: The same, where it was registered in a namespace, as far as known.
        target_arg: The argument of the target that it makes a value for.
        is_default: Whether it is used where nothing was said.
        file: The file that the function is in.
        line: Its line there.
        doc: Its docstring.
    """

    name: str
    namespace: str
    fn: Callable[..., Any]
    target: Any = None
    target_arg: str | None = None
    is_default: bool = False
    file: str | None = None
    line: int | None = None
    doc: str | None = None
    made: Any = None

    @property
    def place(self) -> str:
        """``file:line``, or the name of its module."""
        return f"{self.file}:{self.line}" if self.file else str(self.fn.__module__)


class _Registry:
    """Every factory, by namespace and name."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, list[Factory]]] = {}
        # Those whose annotation is a text that could not be read yet: the classes that it names
        # may be written below the function, or be imported later.
        self.waiting: list[Factory] = []
        self.tried: dict[int, tuple[int, int]] = {}

    def add(self, factory: Factory) -> None:
        here = self.known.setdefault(factory.namespace, {})
        if factory.is_default:
            for name, others in here.items():
                here[name] = [replace(other, is_default=False) for other in others]
        others = [one for one in here.get(factory.name, []) if not _is_again(factory, one)]
        here[factory.name] = [*others, factory]

    def all(self) -> dict[str, dict[str, list[Factory]]]:
        for factory in list(self.waiting):
            # Reading again helps once there are more modules, or more names in its own.
            names = len(getattr(inspect.unwrap(factory.fn), "__globals__", ()))
            state = (len(sys.modules), names)
            if self.tried.get(id(factory)) == state:
                continue
            self.tried[id(factory)] = state
            target = _said(factory.fn)
            if target is not None:
                self.waiting.remove(factory)
                self.add(replace(factory, target=target, namespace=namespace_of(target)))
        return self.known


def _is_again(factory: Factory, known: Factory) -> bool:
    """Whether a factory is one that is known: a notebook's cell or a module that is run again."""
    names = [getattr(one.fn, "__qualname__", one.name) for one in (factory, known)]
    return factory.file == known.file and names[0] == names[1]


_registry = _Registry()


def register(
    fn: Callable[..., Any],
    target: Any = None,
    *,
    target_arg: str | None = None,
    is_target_default: bool = False,
    name: str | None = None,
    namespace: str | None = None,
) -> Factory:
    """Register ``fn`` under its name, or ``name``.

    Args:
        fn: The function.
        target: What it makes a value of: a class, a function, a configuration of one, or its
            dotted name. Without it the function's return annotation says so.
        target_arg: Makes it a factory for this argument of the target only.
        is_target_default: Use it where nothing was said.
        name: What to call it by.
        namespace: Register it here instead; it is called as ``namespace.name``.

    Raises:
        OverrideError: Nothing says what the function makes, or the target has no such argument.
    """
    if target_arg is not None and target is None:
        raise OverrideError(
            f"{_called(fn)} is registered for the argument {target_arg!r}, but of what? Give "
            "target= as well."
        )
    if target_arg is not None:
        _check_argument(fn, target, target_arg)
    code = getattr(inspect.unwrap(fn), "__code__", None)
    known = makes(target) if target is not None else _said(fn)
    made = Factory(
        _checked_name(fn, name),
        namespace or (_joined(namespace_of(known), target_arg) if known is not None else ""),
        fn,
        None if namespace else known,
        target_arg,
        is_target_default,
        code.co_filename if code else None,
        code.co_firstlineno if code else None,
        inspect.getdoc(fn),
        known if namespace else None,
    )
    if made.namespace:
        _registry.add(made)
    elif "return" in getattr(fn, "__annotations__", {}) and "return" not in hints_now(fn):
        _registry.waiting.append(made)
    else:
        raise OverrideError(
            f"{_called(fn)} does not say what it makes. Annotate what it returns, such as "
            "-> run.Config[Model], or give target=Model."
        )
    return made


def _check_argument(fn: Callable[..., Any], target: Any, name: str) -> None:
    """Refuse an argument that a target certainly does not have."""
    from .graph.signature import display_name, signature_info

    kind = kind_of(makes(target))
    if not callable(kind):  # a dotted name, which is not imported for this
        return
    try:
        info = signature_info(kind)
    except (TypeError, ValueError):  # Python does not know what it takes
        return
    if name not in info.keys and name not in info.parameters and not info.has_var_keyword:
        raise OverrideError(
            f"{_called(fn)} is registered for the argument {name!r} of {display_name(kind)}, which "
            f"has none of that name.{nearest(name, info.keys)} It has: "
            f"{', '.join(info.keys) or 'none'}."
        )


def _checked_name(fn: Callable[..., Any], name: str | None) -> str:
    """Return what a factory is called by: something that a command line can say."""
    from .values.syntax import read_call

    found = str(name or getattr(fn, "__name__", "<lambda>"))
    if found == "<lambda>":
        raise OverrideError(f"{_called(fn)} has no name to call it by. Give name=...")
    call = read_call(found)
    if call is None or not call.bare or found.lower() in _WORDS:
        raise OverrideError(
            f"{_called(fn)} cannot be called {found!r} on a command line. Names are letters, "
            "digits, _, - and dots, are no number, and none of none, null, true and false."
        )
    return found


_WORDS = {"none", "null", "true", "false"}


def find(hint: Any, name: str, parent: Any = None, argument: str | None = None) -> Factory | None:
    """Return the factory of that name that fits an annotation best.

    Args:
        hint: The annotation, or the function whose factories are asked for.
        name: The name.
        parent: The callable that takes the value.
        argument: Its parameter.

    Raises:
        OverrideError: Several files register that name for the same.
    """
    known = [factory for factory in _everything() if _has_name(factory, name)]
    for group in _groups(known, hint, parent, argument) if known else ():
        if group:
            return _only(group, name)
    found = _of_namespaces(hint, name) if "." in name else []
    return _only(found, name) if found else None


def fitting(hint: Any, parent: Any = None, argument: str | None = None) -> list[Factory]:
    """Return every factory that fits an annotation, the best first."""
    found: dict[int, Factory] = {}
    for group in _groups(list(_everything()), hint, parent, argument):
        for factory in group:
            found.setdefault(id(factory), factory)
    return [*found.values(), *_of_namespaces(hint)]


def default_of(hint: Any, parent: Any = None, argument: str | None = None) -> Factory | None:
    """Return the factory that is used where nothing was said, if there is one.

    The default of a class is none for the classes above or below it.
    """
    known = [factory for factory in _everything() if _has_name(factory, DEFAULT)]
    # What makes a value for an argument of a callable is none for the callable itself.
    whole = [factory for factory in known if factory.target_arg is None]
    exact = (_exactly(whole, one) for one in alternatives(hint))
    for group in (*_of_argument(known, parent, argument), *exact) if known else ():
        if group:
            return group[-1]
    return None


def is_factory(fn: Any) -> bool:
    """Whether a function was registered as a factory."""
    return any(one.fn is fn for one in _everything())


def suggestion(name: str, fits: list[Factory]) -> str:
    """Return the sentences that help somebody who asked for a factory that is not there."""
    names = list(dict.fromkeys(factory.name for factory in fits))
    listed = f" Factories that fit: {', '.join(names)}." if names else ""
    unread = next((factory for factory in _registry.waiting if factory.name == name), None)
    if unread is not None:
        written = unread.fn.__annotations__["return"]
        listed += (
            f" {_called(unread.fn)} is annotated to return {written!r}, which cannot be read; give "
            "it target= the class that it makes."
        )
    return nearest(name, names) + listed


def _called(fn: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(fn), "__code__", None)
    place = f" ({code.co_filename}:{code.co_firstlineno})" if code else ""
    return f"the factory {getattr(fn, '__qualname__', fn)}{place}"


def _joined(namespace: str, argument: str | None) -> str:
    return f"{namespace}.{argument}" if argument else namespace


def _said(fn: Callable[..., Any]) -> Any:
    """Return what the return annotation says a function makes, or None."""
    return makes(hints_now(fn).get("return"))


def _has_name(factory: Factory, name: str) -> bool:
    return factory.name == name or (name == DEFAULT and factory.is_default)


def _only(found: list[Factory], name: str) -> Factory:
    if len(found) > 1 and name != DEFAULT:
        which = "; ".join(f"for {one.namespace} in {one.place}" for one in found)
        raise OverrideError(
            f"{name!r} is the name of {len(found)} factories that fit: {which}. Give them "
            "different names (name=...)."
        )
    return found[-1]


def _everything() -> Iterator[Factory]:
    for names in _registry.all().values():
        for factories in names.values():
            yield from factories


def _of_namespaces(hint: Any, name: str | None = None) -> list[Factory]:
    """Return those of namespaces that fit, called by their whole name: ``namespace.name``."""
    known = [one for one in _everything() if one.made is not None and one.target is None]
    whole = [replace(one, name=f"{one.namespace}.{one.name}", target=one.made) for one in known]
    asked = [one for one in whole if name in (None, one.name)]
    if not asked or isinstance(hint, str):
        return []
    return [one for group in _groups(asked, hint, None, None) for one in group]


def _groups(
    known: list[Factory], hint: Any, parent: Any, argument: str | None
) -> Iterator[list[Factory]]:
    """Yield those of the known factories that fit, in groups, the best first."""
    yield from _of_argument(known, parent, argument)
    if isinstance(hint, str):
        yield [factory for factory in known if factory.namespace == hint]
        return
    known = [factory for factory in known if factory.target_arg is None]
    for one in alternatives(hint):
        yield from _of_one(known, one)
    for one in alternatives(hint):
        for item in items_of(one):
            for inside in alternatives(item):
                yield from _of_one(known, inside)


def _of_argument(
    known: list[Factory], parent: Any, argument: str | None
) -> Iterator[list[Factory]]:
    """Yield those that were registered for an argument, and for any argument, of a callable."""
    if parent is None or argument is None:
        return
    for base in getattr(parent, "__mro__", (parent,)):
        place = namespace_of(base)
        yield [factory for factory in known if factory.namespace == f"{place}.{argument}"]
        # What makes the parent itself is no value for its arguments.
        yield [one for one in known if one.namespace == place and one.target is None]


def _of_one(known: list[Factory], hint: Any) -> Iterator[list[Factory]]:
    """Yield those for an annotation, for classes below it, and for each class above it."""
    if hint is str:
        return  # a text is a text, whatever it is called
    exact = _exactly(known, hint)
    yield exact
    if not is_class(hint):
        return
    others = [factory for factory in known if factory not in exact]
    yield [f for f in others if any(is_below(kind, hint) for kind in _made_by(f))]
    for base in hint.__mro__[1:-1]:
        yield [f for f in others if base in _made_by(f)]


def _exactly(known: list[Factory], hint: Any) -> list[Factory]:
    namespace = namespace_of(hint)
    return [f for f in known if f.namespace == namespace or _makes_exactly(f, hint)]


def _makes_exactly(factory: Factory, hint: Any) -> bool:
    if kind_of(hint) is abc.Callable:
        return any(kind_of(made) is abc.Callable for made in _made_by(factory))
    return hint in _made_by(factory)


def _made_by(factory: Factory) -> list[Any]:
    return alternatives(factory.target)
