"""An executor as people may see it: what is not as by default, and no secrets."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import shown
from nemo_run.masking import mask

if TYPE_CHECKING:
    from nemo_run.execution import Executor

_LONGEST = 2000


def text_of(executor: Executor) -> str:
    """Return an executor's class and those of its fields that are not as by default."""
    fields = [
        f"{field.name}={shown(_covered(field.name, getattr(executor, field.name)), _LONGEST)}"
        for field in dataclasses.fields(executor)
        if field.init and getattr(executor, field.name) != _default(field)
    ]
    return f"{type(executor).__name__}({', '.join(fields)})"


def _covered(name: str, value: Any) -> Any:
    """Return a value with the texts covered whose names tell that they are secret."""
    if isinstance(value, str):
        return mask(name, value)
    if isinstance(value, dict):
        return {key: _covered(str(key), one) for key, one in value.items()}
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default
