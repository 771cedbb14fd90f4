"""The imports that a Python program makes, as they are written. Pure."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes:
        name: ``mylib.data``, or ``.data`` of a relative one.
        names: What ``from … import`` takes, which may be modules; empty for ``import …``.
        guarded: Whether the program goes on where it fails.
    """

    name: str
    names: tuple[str, ...] = ()
    guarded: bool = False


def imports_of(text: str, *, is_main: bool = False) -> list[Import]:
    """Return the imports of a program, wherever they stand in it.

    Args:
        text: The program. One that is not Python, or not of this version, has none.
        is_main: Whether it is run, so that what is below ``if __name__ == "__main__"`` counts.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return list(_walk(tree.body, is_main=is_main, guarded=False))


def _walk(body: Sequence[ast.AST], *, is_main: bool, guarded: bool) -> Iterator[Import]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, guarded=guarded) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            yield Import(name, tuple(alias.name for alias in node.names), guarded)
        elif isinstance(node, ast.If) and _is_skipped(node.test, is_main=is_main):
            yield from _walk(node.orelse, is_main=is_main, guarded=guarded)
        elif isinstance(node, ast.Try):
            may_fail = guarded or any(map(_catches, node.handlers))
            yield from _walk(node.body, is_main=is_main, guarded=may_fail)
            rest = [*node.handlers, *node.orelse, *node.finalbody]
            yield from _walk(rest, is_main=is_main, guarded=guarded)
        elif isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            inner = list(ast.iter_child_nodes(node))
            yield from _walk(inner, is_main=is_main, guarded=guarded)


def _is_skipped(test: ast.expr, *, is_main: bool) -> bool:
    """Whether the body below a test is for type checkers, or for the main program only."""
    text = ast.unparse(test)
    if text in ("TYPE_CHECKING", "typing.TYPE_CHECKING", "False"):
        return True
    return not is_main and text in ("__name__ == '__main__'", "'__main__' == __name__")


def _catches(handler: ast.ExceptHandler) -> bool:
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    return any(one is None or ast.unparse(one) in _CATCHES for one in caught)
