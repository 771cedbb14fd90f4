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
        is_final: Whether no other alternative of a union can be meant.
    """

    def __init__(self, says: str, path: str = "", *, is_final: bool = False) -> None:
        super().__init__(f"{path}: {says}" if path else says)
        self.says = says
        self.path = path
        self.is_final = is_final

    def inside(self, step: str) -> RefusedError:
        """Return the same refusal as seen from around ``step``."""
        return RefusedError(self.says, step + self.path, is_final=self.is_final)

    def final(self) -> RefusedError:
        """Return the same refusal, after which no other alternative is tried."""
        return RefusedError(self.says, self.path, is_final=True)


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
