"""The value of an override, by the annotation of the place that it goes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import is_text

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
    from nemo_run.config.values import parse

    resolve = resolver(place.target, place.argument)
    if override.data is not MISSING:
        return parse.convert(override.data, hint, resolve)
    text = override.text or ""
    if override.inside_call:
        return parse.parse_item(text, hint, resolve)
    if text.startswith("@") and not is_text(hint):
        from nemo_run.config.files.layers import read_file_value

        return parse.convert(read_file_value(text), hint, resolve)
    return parse.parse(text, hint, resolve)
