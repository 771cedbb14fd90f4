"""What was read from a file: plain data, and where each part stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Source:
    """Plain data with its origin.

    Attributes:
        data: Dicts, lists, numbers, text, booleans, dates and None.
        file: The file, as it was named; None for a text.
        lines: The line of a part by its path, a tuple of keys and indices. Parts of what stands
            on one line need not be there; see :meth:`line`.
    """

    data: Any
    file: str | None = None
    lines: Mapping[tuple[Any, ...], int] = field(default_factory=dict)

    def line(self, path: tuple[Any, ...]) -> int | None:
        """Return the line on which a part stands, or the one that it is inside of."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)

    def fault(self, message: str, path: tuple[Any, ...] = ()) -> OverrideError:
        """Return the error about a part."""
        return fault(message, self.file, self.line(path))


def fault(message: str, file: str | None, line: int | None = None) -> OverrideError:
    """Return an error that begins with the file and the line, as editors read it."""
    place = f"{file}:{line}" if file and line else file or (f"line {line}" if line else "")
    return OverrideError(f"{place}: {message}" if place else message)
