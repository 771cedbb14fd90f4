"""What each top-level statement of a program binds, reads, changes and starts. Pure.

Which names are global is not guessed from the syntax tree: each statement is compiled, and the
compiler's own answer is read from the instructions.
"""

from __future__ import annotations

import ast
import dis
from dataclasses import dataclass, field, replace
from inspect import CO_OPTIMIZED
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

_STORES = {"STORE_NAME", "DELETE_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
_LOADS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"}
# Code that runs where it stands, although it has a code object of its own.
_INLINE = {"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_REPLACING = (*_FUNCTIONS, ast.ClassDef, *_IMPORTS, ast.Assign)

# Calls of this library that start something, by the last part of their name.
_STARTS = {"run", "Experiment", "main", "direct_run_fn"}
_ASKS = {"input", "breakpoint", "getpass.getpass", "get_ipython"}
# Calls of imported modules that only set something up: what a module sees when it is imported.
_SETTINGS = (
    "sys.path.",
    "os.environ.",
    "os.putenv",
    "site.addsitedir",
    "warnings.filterwarnings",
    "warnings.simplefilter",
    "logging.basicConfig",
    "logging.captureWarnings",
    "logging.config.",
)
_MESSAGES = {"print", "warnings.warn", "logging.warning", "logging.info", "logging.error"}
_SETTING_VERBS = ("set_", "enable_", "disable_", "register_")
_SETTING_NAMES = {"addFilter", "manual_seed", "register", "seed", "setLevel", "use"}


@dataclass(frozen=True)
class Statement:
    """One top-level statement.

    Attributes:
        node: Its syntax tree.
        binds: Names it gives a value (or deletes).
        reads: Global names that are read when it runs.
        later: Global names that the functions it makes read when they are called.
        writes: Global names that those functions bind when they are called.
        changes: Names whose objects it changes in place (``x[0] = 1``, ``x.append(1)``).
        replaces: Whether what it binds no longer depends on earlier statements.
        calls: Dotted names of the calls that happen when it runs, import aliases resolved.
        is_setting: Whether it only sets up imported modules (``sys.path.insert``, seeds, ...).
        acts: Whether it makes calls for their effect, other than settings and messages.
    """

    node: ast.stmt
    binds: frozenset[str]
    reads: frozenset[str]
    later: frozenset[str]
    writes: frozenset[str]
    changes: frozenset[str]
    replaces: bool
    calls: frozenset[str]
    is_setting: bool
    acts: bool

    @property
    def first_line(self) -> int:
        """The line of its first decorator, or of itself."""
        decorators: list[ast.expr] = getattr(self.node, "decorator_list", [])
        return min([self.node.lineno, *(decorator.lineno for decorator in decorators)])

    @property
    def is_definition(self) -> bool:
        """A function or a class."""
        return isinstance(self.node, (*_FUNCTIONS, ast.ClassDef))

    @property
    def is_import(self) -> bool:
        """An import, or a block around one (``try``, ``if TYPE_CHECKING``, ``with``)."""
        if isinstance(self.node, _IMPORTS) or self.acts:
            return not self.acts
        blocks = (ast.If, ast.Try, ast.With)
        return isinstance(self.node, blocks) and any(
            isinstance(inner, _IMPORTS) for inner in run_at_once(self.node)
        )

    @property
    def imports_all(self) -> bool:
        """``from module import *``."""
        return any(
            isinstance(inner, ast.ImportFrom) and inner.names[0].name == "*"
            for inner in run_at_once(self.node)
        )

    @property
    def is_main_guard(self) -> bool:
        """``if __name__ == "__main__":``, in any spelling."""
        return is_main_guard(self.node)


def is_main_guard(node: ast.stmt) -> bool:
    """Tell whether a statement is ``if __name__ == "__main__":``, in any spelling."""
    if not isinstance(node, ast.If):
        return False
    inside = list(ast.walk(node.test))
    return any(isinstance(n, ast.Name) and n.id == "__name__" for n in inside) and any(
        isinstance(n, ast.Constant) and n.value == "__main__" for n in inside
    )


def parse(text: str, file: str) -> ast.Module:
    """Parse ``text``; notebooks may await at top level."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree: ast.Module = compile(text, file, "exec", flags, dont_inherit=True)
    return tree


def statements(tree: ast.Module, file: str) -> list[Statement]:
    """Describe each top-level statement of ``tree``."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | _future_flags(tree)
    aliases = _aliases(ast.walk(tree))
    imported = frozenset(_aliases(n for node in tree.body for n in run_at_once(node)))
    found = [_describe(node, file, flags, aliases, imported) for node in tree.body]
    writers = {s.node.name: s.writes for s in found if isinstance(s.node, _FUNCTIONS) and s.writes}
    return [_with_writes(statement, writers) for statement in found] if writers else found


def starting_functions(every: Iterable[Statement], tree: ast.Module) -> frozenset[str]:
    """Names of the program's functions and methods that start something when they are called.

    A method is ``".name"``, for what an object is cannot be seen in the text.
    """
    aliases = _aliases(ast.walk(tree))
    calls = {
        name: _calls(ast.walk(node), aliases)
        for statement in every
        for name, node in _functions_of(statement.node)
    }
    found: set[str] = set()
    while True:
        more = {n for n, made in calls.items() if any(starts(call, found) for call in made)}
        if more <= found:
            return frozenset(found)
        found |= more


def starts(call: str, starting: Collection[str] = ()) -> bool:
    """Whether a call by this dotted name starts something, directly or by ``starting``."""
    _, dot, method = call.rpartition(".")
    return is_start(call) or call in starting or (bool(dot) and f".{method}" in starting)


def is_start(call: str) -> bool:
    """Whether a call by this dotted name runs an experiment or a command line of this library."""
    root, _, rest = call.partition(".")
    return root == "nemo_run" and rest.rpartition(".")[2] in _STARTS


def asks_the_user(call: str) -> bool:
    """Whether a call by this dotted name needs somebody at a keyboard, or a notebook."""
    return call in _ASKS


def run_at_once(node: ast.AST) -> Iterator[ast.AST]:
    """Walk ``node`` without the bodies of functions, which run later."""
    yield node
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from run_at_once(child)


def _functions_of(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, _FUNCTIONS):
        yield node.name, node
    if isinstance(node, ast.ClassDef):
        for inner in node.body:
            if isinstance(inner, _FUNCTIONS):
                yield (node.name if inner.name == "__init__" else f".{inner.name}"), inner


def _describe(
    node: ast.stmt, file: str, flags: int, aliases: dict[str, str], imported: frozenset[str]
) -> Statement:
    module = ast.Module([node], type_ignores=[])
    code: CodeType = compile(module, file, "exec", flags=flags, dont_inherit=True)
    names = _Names()
    _scan(code, names)
    annotated = isinstance(node, ast.AnnAssign) and node.value is not None
    changes, calls = frozenset(_changes(node)), _calls(run_at_once(node), aliases)
    return Statement(
        node=node,
        binds=frozenset(names.binds),
        reads=frozenset(names.reads),
        later=frozenset(names.later),
        writes=frozenset(names.writes),
        changes=changes - imported,
        replaces=isinstance(node, _REPLACING) or annotated,
        calls=calls,
        is_setting=bool(changes)
        and changes <= imported
        and not names.binds
        and _is_setting(node, changes, aliases),
        acts=any(_acts(inner, aliases) for inner in run_at_once(node)),
    )


def _with_writes(statement: Statement, writers: dict[str, frozenset[str]]) -> Statement:
    """Let a statement bind what the functions it calls bind with ``global``."""
    called = [writers[name] for name in statement.calls if name in writers]
    binds = statement.binds.union(*called)
    replaces = statement.replaces and binds == statement.binds
    return replace(statement, binds=binds, replaces=replaces) if called else statement


@dataclass
class _Names:
    binds: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)


def _scan(code: CodeType, names: _Names, *, is_class: bool = False) -> None:
    for step in dis.get_instructions(code):
        if step.opname in _STORES:
            names.binds.add(step.argval)
        elif step.opname in _LOADS and not (is_class and step.argval in names.binds):
            names.reads.add(step.argval)
    for inner in code.co_consts:
        if not isinstance(inner, CodeType):
            continue
        if inner.co_name in _INLINE:
            _scan(inner, names)
            continue
        own = _Names(later=names.later, writes=names.writes)
        if inner.co_flags & CO_OPTIMIZED:  # a function, whose body runs later
            _scan(inner, replace(own, binds=names.writes, reads=names.later))
        else:  # a class body, whose own names stay in it
            _scan(inner, own, is_class=True)
            names.reads |= own.reads


def _changes(node: ast.stmt) -> Iterator[str]:
    for inner in run_at_once(node):
        target: ast.AST | None = None
        if isinstance(inner, (ast.Subscript, ast.Attribute)):
            target = inner if isinstance(inner.ctx, (ast.Store, ast.Del)) else None
        elif isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
            target = inner.value.func if isinstance(inner.value.func, ast.Attribute) else None
        while isinstance(target, (ast.Subscript, ast.Attribute, ast.Call)):
            target = target.func if isinstance(target, ast.Call) else target.value
        if isinstance(target, ast.Name):
            yield target.id


def _calls(nodes: Iterable[ast.AST], aliases: dict[str, str]) -> frozenset[str]:
    dotted = (_dotted(n.func, aliases) for n in nodes if isinstance(n, ast.Call))
    return frozenset(name for name in dotted if name)


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute):
            parts.append(node.attr)
        node = node.value if isinstance(node, ast.Attribute) else node.func
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([aliases.get(node.id, node.id), *reversed(parts)])


def _aliases(nodes: Iterable[ast.AST]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.split(".")[0]
                found[name.asname or first] = name.name if name.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                found[name.asname or name.name] = f"{node.module}.{name.name}"
    return found


def _is_setting(node: ast.stmt, changes: frozenset[str], aliases: dict[str, str]) -> bool:
    if any(aliases.get(name, "").split(".")[0] == "nemo_run" for name in changes):
        return False
    if not isinstance(node, ast.Expr):
        return isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete))
    call = _dotted(node.value.func, aliases) if isinstance(node.value, ast.Call) else ""
    last = call.rpartition(".")[2]
    return call.startswith(_SETTINGS) or (last.startswith(_SETTING_VERBS) or last in _SETTING_NAMES)


def _acts(node: ast.AST, aliases: dict[str, str]) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    call = _dotted(node.value.func, aliases)
    return call not in _MESSAGES and not _is_setting(node, frozenset(), aliases)


def _future_flags(tree: ast.Module) -> int:
    import __future__

    flags = 0
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            for name in node.names:
                feature = getattr(__future__, name.name, None)
                flags |= feature.compiler_flag if feature else 0
    return flags
