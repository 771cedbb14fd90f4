"""Loading a script or a module for its functions, without starting what it starts.

A script becomes the module ``__main__``, as when it is started, so that its functions run in jobs
in the same way; only its main block is left out, and ``run.cli.main`` does nothing meanwhile.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.program import take_own_name
from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator, Sequence

_loading: ContextVar[bool] = ContextVar("nemo_run_loading_a_script", default=False)


def is_loading() -> bool:
    """Tell whether a script is being loaded for its functions."""
    return _loading.get()


@contextmanager
def loading() -> Iterator[None]:
    """Let ``run.cli.main`` in the script do nothing meanwhile."""
    token = _loading.set(True)
    try:
        yield
    finally:
        _loading.reset(token)


def load_script(path: str, words: Sequence[str] = ()) -> ModuleType:
    """Run a script as ``__main__``, all but its main block, and return the module.

    Args:
        path: The file.
        words: What follows it on the command line; the script sees them as its own.

    Raises:
        OverrideError: There is no such file, or it holds no Python.
    """
    file = Path(path)
    if not file.is_file():
        if file.exists():
            raise OverrideError(f"{path} is no regular file, so it holds no script.")
        raise OverrideError(f"There is no file {path}.{_similar(file)}")
    code = compile(_without_main_block(file), str(file.absolute()), "exec", dont_inherit=True)
    module = ModuleType("__main__")
    module.__file__ = str(file.absolute())
    sys.modules["__main__"] = module
    sys.path.insert(0, str(file.absolute().parent))
    sys.argv = [path, *words]
    with loading():
        exec(code, module.__dict__)  # noqa: S102 - the person named this file to be run
    take_own_name()
    return module


def run_file(file: Path) -> ModuleType:
    """Run a file as the module of its name, and return it; jobs import what it holds by that name.

    Where it fails, the name is given back to the module that had it.

    Args:
        file: Its name ends in ``.py``.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    before = sys.modules.get(file.stem)
    sys.modules[file.stem] = module
    try:
        with loading():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[file.stem]
        if before is not None:
            sys.modules[file.stem] = before
        raise
    return module


def _similar(file: Path) -> str:
    try:
        names = [other.name for other in file.parent.iterdir()]
    except OSError:
        return f" There is no folder {file.parent} either."
    return nearest(file.name, names)


def _without_main_block(file: Path) -> ast.Module:
    import ast
    import tokenize

    from nemo_run.packaging.statements import is_main_guard

    try:
        with tokenize.open(file) as stream:
            tree = ast.parse(stream.read(), str(file.absolute()))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = error.msg if isinstance(error, SyntaxError) else str(error)
        raise OverrideError(f"{file}{line} holds no Python: {what}.") from error
    tree.body = [node for node in tree.body if not is_main_guard(node)]
    return tree


def load_module(name: str) -> ModuleType:
    """Import a module, also one that lies in this folder.

    Raises:
        OverrideError: There is no such module.
    """
    from importlib import import_module

    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        with loading():
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        file = Path(f"{name.replace('.', '/')}.py")
        hint = f" Did you mean {str(file)!r}?" if file.is_file() else ""
        raise OverrideError(
            f"There is no module {error.name!r}, here or installed.{hint} Write FILE.py:FUNCTION "
            "or MODULE:FUNCTION."
        ) from None


def function_of(module: ModuleType, path: str, where: str) -> Any:
    """Return what a dotted name leads to in a module.

    Args:
        module: The module.
        path: The name.
        where: What to call the module in errors.

    Raises:
        OverrideError: There is nothing of that name, or it cannot be called.
    """
    found: Any = module
    for step in path.split("."):
        if not hasattr(found, step):
            named = [name for name in _callables(found) if not name.startswith("_")]
            listed = f" It has: {', '.join(named)}." if named else ""
            raise OverrideError(f"{where} has no {path!r}.{nearest(step, named)}{listed}")
        found = getattr(found, step)
    if not callable(found):
        raise OverrideError(
            f"{path!r} of {where} is {found!r}, and a command is made of a function."
        )
    return found


def _callables(owner: Any) -> list[str]:
    """Return the functions and classes that are defined there, or else all that can be called."""
    names = [name for name, value in vars(owner).items() if callable(value)]
    own = getattr(owner, "__name__", None)
    defined = [n for n in names if getattr(vars(owner)[n], "__module__", None) == own]
    return defined or names
