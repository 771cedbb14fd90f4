"""The parameters of a callable as people see them: for help and for completion."""

from __future__ import annotations

import inspect
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives
from nemo_run.config.checks.annotations import display
from nemo_run.config.checks.hints import hints_of
from nemo_run.config.graph.reference import Deferred, Reference
from nemo_run.config.graph.signature import signature_info

from .docstrings import docstring_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOTHING = inspect.Parameter.empty
"""What stands where there is no annotation or no default."""

_LONGEST = 60
_MOST_CHOICES = 12


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        name: Its name; ``*args`` and ``**kwargs`` with their stars.
        hint: Its annotation, :data:`NOTHING` if it has none that can be read.
        written: The annotation as it is shown; empty if there is none.
        default: Its default, or NOTHING.
        shown: The default as it is shown; empty if there is none.
        text: What its annotation or the docstring says.
    """

    name: str
    hint: Any = NOTHING
    written: str = ""
    default: Any = NOTHING
    shown: str = ""
    text: str = ""

    @property
    def required(self) -> bool:
        """Whether a value has to be given."""
        return self.default is NOTHING and not self.name.startswith("*")


def parameters_of(target: Any) -> list[Parameter]:
    """Return the parameters of a callable, or of the target of a configuration.

    Args:
        target: Anything callable, or a Config or Partial, whose arguments are then the defaults.
    """
    from nemo_run.config.graph.node import is_node

    if is_node(target):
        return _of_node(target)
    found = signature_info(target).parameters
    hints, texts = hints_of(target), docstring_of(target).arguments
    made = _default_factories(target)
    return [
        _parameter(parameter, hints, texts, made)
        for parameter in found.values()
        if not _is_context(hints.get(parameter.name, parameter.annotation))
    ]


def _of_node(node: Any) -> list[Parameter]:
    from dataclasses import replace

    arguments = node.__arguments__
    rows = []
    for row in parameters_of(node.__fn_or_cls__):
        if row.name in arguments:
            value = arguments[row.name]
            rows.append(replace(row, default=value, shown=_value_text(value, row.hint)))
        else:
            rows.append(row)
    return rows


def _value_text(value: Any, hint: Any) -> str:
    """Return a value, short; of the class that is expected anyway, as ``{…}``."""
    from nemo_run.config.graph.node import is_node

    if is_node(value) and hint is not NOTHING and [value.__fn_or_cls__] == alternatives(hint):
        return "{…}" if value.__arguments__ else "{}"
    return default_text(value)


def _parameter(
    parameter: inspect.Parameter,
    hints: Mapping[str, Any],
    texts: Mapping[str, str],
    made: Mapping[str, str],
) -> Parameter:
    name = parameter.name
    hint = hints.get(name, NOTHING)
    default = parameter.default
    kinds: dict[Any, str] = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
    stars = kinds.get(parameter.kind, "")
    return Parameter(
        stars + name,
        hint,
        type_text(parameter.annotation if hint is NOTHING else hint),
        default,
        made.get(name) or _filled(hint, default) or default_text(default),
        text_of_annotation(hint) or texts.get(name, ""),
    )


def _default_factories(target: Any) -> dict[str, str]:
    """Return what the ``default_factory`` of each field of a dataclass makes, as text."""
    kind = typing.get_origin(target) or target
    fields = getattr(kind, "__dataclass_fields__", {}) if isinstance(kind, type) else {}
    made = {name: getattr(field, "default_factory", None) for name, field in dict(fields).items()}
    return {name: _call_text(make) for name, make in made.items() if callable(make)}


def _call_text(make: Any) -> str:
    return {list: "[]", dict: "{}"}.get(make) or f"{_name_of(make) or '<factory>'}()"


def _filled(hint: Any, default: Any) -> str:
    """Return what an OptionalDefaultConfig is filled with where it is left out."""
    if default is not None:
        return ""
    from nemo_run.config.graph.node import Node

    for extra in getattr(hint, "__metadata__", ()):
        kind = typing.get_origin(extra)
        if isinstance(kind, type) and issubclass(kind, Node):
            return f"{_name_of(typing.get_args(extra)[0])}()"
    return ""


def _is_context(hint: Any) -> bool:
    """Whether a parameter gets the context of the run, which nobody types."""
    if isinstance(hint, str):  # a name that cannot be looked up from here
        return hint.rpartition(".")[2] == "RunContext"
    kinds = hint.__mro__ if isinstance(hint, type) else ()
    return any(
        kind.__name__ == "RunContext" and kind.__module__.startswith("nemo_run.") for kind in kinds
    )


def type_text(hint: Any) -> str:
    """Return an annotation as people write it; whatever it is, this raises nothing."""
    if hint is NOTHING:
        return ""
    if isinstance(hint, str):
        return hint.strip("'\"")
    if isinstance(hint, typing.TypeVar):
        return hint.__name__
    if inspect.isroutine(hint):  # ``callable``, where ``Callable`` was meant
        return _name_of(hint)
    try:
        return " ".join(display(hint).split())
    except Exception:  # noqa: BLE001 - an annotation can be any object of the user's
        return type(hint).__qualname__


def text_of_annotation(hint: Any) -> str:
    """Return the text in ``Annotated[int, "text"]``."""
    texts = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, str)]
    documented = [
        extra.documentation
        for extra in getattr(hint, "__metadata__", ())
        if isinstance(getattr(extra, "documentation", None), str)  # typing_extensions.Doc
    ]
    return " ".join(" ".join([*texts, *documented]).split())


def choices_text(hint: Any) -> str:
    """Return the sentence that lists the members of an enum."""
    import enum

    names = [
        name
        for kind in ([] if hint is NOTHING else alternatives(hint))
        if isinstance(kind, type) and issubclass(kind, enum.Enum)
        for name in kind.__members__
    ]
    more = ", …" if len(names) > _MOST_CHOICES else "."
    return f"One of {', '.join(names[:_MOST_CHOICES])}{more}" if names else ""


def default_text(value: Any) -> str:
    """Return a default, short; whatever it is, this raises nothing."""
    from nemo_run.config.graph.node import is_node, target_name

    if value is NOTHING:
        return ""
    if is_node(value):  # what is in it is shown below it
        return f"{target_name(value).rpartition('.')[2]}({'…' if value.__arguments__ else ''})"
    if type(value) in (list, tuple) and any(map(is_node, value)):
        items = ", ".join(map(default_text, value))
        return f"[{items}]" if isinstance(value, list) else f"({items})"
    if isinstance(value, (Reference, Deferred)) or callable(value):
        name = _name_of(value)
        if name:
            return name
    text = _repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _name_of(value: Any) -> str:
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return name.replace("<lambda>", "lambda") if isinstance(name, str) else ""


def _repr(value: Any) -> str:
    import enum
    import os

    try:
        if isinstance(value, enum.Enum):
            return f"{type(value).__name__}.{value.name}"
        if isinstance(value, os.PathLike):
            return str(value)
        if isinstance(value, (str, bytes)) and len(value) > _LONGEST:
            return repr(value[: _LONGEST + 1])
        if isinstance(value, (list, tuple, set, frozenset, dict)) and len(value) > _LONGEST:
            return f"<{type(value).__qualname__} of {len(value)} items>"
        return " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a __repr__ of the user's may raise anything
        return f"<{type(value).__qualname__}>"


# --- What is inside a parameter ---------------------------------------------------------------


def classes_inside(hint: Any) -> list[type]:
    """Return the classes of an annotation that a configuration can be made of."""
    return [kind for kind in alternatives(hint) if _is_configurable(kind)]


def _is_configurable(kind: Any) -> bool:
    import enum
    import sys

    if not isinstance(kind, type) or typing.get_origin(kind) is not None:
        return False
    if hasattr(kind, "__dataclass_fields__"):
        return True
    if issubclass(kind, enum.Enum) or getattr(kind, "_is_protocol", False):
        return False
    if hasattr(kind, "__total__") and issubclass(kind, dict):  # a TypedDict
        return False
    return kind.__module__.partition(".")[0] not in sys.stdlib_module_names


def parameters_inside(parameter: Parameter) -> list[Parameter]:
    """Return the parameters below one: those of its default, or of the classes it may be of."""
    from nemo_run.config.graph.node import is_node

    value = parameter.default
    if is_node(value):
        return [row for row in parameters_of(value) if not row.name.startswith("*")]
    found: dict[str, Parameter] = {}
    for kind in classes_inside(parameter.hint):
        for row in _fields_with(kind, value):
            found.setdefault(row.name, row)
    return list(found.values())


def _fields_with(kind: type, value: Any) -> Iterator[Parameter]:
    """Yield the parameters of a class; those of a default of that class as it has them."""
    from dataclasses import replace

    own = vars(value) if isinstance(value, kind) and hasattr(value, "__dict__") else {}
    dataclass_ = hasattr(kind, "__dataclass_fields__")
    for row in parameters_of(kind):
        if row.name.startswith("*"):
            continue
        if dataclass_ and row.name in own:
            yield replace(row, default=own[row.name], shown=default_text(own[row.name]))
        else:
            yield row
