"""``--repl``: Python with the task of a command, before it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .execute import Ready

_BANNER = (
    "task is the configuration; change it as you like. run_task() runs it, ctx is how; run is "
    "nemo_run, and the names of the script are there. Ctrl-D ends this."
)


def open_repl(ready: Ready) -> int:
    """Open IPython, or Python's own prompt where there is none, with ``task`` and ``run_task``."""
    import nemo_run

    from .starting import value_of

    def run_task() -> Any:
        """Run the task as it is now, and return its result."""
        return value_of(ready)

    own = {"task": ready.task, "run_task": run_task, "ctx": ready.run}
    _prompt()({"run": nemo_run, **_of_script(ready), **own})
    return 0


def _of_script(ready: Ready) -> dict[str, Any]:
    """Return the names of the file or module of the function."""
    module = sys.modules.get(ready.entry.fn.__module__)
    if ready.entry.lazy_target or module is None:
        return {}
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def _prompt() -> Callable[[dict[str, Any]], Any]:
    try:
        import IPython
    except ImportError:
        import code

        return lambda names: code.interact(_BANNER, local=names, exitmsg="")
    return lambda names: IPython.start_ipython(
        argv=["--no-banner", f"--InteractiveShellApp.exec_lines=print({_BANNER!r})"], user_ns=names
    )
