"""Parsers that programs give for classes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Parser = TypeVar("_Parser", bound=Callable[[str], Any])

_parsers: dict[type, Callable[[str], Any]] = {}


def register_parser(kind: type) -> Callable[[_Parser], _Parser]:
    """Register a function that makes values of a class from texts.

    It is used for parameters annotated with the class or with one derived from it, on the
    command line and in files. A ValueError or TypeError that it raises is shown to the user.

    Args:
        kind: The class.

    Raises:
        TypeError: ``kind`` is no class.

    Example:
        ::

            @register_parser(Shape)
            def shape(text: str) -> Shape:
                return Shape(*map(int, text.split("x")))
    """
    if not isinstance(kind, type):
        raise TypeError(f"register_parser takes a class, not {kind!r}. Write @register_parser(C).")

    def register(parser: _Parser) -> _Parser:
        _parsers[kind] = parser
        return parser

    return register


def parser_of(kind: Any) -> Callable[[str], Any] | None:
    """Return the parser registered for a class or for the nearest of its parents."""
    if not _parsers or not isinstance(kind, type):
        return None
    return next((_parsers[base] for base in kind.__mro__ if base in _parsers), None)
