"""What the values of configurations are made of, and why some have no written form.

The types that results have as well are described in :mod:`nemo_run.worker.worker`; these are the
others. A type is looked up by its name, so that none of these modules is imported for a type
that no value has.
"""

from __future__ import annotations

import builtins
import sys
import types
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.reference import Reference
from nemo_run.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TAG = worker.TAG
CannotTravel = worker.CannotTravel


def describe(value: Any) -> Any:
    """Return the parts of a value that is no node.

    Raises:
        CannotTravel: It has no written form; the message says why and what to do.
    """
    kind = type(value)
    found = _DESCRIBERS.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    if found is not None:
        return found(value)
    library = kind.__module__.partition(".")[0]
    if library == "numpy":
        return _numpy(value)
    if library == "typing":
        return _typing(value)
    if isinstance(value, type):
        return _by_name(value)
    try:
        return worker.describe(value)
    except worker.NoWrittenForm:
        return _last_resort(value)


def name_of(value: Any) -> str:
    """Return ``module:qualname`` of a function, class or other object that can be imported.

    Raises:
        CannotTravel: There is no such name.
    """
    if not isinstance(value, Reference):
        special = _special_name(value)
        if special:
            return special
        try:
            value = Reference.of(value)
        except ValueError as error:
            raise CannotTravel(_sentence(str(error))) from None
    return f"{value.module}:{value.qualname}"


def _special_name(value: Any) -> str | None:
    """Return the name of an object that is not where it says it is."""
    if value is ... or value is NotImplemented:
        return f"builtins:{value!r}"
    if isinstance(value, type) and value.__module__ == "builtins":
        # ``types.FunctionType`` says that it is ``builtins.function``.
        if getattr(builtins, value.__qualname__, None) is value:
            return None
        return next((f"types:{n}" for n, found in vars(types).items() if found is value), None)
    return None


def _by_name(value: Any) -> dict[str, Any]:
    return {TAG: "object", "name": name_of(value)}


def _method(value: Any) -> dict[str, Any]:
    owner, name = value.__self__, value.__name__
    if owner is None or isinstance(owner, (type, types.ModuleType)):
        return _by_name(value)
    if getattr(owner, name, None) != value:
        raise CannotTravel(f"It is a method that {type(owner).__qualname__} does not call {name}.")
    return {TAG: "method", "name": name, "items": [owner]}


def _operator(value: Any) -> dict[str, Any]:
    # These three say how they were made, and nothing else does.
    make, arguments = value.__reduce__()
    keywords = getattr(make, "keywords", {})
    if keywords:
        arguments = (*make.args, *arguments)
    parts = {TAG: type(value).__name__, "items": arguments}
    return {**parts, "fields": keywords} if type(value).__name__ == "methodcaller" else parts


def _module(value: types.ModuleType) -> dict[str, Any]:
    if sys.modules.get(value.__name__) is not value:
        raise CannotTravel("It is a module that cannot be imported by its name.")
    return {TAG: "module", "name": value.__name__}


def _generic(value: Any) -> dict[str, Any]:
    """Parts of what subscribing gives: ``list[int]``, ``typing.Optional[str]``, ``Model[T]``."""
    import typing

    origin = getattr(value, "__origin__", None)
    arguments: Sequence[Any] = typing.get_args(value)
    if hasattr(value, "__metadata__"):
        origin, arguments = typing.Annotated, (value.__origin__, *value.__metadata__)
    elif type(value).__module__ == "typing":
        origin = _special_form(value, origin)
    parts = {TAG: "generic", "items": [origin, list(arguments)]}
    try:
        same = worker.MAKERS["generic"](parts) == value
    except TypeError:
        same = False
    if not same:
        raise CannotTravel("It is a type expression of a kind that cannot be written.")
    return parts


def _special_form(value: Any, origin: Any) -> Any:
    """Return what was subscribed to get a value of :mod:`typing`."""
    import typing

    name = getattr(value, "_name", None)
    if origin is typing.Union or name is None:
        return origin
    return getattr(typing, name, origin)


def _typing(value: Any) -> dict[str, Any]:
    import typing

    if isinstance(value, typing.ForwardRef):
        return {TAG: "forwardref", "value": value.__forward_arg__}
    name = getattr(value, "_name", None)
    if not hasattr(value, "__args__") and name and getattr(typing, name, None) is value:
        return {TAG: "object", "name": f"typing:{name}"}
    if hasattr(value, "__origin__") and hasattr(value, "__args__"):
        return _generic(value)
    return _by_name(value)


def _numpy(value: Any) -> dict[str, Any]:
    numpy: Any = sys.modules["numpy"]
    if isinstance(value, numpy.dtype):
        return _numpy_dtype(numpy, value)
    if isinstance(value, numpy.ndarray):
        raise CannotTravel(
            "It is an array. Save it with numpy.save and give the path, or make it in the job: "
            "run.Config(np.array, [...])."
        )
    if isinstance(value, numpy.generic):
        name = type(value).__name__
        return {
            TAG: "numpy",
            # numpy.bool_ has the name in every version; numpy.bool went and came back.
            "name": "bool_" if name == "bool" else name,
            "items": _numpy_scalar(numpy, value),
        }
    return _by_name(value)


def _numpy_scalar(numpy: Any, value: Any) -> list[Any]:
    if isinstance(value, (numpy.datetime64, numpy.timedelta64)):
        unit, count = numpy.datetime_data(value.dtype)
        amount = str(value) if isinstance(value, numpy.datetime64) else int(value.view("int64"))
        if numpy.isnat(value):
            amount = "NaT"
        return [amount, unit if count == 1 else f"{count}{unit}"]
    item = value.item()
    if isinstance(item, (bool, int, float, complex, str, bytes)):
        return [item]
    if isinstance(value, numpy.floating):
        return [numpy.format_float_scientific(value, unique=True)]
    raise CannotTravel(f"A {type(value).__name__} of NumPy has no written form.")


def _numpy_dtype(numpy: Any, value: Any) -> dict[str, Any]:
    form = value.descr if value.names else value.str
    if not value.names and numpy.dtype(value.name) == value:
        form = value.name
    if numpy.dtype(form) != value:
        raise CannotTravel("It is a NumPy dtype that its description does not give back.")
    return {TAG: "numpy.dtype", "items": [form]}


def _script(value: Any) -> dict[str, Any]:
    return {TAG: "script", "fields": dict(vars(value))}


def _secret(value: Any) -> dict[str, Any]:
    where = {name: getattr(value, name) for name in ("env", "file", "keyring")}
    return {TAG: "secret", "of": value.name, **{n: v for n, v in where.items() if v is not None}}


_DESCRIBERS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        [
            "builtins.function",
            "builtins.type",
            "builtins.method_descriptor",
            "builtins.wrapper_descriptor",
            "builtins.ellipsis",
            "builtins.NotImplementedType",
        ],
        _by_name,
    ),
    **dict.fromkeys(
        ["builtins.method", "builtins.builtin_function_or_method", "builtins.method-wrapper"],
        _method,
    ),
    "builtins.module": _module,
    "types.GenericAlias": _generic,
    "collections._CallableGenericAlias": _generic,
    "types.UnionType": lambda value: {TAG: "union", "items": list(value.__args__)},
    "typing.Union": lambda value: {TAG: "union", "items": list(value.__args__)},
    **{f"operator.{name}": _operator for name in ("itemgetter", "attrgetter", "methodcaller")},
    "nemo_run.Script": _script,
    "nemo_run.Secret": _secret,
    "nemo_run.LazyTarget": _by_name,
    "nemo_run.LazyModule": lambda value: {TAG: "module", "name": value.__name__},
}


# --- What cannot travel -----------------------------------------------------------------------


def _last_resort(value: Any) -> dict[str, Any]:
    """Write a value as the name it has in a module, where it has one; else say what to do."""
    named = isinstance(getattr(value, "__qualname__", None), str)
    # A generator or coroutine has the name of the function that made it.
    if named and not hasattr(value, "__next__") and not hasattr(value, "send"):
        return _by_name(value)
    raise CannotTravel(_advice(value))


def _advice(value: Any) -> str:
    kind = type(value)
    wrap = f"Wrap it: run.Config({kind.__qualname__}, ...)."
    base = next((b for b in _BUILT_IN if isinstance(value, b)), None)
    if base is not None:
        return f"It is of a subclass of {base.__name__}, which would be lost. {wrap}"
    if hasattr(value, "read") and hasattr(value, "close"):
        return "It is an open file. Give its path, and open it in the task."
    if kind.__module__.lstrip("_") in ("thread", "threading", "socket", "asyncio", "queue"):
        return f"It belongs to this process. Make it in the task, or wrap it. {wrap}"
    if hasattr(value, "__next__"):
        return "It is an iterator, which can be read once. Make it a list."
    if kind.__module__.partition(".")[0] in ("torch", "jax", "jaxlib"):
        return "It is a tensor or lives on one. Save it and give the path, or make it in the task."
    return f"It is an object that only its own code can make. {wrap}"


_BUILT_IN = (bool, int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


def explanation(problems: Sequence[tuple[str, Any, str]], where: str) -> str:
    """Return the sentences of an error about values that cannot travel."""
    refusal = "cannot be written to a file and read back in the job"
    if len(problems) == 1:
        path, value, why = problems[0]
        place = ": ".join(filter(None, [where, path or "the configuration itself"]))
        return f"{place} {refusal}: it is {_shown(value)}. {_sentence(why)}"
    start = f"{len(problems)} values of {where or 'the configuration'} {refusal}:"
    lines = [f"  {path}: {_shown(value)}. {_sentence(why)}" for path, value, why in problems]
    return "\n".join([start, *lines])


def _shown(value: Any) -> str:
    kind = type(value)
    return f"{worker.safe_repr(value, 80)}, of type {kind.__module__}.{kind.__qualname__}"


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!")) else f"{text}."
