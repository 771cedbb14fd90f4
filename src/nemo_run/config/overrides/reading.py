"""The value of an override, by the annotation of the place that it goes to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import is_text
from nemo_run.exceptions import OverrideError

from .grammar import MISSING
from .resolving import resolver

if TYPE_CHECKING:
    from .grammar import Override
    from .places import Place
    from .resolving import Resolving

_FILE = re.compile(r"(.+\.(?:ya?ml|toml|json))(?::[^:/]+)?\Z")


def value_of(override: Override, place: Place, hint: Any) -> Any:
    """Return the value that an override gives.

    Args:
        override: Its text, or its data.
        place: Where it goes.
        hint: What it is read as.

    Raises:
        OverrideError: It is no such value.
    """
    resolve = resolver(place.target, place.argument)
    try:
        return _read(override, place, hint, resolve)
    except OverrideError as error:
        if _names_file(override):
            raise OverrideError(
                f"{override.text!r} is a file. Write {override.key}=@{override.text} to read it."
            ) from error.__cause__
        advice = resolve.advice()
        if not advice:
            raise
        raise OverrideError(f"{error}{advice}") from error.__cause__


def _names_file(override: Override) -> bool:
    """Tell whether a value that is none is a configuration's file, or a section of one."""
    found = _FILE.match(override.text or "")
    return found is not None and not override.inside_call and Path(found[1]).is_file()


def _read(override: Override, place: Place, hint: Any, resolve: Resolving) -> Any:
    from nemo_run.config.files.settling import fitted
    from nemo_run.config.values import parse

    if override.data is not MISSING:
        return fitted(override.data, hint, resolve)
    text = override.text or ""
    if override.inside_call:
        return parse.parse_item(text, hint, resolve)
    if text.startswith("@") and not is_text(hint):
        from nemo_run.config.files.layers import read_file_value

        return fitted(read_file_value(text, place.argument, place.target), hint, resolve)
    return parse.parse(text, hint, resolve)
