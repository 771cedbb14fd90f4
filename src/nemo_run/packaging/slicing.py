"""The part of a program that some of its names need. Pure: text in, text out.

The rule, for a script:

* imports (and ``try``, ``if`` and ``with`` blocks around them), functions, classes and settings
  that they may count on (``sys.path``, ``os.environ``, ``warnings``, ``logging``, seeds,
  attributes set on modules) are kept, unless they need any other statement, or this library,
  which is the launcher's;
* any other statement is kept only if it binds or changes a name that the wanted names need,
  directly or through the functions, decorators, defaults, bases and values they use;
* the main block, statements that launch, and statements that ask the user are never kept. If
  one is needed, that is an error which shows its line.

Of a notebook only settings and what is needed are kept, and of several definitions of a name the
last one. What a call does to its arguments (``fill(cache)``) is not seen; ``cache.append(1)``,
``cache[0] = 1`` and ``global cache`` in a function called at top level are.

Dropped text is blanked, so that every line and column stays where it was.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, field
from functools import lru_cache

from nemo_run.exceptions import ConfigError, nearest
from nemo_run.packaging.statements import (
    Statement,
    asks_the_user,
    parse,
    starting_functions,
    starts,
    statements,
)

# PEP 263
_ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*[-\w.]+")
# Set by Python in every module.
_GIVEN = {
    "__name__",
    "__file__",
    "__doc__",
    "__package__",
    "__spec__",
    "__loader__",
    "__builtins__",
}


@dataclass(frozen=True)
class Program:
    """A program to slice.

    Attributes:
        text: Its source.
        file: What to call it in messages.
        running_line: The line of the top-level statement that is running now, if one is: it is
            the launch, and of what stands below it only definitions exist.
        notebook: Keep only what is needed, imports included.
    """

    text: str
    file: str
    running_line: int | None = None
    notebook: bool = False


def slice_program(program: Program, names: list[str]) -> str:
    """Return the text of ``program`` with everything blanked that ``names`` do not need.

    Raises:
        ConfigError: A name is not defined at top level, or needs a statement that launches, asks
            the user or stands in the main block. The message has the file and the line.
    """
    return _sliced(program, tuple(names))


# The points of a sweep need the same names of the same program.
@lru_cache(maxsize=8)
def _sliced(program: Program, names: tuple[str, ...]) -> str:
    tree = parse(program.text, program.file)
    cut = _Slice(program, statements(tree, program.file), tree)
    for name in names:
        cut.want(name)
    cut.add_the_harmless()
    dropped = [s for i, s in enumerate(cut.statements) if i not in cut.kept]
    kept = [cut.statements[i] for i in cut.kept]
    text = _blank(program.text, dropped, kept)
    text = _without_ours(text, kept, {name for name, _ in cut.wanted})
    ast.parse(text, program.file)
    return text


@dataclass
class _Slice:
    program: Program
    statements: list[Statement]
    tree: ast.Module
    kept: set[int] = field(default_factory=set)
    wanted: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.starting = starting_functions(self.statements, self.tree)
        self.of_name: dict[str, list[int]] = {}
        for index, statement in enumerate(self.statements):
            if index <= self._running() or statement.is_definition or statement.is_import:
                for name in statement.binds | statement.changes:
                    self.of_name.setdefault(name, []).append(index)

    def want(self, name: str) -> None:
        """Keep what ``name`` needs."""
        if not any(name in self.statements[i].binds for i in self.of_name.get(name, [])):
            raise ConfigError(
                f"{name!r} is not defined at the top level of {self.program.file}, so a job cannot "
                f"find it. Define it there, or in a module that the job can import."
                f"{nearest(name, (n for n in self.of_name if n != name))}"
            )
        self._close(name, len(self.statements))

    def add_the_harmless(self) -> None:
        """Keep imports, settings and definitions that need nothing unrepeatable.

        Nor do they bring in anything else: what only they need, such as the table that a
        decorator fills, nobody in the job looks at. And the job need not have this library.
        """
        ours = {i for i, statement in enumerate(self.statements) if _is_ours(statement)}
        for index, statement in enumerate(self.statements):
            if index in self.kept | ours or not self._is_harmless(index, statement):
                continue
            before = set(self.kept), set(self.wanted)
            try:
                self._keep(index)
            except ConfigError:
                self.kept, self.wanted = before
            if not all(self._is_free(new, ours) for new in self.kept - before[0]):
                self.kept, self.wanted = before

    def _is_free(self, index: int, ours: set[int]) -> bool:
        return index not in ours and self._is_harmless(index, self.statements[index])

    def _is_harmless(self, index: int, statement: Statement) -> bool:
        if self._unrepeatable(index):
            return False
        if statement.is_setting:
            return index < self._running()
        if isinstance(statement.node, ast.ImportFrom) and statement.node.module == "__future__":
            return True
        if self.program.notebook:
            return False
        docstring = index == 0 and _is_docstring(statement)
        return docstring or statement.is_import or statement.is_definition

    def _keep(self, index: int) -> None:
        self.kept.add(index)
        for name in self.statements[index].reads:
            self._close(name, index)

    def _close(self, name: str, before: int) -> None:
        """Keep every statement that gives ``name`` the value it has before statement ``before``."""
        open_: list[tuple[str, int, tuple[str, ...]]] = [(name, before, ())]
        while open_:
            name, before, path = open_.pop()
            if (name, before) in self.wanted or name in _GIVEN:
                continue
            self.wanted.add((name, before))
            for index in self._values(name, before):
                statement = self.statements[index]
                reason = self._unrepeatable(index)
                if reason and isinstance(statement.node, ast.Expr):
                    continue  # ``app.launch()`` may change ``app``, but is not there to do so
                if reason:
                    raise self._error(statement, reason, (*path, name))
                self.kept.add(index)
                open_ += [(n, index, (*path, name)) for n in sorted(statement.reads)]
                open_ += [(n, before, (*path, name)) for n in sorted(statement.later)]

    def _values(self, name: str, before: int) -> list[int]:
        """Return the statements that decide what ``name`` is, the last one first."""
        found: list[int] = []
        for index in reversed(self._mentions(name)):
            if index >= before:
                continue
            statement = self.statements[index]
            found.append(index)
            if statement.replaces and name in statement.binds:
                break
        # What the main block does to a name that has a value outside of it is not seen by a
        # process that does not run that block, as with multiprocessing.
        outside = [i for i in found if not self.statements[i].is_main_guard]
        return outside if any(name in self.statements[i].binds for i in outside) else found

    def _mentions(self, name: str) -> list[int]:
        if name in self.of_name or hasattr(builtins, name):
            return self.of_name.get(name, [])
        return [i for i, statement in enumerate(self.statements) if statement.imports_all]

    def _unrepeatable(self, index: int) -> str:
        statement = self.statements[index]
        if statement.is_main_guard:
            return "stands in the main block, which a job does not run"
        if index == self._running() and not statement.is_definition:
            return "is the one that launches"
        if any(starts(call, self.starting) for call in statement.calls):
            return "launches"
        if any(map(asks_the_user, statement.calls)):
            return "asks the user or the notebook"
        if any(isinstance(n, ast.Await) for n in ast.walk(statement.node)) and not (
            statement.is_definition
        ):
            return "awaits at top level"
        return ""

    def _error(self, statement: Statement, reason: str, path: tuple[str, ...]) -> ConfigError:
        line, name = statement.first_line, path[-1]
        shown = self.program.text.split("\n")[line - 1].strip()
        return ConfigError(
            f"The job needs {name!r} ({' → '.join(path)}), but the statement that makes it "
            f"{reason}: {self.program.file}:{line}: {shown}\n{self._way_out(path)}"
        )

    def _way_out(self, path: tuple[str, ...]) -> str:
        # The first value on the way, for functions and classes cannot be handed over.
        for name in path[1:]:
            if not any(self.statements[i].is_definition for i in self.of_name.get(name, [])):
                return (
                    f"Give {name!r} to the function as an argument, or make it in a statement of "
                    "its own at the top level."
                )
        return f"Make {path[-1]!r} in a statement of its own at the top level."

    def _running(self) -> int:
        """Return the index of the running statement, or one beyond the last."""
        line = self.program.running_line
        if line is not None:
            for index, statement in enumerate(self.statements):
                if statement.first_line <= line <= (statement.node.end_lineno or line):
                    return index
        return len(self.statements)


def _is_ours(statement: Statement) -> bool:
    node = statement.node
    if isinstance(node, ast.ImportFrom):
        return not node.level and (node.module or "").split(".")[0] == "nemo_run"
    return isinstance(node, ast.Import) and all(
        name.name.split(".")[0] == "nemo_run" for name in node.names
    )


def _without_ours(text: str, kept: list[Statement], wanted: set[str]) -> str:
    """Return the text without names of this library that an import has beside others.

    In ``import nemo_run as run, os`` another module stands in, of which every job has one.
    """
    lines = [line.encode("utf-8", "surrogatepass") for line in text.split("\n")]
    for statement in kept:
        names = statement.node.names if isinstance(statement.node, ast.Import) else []
        for name in names:
            bound = name.asname or name.name.split(".")[0]
            one_line = name.lineno == name.end_lineno
            if name.name.split(".")[0] != "nemo_run" or bound in wanted or not one_line:
                continue
            start, end = name.col_offset, name.end_col_offset or name.col_offset
            line = lines[name.lineno - 1]
            lines[name.lineno - 1] = line[:start] + b"sys".ljust(end - start) + line[end:]
    return b"\n".join(lines).decode("utf-8", "surrogatepass")


def _is_docstring(statement: Statement) -> bool:
    node = statement.node
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _blank(text: str, dropped: list[Statement], kept: list[Statement]) -> str:
    # Columns of the syntax tree count bytes of UTF-8.
    lines = [line.encode("utf-8", "surrogatepass") for line in text.split("\n")]
    busy = {s.first_line for s in kept} | {s.node.end_lineno for s in kept}
    for statement in dropped:
        node, first = statement.node, statement.first_line
        last = node.end_lineno or first
        for number in range(first, last + 1):
            if number not in busy:
                lines[number - 1] = b""
                continue
            # Shares its line with something kept (``a = 1; b = 2``): an empty statement of the
            # same width stands in, for a line may not start with spaces or a semicolon.
            line = lines[number - 1]
            start = node.col_offset if number == first else 0
            end = (node.end_col_offset or 0) if number == last else len(line)
            lines[number - 1] = line[:start] + b"0".ljust(end - start) + line[end:]
    # The text is stored as UTF-8, whatever its first two lines say of the file it came from.
    lines[:2] = [b"" if _ENCODING.match(line) else line for line in lines[:2]]
    return b"\n".join(lines).decode("utf-8", "surrogatepass")
