"""The text of the launching script that a task needs, so that its functions run in a job.

A function of the launching script belongs to the module ``__main__``, which in a job is another
program. So the script's text travels and is loaded there as ``__main__``: with the same lines and
columns, but without its main block and without the statements that launch (see
:mod:`nemo_run.packaging.slicing` for what is kept). Works for scripts, ``python -m
package.module``, ``python -c``, zip applications and IPython; a plain prompt and a script on
standard input have no text to send, which is an error that says so.
"""

from __future__ import annotations

import functools
import sys
import typing
from dataclasses import dataclass
from pathlib import Path
from types import MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node, target_of
from nemo_run.config.graph.reference import Deferred, Reference
from nemo_run.exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from nemo_run.packaging.slicing import Program

MAIN = "__main__"
_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, ModuleType})


@dataclass(frozen=True)
class LaunchingScript:
    """What a job loads as its module ``__main__``.

    Attributes:
        text: The program, everything blanked that the task does not need.
        original_path: Where the script is on this machine (its ``__file__``), if it is a file.
        package: The package that its relative imports start from, after ``python -m``.
        names: What the task needs of it, sorted.
        argv: The command line it was started with. A needed statement that reads the command
            line gets the same answer in the job if ``sys.argv`` is this while it is loaded.
        warning: A sentence for the person who launches, or ``None``.
    """

    text: str
    original_path: str | None
    package: str | None
    names: tuple[str, ...]
    argv: tuple[str, ...]
    warning: str | None = None


def capture(value: Any) -> LaunchingScript | None:
    """Return the part of the launching script that ``value`` needs; ``None`` if it needs none.

    Args:
        value: A configuration graph.

    Raises:
        ConfigError: The text of the script cannot be had, or a name that the task needs cannot
            be made again in a job. The message says where and what to do.
    """
    found = list(main_objects(value))
    names = sorted({name.split(".")[0] for name, _ in found})
    if not names:
        return None
    local = next((name for name, _ in found if "<" in name), None)
    if local:
        is_lambda = local.endswith("<lambda>")
        raise ConfigError(
            f"{local} is {'a lambda' if is_lambda else 'made inside a function'} of the launching "
            "script, so a job cannot find it. Define it with def or class at the top level."
        )
    namespace = _namespace([thing for _, thing in found])
    notebook = "get_ipython" in namespace and isinstance(namespace.get("In"), list)
    program = _notebook(namespace) if notebook else _script(namespace, names)
    if not notebook:
        _refuse_an_edited_file(program, [thing for _, thing in found])
    from nemo_run.packaging.slicing import slice_program

    return LaunchingScript(
        text=slice_program(program, names),
        original_path=None if notebook else _file(namespace),
        package=namespace.get("__package__") or None,
        names=tuple(names),
        argv=tuple(sys.argv),
        warning=_by_value(names) if notebook else None,
    )


def main_objects(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and object of everything in ``value`` that belongs to ``__main__``."""
    seen: dict[int, Any] = {}
    todo = [value]
    while todo:
        item = todo.pop()
        if id(item) in seen or type(item) in _ATOMS:
            continue
        seen[id(item)] = item  # also keeps it, so that its id stays its own
        if isinstance(item, Deferred):
            yield from ((name, None) for name in _names_in(item.document))
        elif isinstance(item, Reference):
            yield from [(item.qualname, None)] if item.module == MAIN else []
        else:
            # An instance needs its class.
            thing = item if hasattr(item, "__qualname__") else type(item)
            name = thing.__qualname__
            if getattr(thing, "__module__", None) == MAIN and isinstance(name, str):
                yield name, thing
            todo += _parts(item)


def _names_in(document: Any) -> Iterator[str]:
    """Yield the names after ``__main__:`` in a value's JSON form."""
    if isinstance(document, str) and document.startswith(f"{MAIN}:"):
        yield document.partition(":")[2]
    elif isinstance(document, (dict, list)):
        for part in document.values() if isinstance(document, dict) else document:
            yield from _names_in(part)


def _parts(item: Any) -> list[Any]:
    if is_node(item):
        return [target_of(item), *item.__arguments__.values()]
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    if isinstance(item, (list, tuple, set, frozenset)):
        return list(item)
    if isinstance(item, functools.partial):
        return [item.func, item.args, item.keywords]
    if isinstance(item, MethodType):
        return [item.__self__]
    # list[Model], and instances of dataclasses. Other objects are not asked: they may answer
    # anything, for ever.
    fields = () if isinstance(item, type) else getattr(type(item), "__dataclass_fields__", ())
    values = [getattr(item, name) for name in fields if hasattr(item, name)]
    return [typing.get_origin(item), *typing.get_args(item), *values]


def _namespace(things: list[Any]) -> dict[str, Any]:
    """Return the globals of the launching script.

    Programs that run another one (``python -m cProfile script.py``) do not always make it the
    module ``__main__``; its functions know their globals.
    """
    import inspect

    for thing in things:
        found: dict[str, Any] = getattr(inspect.unwrap(thing), "__globals__", {})
        if found.get("__name__") == MAIN:
            return found
    return vars(sys.modules[MAIN])


def _file(namespace: dict[str, Any]) -> str | None:
    file = namespace.get("__file__")
    return None if file in (None, "", "<stdin>") else str(Path(str(file)).absolute())


def _script(namespace: dict[str, Any], names: list[str]) -> Program:
    from nemo_run.packaging.slicing import Program

    file = _file(namespace)
    text = _source(namespace, file)
    if text is None:
        raise ConfigError(
            f"The task uses {', '.join(names)} of the launching program, whose text cannot be had: "
            f"{_why_no_text(file)} Put the function into a file and import it, or run that file."
        )
    return Program(text, file or "the command given to python -c", _running_line(namespace))


def _source(namespace: dict[str, Any], file: str | None) -> str | None:
    if file is None:
        return _text_of_command()
    loader, spec = namespace.get("__loader__"), namespace.get("__spec__")
    if loader is not None and hasattr(loader, "get_source"):
        source = loader.get_source(spec.name if spec else MAIN)
        return str(source).replace("\r\n", "\n") if source is not None else None
    if not Path(file).is_file():
        return None
    import tokenize

    with tokenize.open(file) as stream:
        return stream.read()


def _text_of_command() -> str | None:
    """Return the text after ``python -c``."""
    if sys.argv[:1] != ["-c"]:
        return None
    rest = iter(sys.orig_argv[1:])
    for word in rest:
        if word.startswith("-") and not word.startswith("--"):
            letters, found, attached = word[1:].partition("c")
            if found and not set(letters) & set("WXm"):
                return attached or next(rest, None)
            if word in {"-W", "-X"}:
                next(rest, None)
    return None


def _why_no_text(file: str | None) -> str:
    if file is not None:
        return f"{file} holds no source."
    if hasattr(sys, "ps1") or sys.flags.interactive:
        return "it was typed at the Python prompt."
    return "it came through standard input."


def _running_line(namespace: dict[str, Any], *, innermost: bool = False) -> int | None:
    """Return the line of the top-level statement that is running now."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the only way to ask
    lines: list[int] = []
    while frame is not None:
        name = frame.f_code.co_name
        if frame.f_globals is namespace and (name == "<module>" or name.startswith("<cell")):
            lines.append(frame.f_lineno)
        frame = frame.f_back
    return lines[0 if innermost else -1] if lines else None


def _notebook(namespace: dict[str, Any]) -> Program:
    from nemo_run.packaging.notebook import join_cells
    from nemo_run.packaging.slicing import Program

    session = join_cells(namespace["In"], namespace["get_ipython"]().transform_cell)
    line = _running_line(namespace, innermost=session.last_cell_is_magic)
    running = session.last_cell_line + line - 1 if line else None
    return Program(session.text, "the notebook", running, notebook=True)


def _by_value(names: list[str]) -> str:
    shown = ", ".join(names)
    return (
        f"{shown} {'is' if len(names) == 1 else 'are'} defined in this notebook and "
        f"{'travels' if len(names) == 1 else 'travel'} by value, as source: the job runs the "
        "definitions and assignments that are needed once more. Put code that you want to keep "
        "into a module."
    )


def _refuse_an_edited_file(program: Program, things: list[Any]) -> None:
    """Refuse a file that was edited after it was started: the job would run something else."""
    lines = program.text.split("\n")
    for thing in things:
        code = getattr(thing, "__code__", None)
        if code is None or str(Path(code.co_filename).absolute()) != program.file:
            continue
        first = code.co_firstlineno
        text = lines[first - 1] if first <= len(lines) else ""
        if not text.lstrip().startswith(("def ", "async def ", "@")):
            raise ConfigError(
                f"{program.file} was changed after it was started: {code.co_name!r} was on line "
                f"{first}. Start it again."
            )
