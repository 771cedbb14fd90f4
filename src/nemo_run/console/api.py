"""The console that programs print to, and what this library logs.

The reference implementation's names; programs reach them as
``nemo_run.core.frontend.console.api``.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    CONSOLE: Console
    _StreamHandler = logging.StreamHandler[Any]
else:  # takes no parameter before Python 3.11
    _StreamHandler = logging.StreamHandler

_LOGGER = logging.getLogger("nemo_run")


class _Handler(_StreamHandler):
    """Ours, so that it can be told from one that the program has set."""


def configure_logging(level: str | int = "INFO") -> None:
    """Show what this library logs on standard error, from ``level`` on.

    Only the logger ``nemo_run`` is touched; the root logger belongs to the program.

    Args:
        level: A name or a number of :mod:`logging`.

    Raises:
        ValueError: There is no such level.
    """
    _LOGGER.setLevel(level.upper() if isinstance(level, str) else level)
    if not any(isinstance(handler, _Handler) for handler in _LOGGER.handlers):
        handler = _Handler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
        _LOGGER.addHandler(handler)


def deconfigure_logging() -> None:
    """Take back what :func:`configure_logging` did."""
    for handler in [h for h in _LOGGER.handlers if isinstance(h, _Handler)]:
        _LOGGER.removeHandler(handler)
    _LOGGER.setLevel(logging.NOTSET)


class CustomConfigRepr:
    """Shows a configuration as a tree when it is printed with rich.

    Args:
        config: The configuration.
    """

    def __init__(self, config: Any) -> None:
        self.config = config

    def __repr__(self) -> str:
        from nemo_run.config.show.printing import tree

        return tree(self.config)

    def __rich_console__(self, _console: Console, _options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(repr(self))


def __getattr__(name: str) -> Any:
    if name != "CONSOLE":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["CONSOLE"] = console = console_of()
    return console


def console_of(*, stderr: bool = False) -> Console:
    """Return a new console of rich on a standard stream, with colours if those are wanted."""
    from rich.console import Console

    from .terminal import colours_refused

    return Console(stderr=stderr, color_system=None if colours_refused() else "auto")
