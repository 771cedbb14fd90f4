"""The history of an IPython session as one program. Pure, but for the magics it may expand."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.packaging.statements import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Magics that run the text after them in the session, so that what it defines stays.
_TRANSPARENT = {"capture", "prun", "time"}


@dataclass(frozen=True)
class Session:
    """Cells in the order in which they ran.

    Attributes:
        text: One program; each cell under a comment that says its number.
        last_cell_line: The line of ``text`` on which the last cell starts.
        last_cell_is_magic: Whether the last cell runs inside a magic (``%%time``), which counts
            its lines anew.
    """

    text: str
    last_cell_line: int
    last_cell_is_magic: bool = False


def join_cells(cells: Sequence[str], transform: Callable[[str], str]) -> Session:
    """Put the cells of a session under each other.

    Args:
        cells: Python text of each cell, its magics already turned into calls of
            ``get_ipython()`` (IPython's ``In``). Cell 0 is IPython's placeholder.
        transform: Turns raw cell text into such Python text (``InteractiveShell.transform_cell``).
    """
    futures: set[str] = set()
    parts: list[str] = []
    start, is_magic = 2, False
    for number, cell in enumerate(cells):
        body = _python_of(cell, transform, futures)
        if body is None:
            continue
        parts += [f"# In [{number}]", *body.split("\n"), ""]
        start = len(parts) - body.count("\n")
        is_magic = "run_cell_magic" in cell and "run_cell_magic" not in body
    # Python wants these first; in a session they hold for the cells that follow.
    first = f"from __future__ import {', '.join(sorted(futures))}" if futures else "# A notebook"
    return Session("\n".join([first, *parts]), start, is_magic)


def _python_of(cell: str, transform: Callable[[str], str], futures: set[str]) -> str | None:
    body = cell.strip("\n").replace("\r\n", "\n")
    try:
        tree = parse(body, "<cell>")
    except SyntaxError:
        return None  # IPython refused it as well, so that it never ran
    lines = body.split("\n")
    for node in tree.body:
        inner = _magic_text(node)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            futures.update(name.name for name in node.names)
            inner = ""
        elif inner is None:
            continue
        elif len(tree.body) == 1:
            return _python_of(transform(inner), transform, futures)
        if node.lineno == node.end_lineno and "\n" not in inner:
            lines[node.lineno - 1] = transform(inner).strip("\n") if inner else ""
    return "\n".join(lines)


def _magic_text(node: ast.stmt) -> str | None:
    """Return the program text that ``get_ipython().run_*_magic('time', …)`` runs."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return None
    values = [a.value for a in call.args if isinstance(a, ast.Constant)]
    if call.func.attr not in {"run_line_magic", "run_cell_magic"} or len(values) < 2:
        return None
    name, text = values[0], values[-1]
    return text if name in _TRANSPARENT and isinstance(text, str) else None
