"""A function whose calls, tests and texts go through a converter. Pure, but for reading source.

``Model(3)`` becomes ``converter.call(site, Model, 3)`` and so on; everything else of the function
stays as it is, so that loops, conditions and comprehensions are Python's own. Lines and columns
stay, so that tracebacks and histories show the user's code.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import AutoconvertError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CONVERTER = "__nemo_run_converter__"
_AROUND = "__nemo_run_around__"
# These look at the frame that calls them.
_FRAME_BOUND = {"super", "locals", "globals", "vars", "dir", "eval", "exec"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True)
class Site:
    """A place in the user's source; columns count characters from 0, as far as they are known."""

    file: str
    line: int
    column: int | None = None
    end_column: int | None = None

    def error(self, problem: str, way_out: str) -> AutoconvertError:
        """Return an error that shows this place."""
        import linecache

        text = linecache.getline(self.file, self.line).rstrip("\n")
        start = len(text) - len(text.lstrip()) if self.column is None else self.column
        end = self.end_column if self.end_column is not None else len(text)
        shown = text.lstrip()
        indent = len(text) - len(shown)
        caret = " " * max(0, start - indent) + "^" * max(1, min(end, len(text)) - start)
        return AutoconvertError(
            f"{self.file}:{self.line}: {problem}\n    {shown}\n    {caret}\n{way_out}"
        )


@dataclass(frozen=True)
class Rewritten:
    """The outcome.

    Attributes:
        code: The function's new code.
        sites: Where each numbered call, test or text is.
        inner: Code of the functions and lambdas defined inside.
    """

    code: CodeType
    sites: tuple[Site, ...]
    inner: frozenset[CodeType]

    def function(self, original: Callable[..., Any], converter: Any) -> Callable[..., Any]:
        """Return a function like ``original`` that asks ``converter``."""
        assert isinstance(original, FunctionType)
        cells = dict(zip(original.__code__.co_freevars, original.__closure__ or (), strict=True))
        cells[_CONVERTER] = CellType(converter)
        made = FunctionType(
            self.code,
            original.__globals__,
            original.__name__,
            original.__defaults__,
            tuple(cells[name] for name in self.code.co_freevars),
        )
        made.__kwdefaults__ = original.__kwdefaults__
        made.__qualname__ = original.__qualname__
        return made


def rewrite(code: CodeType, qualname: str) -> Rewritten:
    """Read the source of a function and rewrite it.

    Args:
        code: The function's code.
        qualname: Its dotted name in its module.

    Raises:
        AutoconvertError: The source cannot be had, or holds what cannot be converted.
    """
    definition = _definition(code)
    _refuse(definition, code.co_filename)
    rewriter = _Rewriter(code.co_filename)
    definition.decorator_list = []
    definition.body = [rewriter.visit(statement) for statement in definition.body]
    # Defaults and annotations are the original's.
    definition.args = _without_values(definition.args)
    definition.returns = None
    for name in _no_type_params():
        setattr(definition, name, [])
    new = _compile(definition, qualname, code)
    return Rewritten(new, tuple(rewriter.sites), frozenset(_inner(new)))


def _source(code: CodeType) -> str:
    # Every text that is executed goes by this name, so its lines may be another's.
    if code.co_filename == "<string>":
        raise OSError("it was given as a string")
    return inspect.getsource(code)


def _definition(code: CodeType) -> ast.FunctionDef:
    name, place = code.co_name, f"{code.co_filename}:{code.co_firstlineno}"
    if name == "<lambda>":
        raise AutoconvertError(f"{place}: a lambda cannot be converted. Give it a name with def.")
    try:
        source = _source(code)
    except (OSError, TypeError) as error:
        raise AutoconvertError(
            f"{place}: the source of {name} cannot be read, so autoconvert cannot convert it "
            f"({error}). Put it into a file, or return run.Config(...) without autoconvert."
        ) from error
    # An indented block keeps its columns, and the texts in it, behind a line of our own.
    indented = source[:1].isspace()
    tree = ast.parse(f"if 1:\n{source}" if indented else source)
    ast.increment_lineno(tree, code.co_firstlineno - (2 if indented else 1))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            if isinstance(node, ast.FunctionDef):
                return node
            raise _site(code.co_filename, node).error(
                f"{name} is asynchronous, and a configuration is made without waiting.",
                "Write def instead of async def.",
            )
    raise AutoconvertError(f"{place}: there is no def of {name} here. Was the file changed?")


def _refuse(definition: ast.FunctionDef, file: str) -> None:
    for node in _own(definition):
        site = _site(file, node) if hasattr(node, "lineno") else None
        if site and isinstance(node, (ast.Yield, ast.YieldFrom)):
            raise site.error(
                "a generator cannot be converted, because a configuration is made at once.",
                "Collect the objects in a list and return that.",
            )
        if site and isinstance(node, (ast.Await, ast.AsyncFor, ast.AsyncWith)):
            raise site.error("a configuration is made without waiting.", "Leave out the await.")
        if site and isinstance(node, (ast.Global, ast.Nonlocal)):
            raise site.error(
                f"{', '.join(node.names)} would be set outside of the function, which runs each "
                "time a configuration is made.",
                "Return the value instead.",
            )


def _own(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own(child)


def _without_values(arguments: ast.arguments) -> ast.arguments:
    for argument in ast.walk(arguments):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    nothing = ast.Constant(None)
    arguments.defaults = [nothing for _ in arguments.defaults]
    arguments.kw_defaults = [nothing if value else None for value in arguments.kw_defaults]
    return arguments


def _compile(definition: ast.FunctionDef, qualname: str, code: CodeType) -> CodeType:
    # Free variables are those of a function around it, and private names (self.__x) those of
    # a class of the same name.
    owner = qualname.rpartition(".")[0].rpartition(".")[2]
    inside: ast.stmt = definition
    if owner.isidentifier():
        inside = ast.ClassDef(owner, [], [], [definition], [], **_no_type_params())
    parameters = [ast.arg(name) for name in (*code.co_freevars, _CONVERTER)]
    outer = ast.FunctionDef(
        _AROUND,
        ast.arguments([], parameters, None, [], [], None, []),
        [inside],
        [],
        **_no_type_params(),
    )
    module = ast.fix_missing_locations(ast.Module([outer], []))
    flags = code.co_flags & _future_mask()
    compiled = compile(module, code.co_filename, "exec", flags, dont_inherit=True)
    return next(inner for inner in _inner(compiled) if inner.co_name == definition.name)


def _no_type_params() -> dict[str, Any]:
    return {"type_params": []} if "type_params" in ast.FunctionDef._fields else {}


def _future_mask() -> int:
    import __future__

    mask = 0
    for name in __future__.all_feature_names:
        mask |= getattr(__future__, name).compiler_flag
    return mask


def _inner(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inner(constant)


def _site(file: str, node: ast.AST) -> Site:
    import linecache

    line = linecache.getline(file, node.lineno).encode()  # type: ignore[attr-defined]
    end = node.end_col_offset if node.end_lineno == node.lineno else len(line)  # type: ignore[attr-defined]
    # The syntax tree counts bytes of UTF-8.
    column = len(line[: node.col_offset].decode(errors="replace"))  # type: ignore[attr-defined]
    return Site(file, node.lineno, column, len(line[:end].decode(errors="replace").rstrip("\n")))  # type: ignore[attr-defined]


class _Rewriter(ast.NodeTransformer):
    def __init__(self, file: str) -> None:
        self.file = file
        self.sites: list[Site] = []

    # A class that is defined inside keeps its methods as they are: they run in the job.
    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Call) and not _is_frame_bound(node.value):
            node.value = self._call(node.value, "statement")
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        return self.generic_visit(node) if _is_frame_bound(node) else self._call(node, "call")

    def _call(self, node: ast.Call, kind: str) -> ast.Call:
        function = node.func
        if isinstance(function, ast.Attribute) and not _is_private(function.attr):
            owner, name = self.visit(function.value), ast.Constant(function.attr)
            function = self._ask("method", function, owner, name)
        else:
            function = self.visit(function)
        asked = self._ask(kind, node, function)
        asked.args += [self.visit(argument) for argument in node.args]
        asked.keywords = [self.visit(keyword) for keyword in node.keywords]
        return asked

    # What is entered has to exist.
    def visit_withitem(self, node: ast.withitem) -> ast.AST:
        entered = node.context_expr
        if isinstance(entered, ast.Call) and not _is_frame_bound(entered):
            node.context_expr = self._call(entered, "enter")
        else:
            node.context_expr = self.visit(entered)
        node.optional_vars = self.visit(node.optional_vars) if node.optional_vars else None
        return node

    # What Python would do with a configuration without a complaint, and wrongly.

    def visit_If(self, node: ast.If) -> ast.AST:
        return self._tested(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._tested(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return self._tested(node)

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return self._tested(node)

    def _tested(self, node: ast.If | ast.While | ast.IfExp | ast.Assert) -> ast.AST:
        self.generic_visit(node)
        node.test = self._ask("known", node.test, node.test)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        # The last one is only handed on: ``model or Model()``.
        tested = [self._ask("known", value, value) for value in node.values[:-1]]
        node.values = [*tested, node.values[-1]]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            node.operand = self._ask("known", node.operand, node.operand)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left = self._ask("known", node.left, node.left)
        node.right = self._ask("known", node.right, node.right)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if not all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops):
            node.left = self._ask("known", node.left, node.left)
            node.comparators = [self._ask("known", part, part) for part in node.comparators]
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        node.value = self._ask("known", node.value, node.value)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            node.value = self._ask("known", node.value, node.value)
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        self.generic_visit(node)
        node.subject = self._ask("known", node.subject, node.subject)
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        self.generic_visit(node)
        if node.guard:
            node.guard = self._ask("known", node.guard, node.guard)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [self._ask("known", test, test) for test in node.ifs]
        return node

    # Annotations are not run by us.
    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.value = self.visit(node.value) if node.value else None
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        return node

    def _ask(self, what: str, place: ast.expr, *values: ast.expr) -> ast.Call:
        self.sites.append(_site(self.file, place))
        site = ast.Constant(len(self.sites) - 1)
        function = ast.Attribute(ast.Name(_CONVERTER, ast.Load()), what, ast.Load())
        asked = ast.Call(function, [site, *values], [])
        for node in (site, function.value, function, asked, *values):
            if not hasattr(node, "lineno"):
                ast.copy_location(node, place)
        return asked


def _is_frame_bound(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in _FRAME_BOUND


def _is_private(name: str) -> bool:
    return name.startswith("__") and not name.endswith("__")
