"""Things that are known by name until somebody needs them."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from nemo_run.exceptions import ConfigError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Reference:
    """A function, a class or a constant, by name.

    Attributes:
        module: Where it is defined; ``__main__`` for the launching script.
        qualname: Its dotted name inside the module.
    """

    module: str
    qualname: str

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"

    def resolve(self) -> Any:
        """Import the module and return the object.

        Raises:
            ConfigError: The module cannot be imported or has no such name.
        """
        try:
            found: Any = sys.modules.get(self.module) or import_module(self.module)
        except ImportError as error:
            raise ConfigError(
                f"{self} cannot be loaded: importing {self.module!r} failed with "
                f"{type(error).__name__}: {error}. Make the module importable, or start from "
                "the folder that holds it."
            ) from error
        for part in self.qualname.split("."):
            try:
                found = _part(found, part)
            except AttributeError as error:
                raise ConfigError(
                    f"{self} cannot be loaded: {display(found)} has no {part!r}."
                    f"{nearest(part, dir(found))}"
                ) from error
        return found

    @staticmethod
    def of(value: Any) -> Reference:
        """Return the name under which ``value`` can be imported.

        Raises:
            ValueError: There is none: a lambda, a function inside a function, an object that
                was replaced under its name. The message says which.
        """
        stated = getattr(type(value), "__reference__", None)
        if stated is not None:  # it stands for something that is not imported
            return cast("Reference", stated(value))
        name = _own_name(value)
        if name is None:
            raise ValueError("it has no name to import it by")
        if "<lambda>" in name:
            raise ValueError("it is a lambda; give it a name with def, at the top of a module")
        if "<locals>" in name:
            raise ValueError(
                f"it is defined inside a function, as {name}; move it to the top of its module"
            )
        module = _module_of(value, name)
        if module is None:
            raise ValueError(_unknown(value, name))
        return Reference(_public(module, name, value), name)


def _part(owner: Any, name: str) -> Any:
    if hasattr(owner, name):
        return getattr(owner, name)
    from nemo_run.worker.worker import part_of

    return part_of(owner, name)


def _unknown(value: Any, name: str) -> str:
    owner = getattr(value, "__self__", None)
    if owner is None or isinstance(owner, (type, ModuleType)):
        return f"no module knows it as {name!r}; define it at the top of a module"
    kind = type(owner).__qualname__
    return (
        f"it is a method of an object, which no module knows. Give the function and how its object "
        f"is made, run.Partial({name}, run.Config({kind}, ...)), or write a function that makes "
        "the object and calls the method"
    )


def display(value: Any) -> str:
    """Return how messages call a module or an object."""
    return getattr(value, "__name__", None) or repr(value)


def _own_name(value: Any) -> str | None:
    for attribute in ("__qualname__", "__name__"):
        name = getattr(value, attribute, None)
        if isinstance(name, str):
            return _name_through_owner(value, name)
    return None


def _name_through_owner(value: Any, name: str) -> str:
    # A method bound to a class is reached through that class, not through the one that
    # defines it.
    owner = getattr(value, "__self__", None)
    if isinstance(owner, type) and "<locals>" not in name:
        return f"{owner.__qualname__}.{name.rpartition('.')[2]}"
    return name


def _module_of(value: Any, name: str) -> str | None:
    owner = getattr(value, "__self__", None)
    stated = owner.__module__ if isinstance(owner, type) else getattr(value, "__module__", None)
    if isinstance(stated, str) and _is_at(sys.modules.get(stated), name, value):
        return stated
    if stated == "__main__" and _is_at(_program_of(value), name, value):
        return stated
    # C functions often do not say their module (as pickle.whichmodule knows).
    for candidate, module in list(sys.modules.items()):
        if module is not sys.modules.get("__main__") and _is_at(module, name, value):
            return candidate
    return None


def _program_of(value: Any) -> Any:
    """Return the program that defined ``value`` as something with its names.

    What runs another program (``python -m cProfile script.py``) does not always make it the module
    ``__main__``; its functions know their globals.
    """
    own = vars(value).values() if isinstance(value, type) else ()
    for thing in (value, *own):
        found = getattr(thing, "__globals__", None)
        if isinstance(found, dict) and found.get("__name__") == "__main__":
            return SimpleNamespace(**found)
    return None


def _public(module: str, name: str, value: Any) -> str:
    """Return the public module of a standard-library object: where it lives is no promise.

    ``pathlib.Path`` says ``pathlib._local`` on Python 3.13, which no other version has.
    """
    if "._" not in f".{module}" or module.partition(".")[0] not in sys.stdlib_module_names:
        return module
    public = module.partition("._")[0].lstrip("_")
    return public if _is_at(sys.modules.get(public), name, value) else module


def _is_at(module: Any, name: str, value: Any) -> bool:
    found = module
    for part in name.split("."):
        found = (
            getattr(found, "__dict__", {}).get(part)
            if found is module
            else getattr(found, part, None)
        )
        if found is None:
            return False
    if found is value:
        return True
    # Each access makes a new bound method; these compare equal.
    return getattr(value, "__self__", None) is not None and bool(found == value)


class Deferred:
    """A value from a file that needs the user's code to be made.

    Attributes:
        document: Its JSON form.
        children: The values inside it that were read already.
    """

    __slots__ = ("_made", "_make", "children", "document")

    def __init__(
        self, document: Any, children: Sequence[Any], make: Callable[[Any, Sequence[Any]], Any]
    ) -> None:
        """Hold ``document`` until :meth:`resolve` calls ``make(document, children)``."""
        self.document = document
        self.children = children
        self._make = make

    def resolve(self) -> Any:
        """Make the value, once; imports what it needs.

        Raises:
            ConfigError: Its code cannot be imported.
        """
        if not hasattr(self, "_made"):
            self._made = self._make(self.document, self.children)
        return self._made

    def __eq__(self, other: object) -> bool:
        from nemo_run.config.files.codec import encode
        from nemo_run.exceptions import SerializationError

        try:
            return bool(encode(self) == encode(other))
        except SerializationError:
            return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return what the value will be, as far as its document tells."""
        parts = self.document if isinstance(self.document, dict) else {}
        name = str(parts.get("class") or parts.get("name") or parts.get("$")).rpartition(":")[2]
        fields = parts.get("fields") or {}
        if "class" not in parts:
            return name
        if parts.get("$") == "enum":
            return f"{name}.{parts.get('name')}"
        if len(fields) != len(self.children):
            return f"{name}(...)"
        shown = zip(fields, self.children, strict=True)
        return f"{name}({', '.join(f'{key}={value!r}' for key, value in shown)})"


def resolved(value: Any) -> Any:
    """Return ``value`` without :class:`Deferred` in it: lists and dicts in place, nodes alone."""
    kind = type(value)
    if kind is Deferred:
        return value.resolve()
    if kind is list:
        for index, item in enumerate(value):
            value[index] = resolved(item)
    elif kind is dict:
        for key, item in value.items():
            value[key] = resolved(item)
    elif kind is tuple:
        items = [resolved(item) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            return tuple(items)
    return value
