"""The value of an override, by the annotation of the place that it goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.alternatives import is_text
from nemo_run.exceptions import OverrideError

from .grammar import MISSING
from .resolving import resolver

if TYPE_CHECKING:
    from .grammar import Override
    from .places import Place


def value_of(override: Override, place: Place, hint: Any) -> Any:
    """Return the value that an override gives.

    Args:
        override: Its text, or its data.
        place: Where it goes.
        hint: What it is read as.

    Raises:
        OverrideError: It is no such value.
    """
    try:
        return _read(override, place, hint)
    except OverrideError as error:
        raise OverrideError(f"{error}{_help(override.text, place, hint)}") from error.__cause__


def _read(override: Override, place: Place, hint: Any) -> Any:
    from nemo_run.config.files.settling import fitted
    from nemo_run.config.values import parse

    resolve = resolver(place.target, place.argument)
    if override.data is not MISSING:
        return fitted(override.data, hint, resolve)
    text = override.text or ""
    if override.inside_call:
        return parse.parse_item(text, hint, resolve)
    if text.startswith("@") and not is_text(hint):
        from nemo_run.config.files.layers import read_file_value

        return fitted(read_file_value(text, place.argument), hint, resolve)
    return parse.parse(text, hint, resolve)


def _help(text: str | None, place: Place, hint: Any) -> str:
    """Return which factories fit, where a name of none was given."""
    from nemo_run.config.values.syntax import read_call

    try:
        call = read_call(text or "")
    except OverrideError:
        return ""
    if call is None or factories.find(hint, call.name, place.target, place.argument):
        return ""
    fits = factories.fitting(hint, place.target, place.argument)
    return factories.suggestion(call.name, fits)
