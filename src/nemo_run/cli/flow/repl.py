"""``--repl``: Python with the task of a command, before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .execute import Ready

_BANNER = (
    "task is the configuration; change it as you like. run_task() runs it, ctx is how. "
    "Ctrl-D ends this."
)


def open_repl(ready: Ready) -> int:
    """Open IPython, or Python's own prompt where there is none, with ``task`` and ``run_task``."""
    from .starting import value_of

    def run_task() -> Any:
        """Run the task as it is now, and return its result."""
        return value_of(ready)

    names = {"task": ready.task, "run_task": run_task, "ctx": ready.run}
    _prompt()(names)
    return 0


def _prompt() -> Callable[[dict[str, Any]], Any]:
    try:
        import IPython
    except ImportError:
        import code

        return lambda names: code.interact(_BANNER, local=names, exitmsg="")
    return lambda names: IPython.start_ipython(
        argv=["--no-banner", f"--InteractiveShellApp.exec_lines=print({_BANNER!r})"], user_ns=names
    )
