"""What a call inside an autoconverted function becomes.

The rule:

* ``run.Config(...)`` and ``run.Partial(...)`` are what they say;
* a call of an autoconverted function is that function's configuration, in place of the call;
* ``functools.partial(f, ...)`` is a ``Partial``;
* evaluated at once, because the result is a plain value: builtins (``len``, ``range``, ``dict``),
  functions of the standard library (``os.path.join``, ``math.sqrt``) and its classes of values
  (``Path``, ``timedelta``, ``Decimal``, ``OrderedDict``), enums, exceptions, methods of objects
  that exist (``names.append``, ``"{}".format``), functions defined inside the function, and what
  a ``with`` statement enters;
* every other call of a class or function becomes a ``Config`` of it.

Where the plain value of something that is made later would be needed (``if``, arithmetic, text,
iteration), that is an error which shows the place.
"""

from __future__ import annotations

import enum
import functools
import os
import sys
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import Config, Node, Partial, is_node
from nemo_run.config.graph.signature import display_name

if TYPE_CHECKING:
    from .rewriting import Rewritten, Site

# Standard-library modules whose classes are values.
_VALUES = frozenset(
    {
        "array",
        "builtins",
        "collections",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "ipaddress",
        "itertools",
        "pathlib",
        "re",
        "string",
        "typing",
        "uuid",
        "zoneinfo",
    }
)
# These take objects without looking into them, so that a configuration can be one.
_CARRIERS = frozenset(
    {dict, enumerate, filter, list, map, reversed, set, slice, super, tuple, zip}
    | {getattr, hasattr, id, iter, next, print, setattr, delattr}
)
_WAY_OUT = (
    "It is made later, in the job, so its value is not known here. Compute the value with plain "
    "Python, or move this into the function that is called."
)


class Converter:
    """Answers the questions of one rewritten function (see :mod:`.rewriting`)."""

    def __init__(self, rewritten: Rewritten) -> None:
        self._sites = rewritten.sites
        self._inner = rewritten.inner

    def call(self, site: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call or configure ``function``."""
        if function is functools.partial:
            self._refuse_inner_functions(site, args, kwargs)
            return Partial(*args, **kwargs)
        if not callable(function) or self._runs_now(function, args, kwargs):
            self._refuse_unknown(site, function, (*args, *kwargs.values()))
            return function(*self._converting(site, function, args), **kwargs)
        self._refuse_inner_functions(site, args, kwargs)
        return Config(function, *args, **kwargs)

    def statement(self, site: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a function whose result is not used."""
        if callable(function) and not self._runs_now(function, args, kwargs):
            name = display_name(function)
            raise self._sites[site].error(
                f"the result of {name} is not used, so it would never be called.",
                f"Use what it returns, or decorate {name} with @run.autoconvert to have it run "
                "here.",
            )
        return self.call(site, function, *args, **kwargs)

    def enter(self, site: int, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call what a ``with`` statement enters."""
        for value in (*args, *kwargs.values()):
            self.known(site, value)
        return function(*args, **kwargs)

    def method(self, site: int, owner: Any, name: str) -> Any:
        """Look up what is called."""
        try:
            return getattr(owner, name)
        except AttributeError:
            if not is_node(owner):
                raise
            raise self._sites[site].error(
                f"{_shown(owner)} is a configuration, so its {name!r} cannot be called.", _WAY_OUT
            ) from None

    def known(self, site: int, value: Any) -> Any:
        """Return ``value``, which must not be a configuration."""
        if is_node(value):
            raise unknown(self._sites[site], value)
        return value

    def _runs_now(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        if isinstance(function, FunctionType) and function.__code__ in self._inner:
            return True
        if isinstance(function, type) and not _is_container(function):
            return runs_now(function) and not any(_holds_node(v) for v in (args, kwargs))
        return runs_now(function)

    def _converting(self, site: int, function: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Let functions that ``map`` and the like call go through the converter too."""
        if function not in _APPLIERS or not args:
            return args
        first = args[0]

        def applied(*values: Any) -> Any:
            return self.call(site, first, *values)

        return (first if first is None else applied, *args[1:])

    def _refuse_unknown(self, site: int, function: Any, values: tuple[Any, ...]) -> None:
        """Refuse to show or test a configuration where its object is meant."""
        owner = getattr(function, "__self__", None)
        looks = isinstance(owner, str) or (
            getattr(function, "__module__", None) == "builtins" and not _carries(function)
        )
        if function is isinstance and len(values) == 2 and _asks_for_nodes(values[1]):
            return
        for value in values if looks else ():
            if is_node(value):
                raise unknown(self._sites[site], value)

    def _refuse_inner_functions(
        self, site: int, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        todo: list[Any] = [*args, *kwargs.values()]
        while todo:
            value = todo.pop()
            if isinstance(value, (list, tuple)):
                todo += value
            elif isinstance(value, dict):
                todo += value.values()
            elif isinstance(value, FunctionType) and value.__code__ in self._inner:
                kind = "a lambda" if value.__name__ == "<lambda>" else repr(value.__name__)
                raise self._sites[site].error(
                    f"{kind}, defined inside the function, would be part of the configuration, "
                    "and a job cannot find it by name.",
                    "Define it with def at the top of a module.",
                )


_APPLIERS: list[Any] = [map, filter, functools.reduce]


def runs_now(function: Any) -> bool:
    """Whether a call of ``function`` is evaluated rather than configured."""
    if getattr(function, "__auto_config__", False) or _is_node_class(function):
        return True
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, (type, ModuleType)):
        return True  # a method of an object that exists, configurations included
    if isinstance(function, type):
        if issubclass(function, (enum.Enum, BaseException)):
            return True
        root = function.__module__.partition(".")[0]
        return root in _VALUES and _is_standard(root)
    if isinstance(function, MethodType):  # of a class
        return runs_now(owner)
    root = _module(function).partition(".")[0]
    return root in {"builtins", "nemo_run", "fiddle"} or _is_standard(root)


@functools.cache
def _is_standard(root: str) -> bool:
    """Whether a module is the standard library's, and not a file of the user's by that name."""
    if root not in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(root), "__file__", None)
    # The folder of the standard library is where os comes from; built-in modules have no file.
    folder = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120
    return file is None or (file.startswith(folder) and "site-packages" not in file)


def unknown(site: Site, value: Any) -> Exception:
    """Return the error for a configuration that is used like the object it makes."""
    return site.error(f"{_shown(value)} is a configuration, used here like a value.", _WAY_OUT)


def _module(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        return owner.__name__
    if isinstance(owner, type):
        return owner.__module__
    found = getattr(function, "__module__", None)
    return found if isinstance(found, str) else type(function).__module__


def _is_node_class(value: Any) -> bool:
    return isinstance(value, type) and (
        issubclass(value, Node)
        or all(hasattr(value, name) for name in ("__fn_or_cls__", "__flatten__", "__build__"))
    )


def _asks_for_nodes(kinds: Any) -> bool:
    return any(map(_is_node_class, kinds if isinstance(kinds, tuple) else (kinds,)))


def _is_container(kind: type) -> bool:
    return (
        _is_node_class(kind)
        or kind.__module__ in {"builtins", "itertools", "functools"}
        or issubclass(kind, dict)
    )


def _carries(function: Any) -> bool:
    try:
        return function in _CARRIERS
    except TypeError:
        return False


def _holds_node(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(_holds_node(item) for item in value)
    if isinstance(value, dict):
        return any(_holds_node(item) for item in value.values())
    return is_node(value)


def _shown(node: Any) -> str:
    from nemo_run.config.graph.node import target_name

    return f"{type(node).__name__}({target_name(node).rpartition('.')[2]})"
