"""What a callable takes: its parameters, their defaults, and how stored arguments map on them."""

from __future__ import annotations

import inspect
import typing
import weakref
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ArgumentAttributeError, ArgumentError, nearest, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_P = inspect.Parameter
_EMPTY = _P.empty
_VARIADIC = inspect.Signature([_P("args", _P.VAR_POSITIONAL), _P("kwargs", _P.VAR_KEYWORD)])


class SignatureInfo:
    """The signature of one callable, read once and shared by all nodes that configure it.

    Arguments are stored in a dict: positional-only and variadic positional ones under their
    index, all others under their name.

    Attributes:
        signature: As the standard library sees it.
        parameters: Its parameters by name.
        has_var_keyword: Whether there is a ``**kwargs``.
        var_positional_start: The index at which ``*args`` begin, or None.
        valid_param_names: The names that can be set.
    """

    __slots__ = (
        "_positional",
        "fields",
        "has_var_keyword",
        "keys",
        "optional_nodes",
        "parameters",
        "signature",
        "valid_param_names",
        "var_keyword_name",
        "var_positional_start",
    )

    def __init__(self, signature: inspect.Signature) -> None:
        self.signature = signature
        self.parameters: Mapping[str, inspect.Parameter] = signature.parameters
        self.has_var_keyword = False
        self.var_keyword_name: str | None = None
        self.var_positional_start: int | None = None
        # Filled by those who need them: defaults.fields_of and defaults.optional_nodes_of.
        self.fields: dict[str, Any] | None = None
        self.optional_nodes: dict[str, Any] | None = None
        self.keys: dict[str, str | int] = {}
        self._positional: list[inspect.Parameter] = []
        for index, (name, parameter) in enumerate(self.parameters.items()):
            if parameter.kind is _P.VAR_KEYWORD:
                self.has_var_keyword, self.var_keyword_name = True, name
            elif parameter.kind is _P.VAR_POSITIONAL:
                self.var_positional_start = index
            else:
                self.keys[name] = index if parameter.kind is _P.POSITIONAL_ONLY else name
                if parameter.kind is not _P.KEYWORD_ONLY:
                    self._positional.append(parameter)
        self.valid_param_names = tuple(
            name for name, key in self.keys.items() if isinstance(key, str)
        )

    @staticmethod
    def signature_binding(
        fn_or_cls: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> dict[str | int, Any]:
        """Return the arguments in stored form.

        Raises:
            ArgumentError: One is unknown or given twice, or there are too many.
        """
        return signature_info(fn_or_cls).bind(fn_or_cls, args, kwargs)

    def bind(
        self, target: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str | int, Any]:
        """Return the arguments in stored form, keywords after positional ones."""
        bound: dict[str | int, Any] = {}
        if len(args) > len(self._positional) and self.var_positional_start is None:
            raise ArgumentError(
                f"{display_name(target)} takes at most {len(self._positional)} positional "
                f"arguments and was given {len(args)}. {self._names(target)}"
            )
        for index, value in enumerate(args):
            positional = self._positional[index] if index < len(self._positional) else None
            by_name = positional is not None and positional.kind is _P.POSITIONAL_OR_KEYWORD
            bound[positional.name if by_name and positional else index] = value
        for name, value in kwargs.items():
            key = self.keys.get(name, name)
            if key == name and name not in self.keys and not self.has_var_keyword:
                raise ArgumentError(self.unknown(name, target))
            if isinstance(key, int) and self.has_var_keyword:
                key = name
            if key in bound:
                raise ArgumentError(
                    f"{display_name(target)} was given {name!r} twice: by position and by name."
                )
            bound[key] = value
        return bound

    def key_of(self, name: str, target: Callable[..., Any]) -> str | int:
        """Return the key under which the argument ``name`` is stored.

        Raises:
            ArgumentAttributeError: The target has no such parameter.
        """
        key = self.keys.get(name)
        if key is None:
            if self.has_var_keyword:
                return name
            raise ArgumentAttributeError(self.unknown(name, target))
        return name if isinstance(key, int) and self.has_var_keyword else key

    def validate_param_name(self, name: str, fn_or_cls: Callable[..., Any]) -> None:
        """Raise ArgumentAttributeError unless ``name`` can be set."""
        self.key_of(name, fn_or_cls)

    def get_default(self, argument: str | int, missing: Any = _EMPTY) -> Any:
        """Return the default of a parameter, given by name or index, or ``missing``."""
        if isinstance(argument, str):
            parameter = self.parameters.get(argument)
        else:
            in_reach = 0 <= argument < len(self._positional)
            parameter = self._positional[argument] if in_reach else None
        if parameter is None or parameter.default is _EMPTY:
            return missing
        return parameter.default

    def transform_to_args_kwargs(
        self,
        arguments: dict[Any, Any],
        include_pos_or_kw_in_args: bool = False,
        include_no_value: bool = False,
    ) -> tuple[list[Any], dict[str, Any]]:
        """Return stored arguments as the ``*args`` and ``**kwargs`` of a call.

        Parameters that can be given either way go by name, so that a partial can be overridden
        by name, unless ``*args`` follow them.

        Args:
            arguments: In stored form.
            include_pos_or_kw_in_args: Give all of them by position.
            include_no_value: Put a marker where an argument has neither value nor default.
        """
        rest = dict(arguments)
        start = self.var_positional_start
        by_position = include_pos_or_kw_in_args or (start is not None and start in rest)
        args: list[Any] = []
        for index, parameter in enumerate(self._positional):
            only = parameter.kind is _P.POSITIONAL_ONLY
            key = index if only else parameter.name
            if not only and not by_position:
                break
            if key in rest:
                args.append(rest.pop(key))
            elif include_no_value:
                args.append(self.get_default(index, no_value()))
            elif self._given_after(index, rest):
                # A hole cannot be left in a call by position: its default fills it.
                if parameter.default is _EMPTY:
                    break
                args.append(parameter.default)
        while start is not None and start in rest:
            args.append(rest.pop(start))
            start += 1
        return args, rest

    def all_positional(self, arguments: dict[Any, Any]) -> list[Any]:
        """Return the arguments of a call by position, with markers where there is no value."""
        return self.transform_to_args_kwargs(
            arguments, include_pos_or_kw_in_args=True, include_no_value=True
        )[0]

    def _given_after(self, index: int, arguments: dict[Any, Any]) -> bool:
        start = self.var_positional_start
        if start is not None and start in arguments:
            return True
        return any(isinstance(key, int) and key > index for key in arguments)

    def replace_varargs_handle(self, key: Any) -> Any:
        """Replace fiddle's handle of the start of ``*args`` by its index."""

        def plain(part: Any) -> Any:
            # The handle is a bare object(), so that it equals nothing else.
            return self.var_positional_start if type(part) is object else part

        if isinstance(key, slice):
            return slice(plain(key.start), plain(key.stop), key.step)
        return plain(key)

    def index_to_key(self, index: int, arguments: dict[Any, Any]) -> str | int:
        """Return the key under which the positional argument ``index`` is stored."""
        if index < 0:
            index += len(self.all_positional(arguments))
        if 0 <= index < len(self._positional):
            parameter = self._positional[index]
            if parameter.kind is _P.POSITIONAL_OR_KEYWORD:
                return parameter.name
        return index

    def positional_count(self) -> int:
        """Return how many arguments can be given by position, ``*args`` aside."""
        return len(self._positional)

    def _names(self, target: Callable[..., Any]) -> str:
        unsaid = assigned_fields(target)
        names = [key for key in self.keys if key not in unsaid]
        return f"Its parameters: {', '.join(names) or 'none'}."

    def unknown(self, name: str, target: Callable[..., Any]) -> str:
        """Return the message about a name that is no parameter."""
        parameter = self.parameters.get(name)
        if parameter is not None and parameter.kind is _P.VAR_POSITIONAL:
            start = self.var_positional_start
            return (
                f"*{name} of {display_name(target)} has no name from outside; "
                f"use cfg[{start}], cfg[{start}:]."
            )
        return (
            f"{display_name(target)} has no parameter {name!r}."
            f"{nearest(name, self.keys)} {self._names(target)}"
        )


ASSIGNED = "nemo_run.assigned"
"""The key of a dataclass field's metadata that says: the library sets it, nobody types it."""


def assigned_fields(target: Any) -> set[str]:
    """Return the fields of a dataclass that are set where it is used, and never by a person."""
    fields: dict[str, Any] = getattr(target, "__dataclass_fields__", {})
    return {name for name, field in fields.items() if field.metadata.get(ASSIGNED)}


def no_value() -> Any:
    """Return the marker of an argument without value: fiddle's, where fiddle is loaded."""
    import sys

    fiddle = sys.modules.get("fiddle._src.signatures")
    return fiddle.NO_VALUE if fiddle else NO_VALUE


class _NoValue:
    def __repr__(self) -> str:
        return "NO_VALUE"

    def __reduce__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()

_known: weakref.WeakKeyDictionary[Any, SignatureInfo] = weakref.WeakKeyDictionary()


def signature_info(target: Callable[..., Any]) -> SignatureInfo:
    """Return what ``target`` takes; read once per callable.

    Raises:
        ArgumentError: It cannot be called.
    """
    try:
        return _known[target]
    except KeyError:
        info = SignatureInfo(_read(target))
        _known[target] = info
        return info
    except TypeError:  # unhashable, or cannot be referred to weakly
        return SignatureInfo(_read(target))


def _read(target: Any) -> inspect.Signature:
    target = typing.get_origin(target) or target
    if not callable(target):
        raise ArgumentError(
            f"{shown(target)} cannot be configured, because a value of type "
            f"{type(target).__qualname__} cannot be called. Give a function or a class "
            "first, then its arguments."
        )
    try:
        found = inspect.signature(target)
    except (ValueError, TypeError):  # builtins that do not tell, such as dict and range
        return _VARIADIC
    if isinstance(target, type) and _is_variadic(found):
        return _of_init(target) or found
    return found


def _is_variadic(signature: inspect.Signature) -> bool:
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return kinds == [_P.VAR_POSITIONAL, _P.VAR_KEYWORD]


def _of_init(cls: type) -> inspect.Signature | None:
    # A metaclass or a __new__ that only passes everything on hides the parameters of __init__.
    for name in ("__init__", "__new__"):
        method = getattr(cls, name)
        if method is getattr(object, name):
            continue
        try:
            found = inspect.signature(method)
        except (ValueError, TypeError):
            continue
        parameters = list(found.parameters.values())[1:]
        own = found.replace(parameters=parameters)
        if not _is_variadic(own):
            return own
    return None


def display_name(target: Any) -> str:
    """Return how messages call a target."""
    for name in ("__qualname__", "qualname", "__name__"):
        found = getattr(target, name, None)
        if isinstance(found, str):
            return found
    wrapped = getattr(target, "func", None)
    name = type(target).__qualname__
    return f"{name}({display_name(wrapped)})" if callable(wrapped) else name
