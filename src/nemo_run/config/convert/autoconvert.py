"""Functions that return objects, turned into functions that return configurations.

What becomes of the calls in such a function is said in :mod:`nemo_run.config.convert.conversion`.
"""

from __future__ import annotations

import functools
import re
from contextvars import ContextVar
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, overload

from nemo_run.config.graph.copying import recast
from nemo_run.config.graph.defaults import converted
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config, Partial, is_node
from nemo_run.exceptions import AutoconvertError, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from .rewriting import Rewritten

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# Whether an autoconverted function is running: what another one returns to it is its own affair.
_inside: ContextVar[bool] = ContextVar("nemo_run_autoconvert", default=False)


class AutoConfigProtocol(Protocol[T_co]):
    """What :func:`autoconvert` returns.

    Attributes:
        wrapped: The function as it was written.
        __auto_config__: Always true.
    """

    wrapped: Callable[..., Any]
    __auto_config__: bool

    def __call__(self, *args: Any, **kwargs: Any) -> T_co:
        """Return the configuration of what the function would return."""


def default_autoconfig_buildable(
    fn: Callable[P, T], cls: type[Config[T] | Partial[T]], *args: P.args, **kwargs: P.kwargs
) -> Config[T] | Partial[T]:
    """Run ``fn`` with its calls turned into configurations.

    Args:
        fn: A function as it was written.
        cls: What the root shall be: ``Config`` or ``Partial``.
        *args: Arguments of ``fn``.
        **kwargs: Keyword arguments of ``fn``.

    Raises:
        AutoconvertError: Something in ``fn`` cannot be converted. The message shows the line.
    """
    from inspect import unwrap

    from .conversion import Converter

    function: Any = unwrap(fn)
    if type(function) is not FunctionType:
        raise AutoconvertError(
            f"{shown(function)} is no Python function, so autoconvert cannot read it. Write one "
            "that calls it and decorate that."
        )
    code = function.__code__
    rewritten = _rewritten(code.co_filename, code, function.__qualname__)
    run = rewritten.function(function, Converter(rewritten))
    nested = _inside.get()
    token = _inside.set(True)
    try:
        with setting("factory"):
            result = run(*args, **kwargs)
    except (TypeError, AttributeError) as error:
        explained = _explained(error, rewritten)
        if explained is None:
            raise
        raise explained from error
    finally:
        _inside.reset(token)
    return cast("Config[T] | Partial[T]", _root(result, cls, fn, nested=nested))


@overload
def autoconvert(
    fn: Callable[P, T],
    *,
    partial: bool = ...,
    to_buildable_fn: Callable[..., Any] = ...,
) -> Callable[P, Config[T]]: ...


@overload
def autoconvert(
    fn: None = None,
    *,
    partial: bool = ...,
    to_buildable_fn: Callable[..., Any] = ...,
) -> Callable[[Callable[P, T]], Callable[P, Config[T]]]: ...


def autoconvert(
    fn: Any = None,
    *,
    partial: bool = False,
    to_buildable_fn: Callable[..., Any] = default_autoconfig_buildable,
) -> Any:
    """Make a function return the configuration of what it would return.

    ::

        @run.autoconvert
        def layers(n: int) -> list[Layer]:
            return [Layer(width=2**i) for i in range(n)]

        layers(2)  # [Config(Layer, width=1), Config(Layer, width=2)]

    Loops, conditions, comprehensions and local variables work as ever. Calls of classes and
    functions become configurations; builtins and the standard library are evaluated.

    Args:
        fn: The function. Without it, the decorator with these options is returned.
        partial: Return a ``Partial`` instead of a ``Config``.
        to_buildable_fn: What does the work, called with the function, the class of the root and
            the arguments.

    Raises:
        AutoconvertError: When the result is called: something cannot be converted. The message
            shows the line and the way out.
    """
    if fn is None:
        return functools.partial(autoconvert, partial=partial, to_buildable_fn=to_buildable_fn)
    if isinstance(fn, (classmethod, staticmethod)):
        inner = autoconvert(fn.__func__, partial=partial, to_buildable_fn=to_buildable_fn)
        return type(fn)(inner)
    if getattr(fn, "__auto_config__", False) and not partial:
        return fn
    cls: type[Any] = Partial if partial else Config

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return to_buildable_fn(fn, cls, *args, **kwargs)

    made: Any = wrapper
    made.wrapped = fn
    made.__auto_config__ = True
    _annotate(made, fn, cls)
    return made


@functools.lru_cache(maxsize=1024)
def _rewritten(_file: str, code: CodeType, qualname: str) -> Rewritten:
    # Equal code may stand in two files, which messages and histories tell apart.
    from .rewriting import rewrite

    return rewrite(code, qualname)


def _root(result: Any, cls: type[Any], fn: Callable[..., Any], *, nested: bool) -> Any:
    """Return ``result`` as a root: a node, or a list, tuple or dict of them."""
    result = converted(result)
    if is_node(result):
        return _cast(cls, result)
    if isinstance(result, (list, tuple)):
        items = [_root(item, cls, fn, nested=True) for item in result]
        return type(result)(items) if not hasattr(result, "_make") else result._make(items)
    if isinstance(result, dict):
        return {key: _root(item, cls, fn, nested=True) for key, item in result.items()}
    if nested:
        return result
    code = getattr(fn, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}: " if code else ""
    raise AutoconvertError(
        f"{place}{getattr(fn, '__qualname__', fn)} returned {shown(result)}, from which no "
        "configuration can be made. Return an object, or a list, tuple or dict of objects; a "
        "function that returns a plain value needs no autoconvert."
    )


def _cast(cls: type[Any], node: Any) -> Any:
    if cls is Config or not isinstance(node, Config):
        return node  # a Partial that was written as one stays one
    return recast(node, cls)


def _explained(error: Exception, rewritten: Rewritten) -> Exception | None:
    """Return a better error when Python refused to use a configuration like a value."""
    from nemo_run.exceptions import ConfigError

    from .rewriting import Site

    if isinstance(error, ConfigError) or not re.search(r"'(Config|Partial)'", str(error)):
        return None
    codes = {rewritten.code, *rewritten.inner}
    found: TracebackType | None = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code in codes:
            found = step
        step = step.tb_next
    if found is None:
        return None
    code = found.tb_frame.f_code
    line, start, end = _position(found)
    return Site(code.co_filename, line, start, end).error(
        f"a configuration is used here like a value ({error}).",
        "It is made later, in the job. Compute the value with plain Python, or move this into "
        "the function that is called.",
    )


def _position(step: TracebackType) -> tuple[int, int | None, int | None]:
    positions = getattr(step.tb_frame.f_code, "co_positions", None)  # Python 3.11
    if positions is not None:
        line, end_line, start, end = list(positions())[step.tb_lasti // 2]
        if line == step.tb_lineno and end_line == line:
            return line, start, end
    return step.tb_lineno, None, None


def _annotate(wrapper: Any, fn: Callable[..., Any], cls: type[Any]) -> None:
    """Say in the signature that a configuration is returned."""
    from inspect import signature

    if not callable(fn):
        raise AutoconvertError(
            f"{shown(fn)} is no Python function, so autoconvert cannot read it. Write @autoconvert "
            "above a function."
        )
    found = signature(fn)
    returns = _wrapped(found.return_annotation, cls)
    wrapper.__signature__ = found.replace(return_annotation=returns)
    if "return" in wrapper.__annotations__:
        wrapper.__annotations__ = {**wrapper.__annotations__, "return": returns}


def _wrapped(hint: Any, cls: type[Any]) -> Any:
    from inspect import Signature
    from typing import get_args, get_origin

    if hint is Signature.empty or hint is None or isinstance(hint, TypeVar):
        return hint
    if isinstance(hint, str):
        # A text is only read when somebody asks; what it is can be told by its looks.
        plain = re.fullmatch(r"[\w.]+(\[.*\])?", hint) and not re.match(
            r"(typing\.)?(list|List|dict|Dict|tuple|Tuple|None|[\w.]*\b(Config|Partial))\b", hint
        )
        return cls[hint] if plain else hint
    origin = get_origin(hint)
    if is_node_class(hint) or is_node_class(origin):
        return hint
    if origin in (list, tuple):
        return origin[
            tuple(part if part is ... else _wrapped(part, cls) for part in get_args(hint))
        ]
    if origin is dict:
        key, value = get_args(hint)
        return origin[key, _wrapped(value, cls)]
    return cls[hint]


def is_node_class(hint: Any) -> bool:
    """Whether an annotation is ``Config`` or ``Partial``."""
    return isinstance(hint, type) and issubclass(hint, (Config, Partial))
