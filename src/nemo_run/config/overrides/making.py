"""A value for what is unset, so that its parts can be set: ``model.width=1`` makes a model."""

from __future__ import annotations

import sys
import types
import typing
from collections import abc
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives, is_abstract, is_kind, is_partial, kind_of
from nemo_run.config.checks.annotations import UNIONS, display
from nemo_run.config.factories import default_of, fitting, suggestion
from nemo_run.config.graph.history import origin
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from .places import Place

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)


def made(place: Place, *, call: bool = True) -> Any:
    """Return an empty value for a place: a configuration, a dict or a list.

    The factory that is registered as the default comes first.

    Args:
        place: Where nothing is.
        call: Whether that factory may be called.

    Raises:
        OverrideError: The annotation does not say what could have parts.
    """
    hint = place.hint
    factory = default_of(hint, place.target, place.argument) if call else None
    if factory is not None:
        from .resolving import call_factory, fitted

        return fitted(call_factory(factory), factory, hint)
    for one in alternatives(hint):
        kind = kind_of(one)
        if is_kind(one, abc.Mapping):  # a TypedDict too
            return {}
        if kind in _LISTS:
            return []
        if isinstance(kind, types.FunctionType) or (isinstance(kind, type) and not _is_value(kind)):
            return _node(kind, place)
    if place.free or (not alternatives(hint) and (origin() or ("",))[0] == "file"):
        return {}  # a dict of anything; and a mapping in a file says what it is
    what = "nothing says what it may be, so it has" if hint is Any else f"{display(hint)} has"
    raise OverrideError(
        f"it is not set, and {what} no parts that can be set. Set it as a whole.{_meant(place)}"
    )


def _meant(place: Place) -> str:
    """Return which parameter an argument may have been meant for that goes to ``**options``."""
    if place.target is None or place.argument is None:
        return ""
    known = signature_info(place.target).keys
    return "" if place.argument in known else nearest(place.argument, known)


def _node(kind: Any, place: Place) -> Any:
    if is_abstract(kind):
        fits = fitting(place.hint, place.target, place.argument)
        raise OverrideError(
            f"it is not set, and {kind.__qualname__} is abstract. Say first which one it is."
            f"{suggestion('', fits)}"
        )
    return Partial(kind) if _wants_partial(place.hint) else Config(kind)


def _wants_partial(hint: Any) -> bool:
    parts = typing.get_args(hint) if typing.get_origin(hint) in UNIONS else (hint,)
    parts = (*parts, *getattr(hint, "__metadata__", ()))  # OptionalDefaultPartial
    return any(map(is_partial, parts))


def _is_value(kind: type) -> bool:
    """Whether a class is one of the standard library's values, that are given as a whole."""
    return kind.__module__.partition(".")[0] in sys.stdlib_module_names
