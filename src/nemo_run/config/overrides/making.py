"""A value for what is unset, so that its parts can be set: ``model.width=1`` makes a model."""

from __future__ import annotations

import inspect
from collections import abc
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives, is_kind, kind_of
from nemo_run.config.checks.annotations import display
from nemo_run.config.factories import default_of, suggestion
from nemo_run.config.graph.node import Config
from nemo_run.exceptions import OverrideError

from .hints import typed_dict_of

if TYPE_CHECKING:
    from .owner import Owner

_LISTS = (list, abc.Sequence, abc.Iterable)


def made(hint: Any, owner: Owner) -> Any:
    """Return an empty value of an annotation: a configuration, a dict or a list.

    The factory that is registered as the default comes first.

    Args:
        hint: The annotation.
        owner: Whose argument it is.

    Raises:
        OverrideError: The annotation does not say what could have parts.
    """
    from .resolving import call_factory

    factory = default_of(hint, owner.target, owner.argument)
    if factory is not None:
        return call_factory(factory)
    if typed_dict_of(hint) is not None:
        return {}
    for one in alternatives(hint):
        if is_kind(one, abc.Mapping):
            return {}
        if any(kind_of(one) is kind for kind in _LISTS):
            return []
        kind = kind_of(one)
        if isinstance(kind, type) and kind.__module__ != "builtins" and not _is_value(kind):
            return _config(kind, hint, owner)
    raise OverrideError(f"it is not set, and {_expected(hint)} has no parts. Set it as a whole.")


def _config(kind: type, hint: Any, owner: Owner) -> Config[Any]:
    if inspect.isabstract(kind) or getattr(kind, "_is_protocol", False):
        from nemo_run.config.factories import fitting

        fits = fitting(hint, owner.target, owner.argument)
        raise OverrideError(
            f"it is not set, and {kind.__qualname__} is abstract, so say which one first."
            f"{suggestion('', fits)}"
        )
    return Config(kind)


def _is_value(kind: type) -> bool:
    """Whether a class is one of the standard library's values, that are given as a whole."""
    import sys

    return kind.__module__.partition(".")[0] in sys.stdlib_module_names


def _expected(hint: Any) -> str:
    return "what it may be" if hint is Any else display(hint)
