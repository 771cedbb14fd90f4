"""Whose value is being set: the registered factories depend on it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Owner(NamedTuple):
    """A callable and the argument of it that a value goes to, or goes into.

    Attributes:
        target: The callable; None for a value that is nobody's argument.
        argument: Its parameter.
    """

    target: Any = None
    argument: str | None = None
