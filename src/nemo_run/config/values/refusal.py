"""Why a value cannot be used, in a sentence that the caller puts the key in front of."""

from __future__ import annotations

from typing import Any

from nemo_run.exceptions import OverrideError

_SHORT = 60


class RefusedError(OverrideError):
    """A value that cannot be used.

    Attributes:
        says: The sentence.
        path: Where it is inside of the value given: ``[0]``, ``['k']``, or nothing.
    """

    def __init__(self, says: str, path: str = "") -> None:
        super().__init__(f"{path}: {says}" if path else says)
        self.says = says
        self.path = path

    def inside(self, step: str) -> RefusedError:
        """Return the same refusal as seen from around ``step``."""
        return RefusedError(self.says, step + self.path)


def shown(value: Any) -> str:
    """Return a value as messages show it."""
    if isinstance(value, (str, bytes)):
        cut = value[: _SHORT + 1]
        return repr(cut) if len(cut) <= _SHORT else f"{cut[: _SHORT - 3]!r}..."
    try:
        text = " ".join(repr(value).split())
    except Exception:  # noqa: BLE001 - a broken __repr__ must not hide the problem
        text = f"a {type(value).__qualname__}"
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
