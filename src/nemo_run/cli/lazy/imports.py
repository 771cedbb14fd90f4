"""Import statements that import nothing."""

from __future__ import annotations

import builtins
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from .names import LazyModule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType, TracebackType

    from typing_extensions import Self

# Every job is told who it is.
_IN_JOB = "NEMORUN_JOB"


class lazy_imports:  # noqa: N801 - used like a function
    """Make the import statements of a ``with`` block import nothing.

    ::

        with run.lazy_imports():
            import torch
            from nemo.collections import llm

        task = run.Partial(llm.pretrain, optimizer=run.Config(torch.optim.Adam, lr=1e-4))

    What they bind stands for the module or the name (:class:`LazyModule`,
    :class:`LazyTarget`). It can be configured, annotated with and written to a file; it is
    imported when it is called, mostly in the job. So a machine can describe a task without having
    its packages.

    Only the statements in the block itself are meant: those of the functions that it calls, of
    modules that are imported meanwhile, of other threads and of other coroutines are carried out
    as ever. An import statement looks ``__import__`` up in the builtins of its frame, which all
    frames share, and which a frame keeps once it runs; so for as long as any block is open there is
    a function there that looks who is importing. For every frame but the one that opened the
    block it hands the very call on to what was there before, and afterwards that is put back.

    In a job the block imports what it can: a function of a script finds there the very modules that
    the script names.

    Args:
        fallback_to_lazy: Try the import first, and stand in only for what cannot be imported.
    """

    def __init__(self, fallback_to_lazy: bool = False) -> None:
        self.fallback_to_lazy = fallback_to_lazy or _IN_JOB in os.environ
        self._frame: FrameType | None = None
        # One for all statements of the block, for ``import a.b`` says something of ``a`` too.
        self._modules: set[str] = set()

    def __enter__(self) -> Self:
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to know whose block it is
        while frame.f_back is not None and frame.f_globals.get("__name__") == "contextlib":
            frame = frame.f_back  # entered through an ExitStack
        self._frame = frame
        _hooks.open(self, frame)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._frame is not None:
            _hooks.close(self, self._frame)
            self._frame = None

    def bring(
        self,
        name: str,
        names: Mapping[str, Any] | None,
        wanted: Sequence[str],
        level: int,
        really: Callable[..., Any],
    ) -> Any:
        """Return what an import statement of the block gets.

        Args:
            name: The module as written, without leading dots.
            names: The globals of the statement.
            wanted: The names after ``import`` of ``from … import``.
            level: How many leading dots there were.
            really: What imports.

        Raises:
            ImportError: It asks for ``*``, or goes beyond its package.
        """
        if name == "__future__" and not level:
            return really(name, names, None, wanted, level)
        if self.fallback_to_lazy:
            try:
                return really(name, names, None, wanted, level)
            except ImportError:
                pass  # what this block is for
        full = _absolute(name, names or {}, level)
        if "*" in wanted:
            raise ImportError(
                f"from {full} import * cannot be lazy: its names are not known. Name them.",
                name=full,
            )
        self._modules.add(full)
        return LazyModule(full if wanted else full.partition(".")[0], self._modules)


def _absolute(name: str, names: Mapping[str, Any], level: int) -> str:
    if not level:
        return name
    package = names.get("__package__") or names.get("__name__", "").rpartition(".")[0]
    parents = package.split(".") if package else []
    if level > len(parents):
        raise ImportError(
            f"from {'.' * level}{name} goes beyond the package of {names.get('__name__')!r}."
        )
    return ".".join(filter(None, [*parents[: len(parents) - level + 1], name]))


class _Hook:
    """What stands in for ``__import__`` from the first block that opens to the last that ends."""

    def __init__(self) -> None:
        self.before = builtins.__import__
        self.blocks: dict[int, list[lazy_imports]] = {}

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        # The frame of the import statement. While a block is open its frame lives, so no other
        # frame has its id.
        mine = self.blocks.get(id(sys._getframe(1)))  # noqa: SLF001
        if mine:
            return mine[-1].bring(name, globals, fromlist or (), level, self.before)
        return self.before(name, globals, locals, fromlist or (), level)


class _Hooks:
    """The hook that is in place now, if any."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._hook: _Hook | None = None

    def open(self, block: lazy_imports, frame: FrameType) -> None:
        with self._lock:
            if self._hook is None:
                self._hook = _Hook()
                builtins.__import__ = self._hook
            self._hook.blocks.setdefault(id(frame), []).append(block)

    def close(self, block: lazy_imports, frame: FrameType) -> None:
        with self._lock:
            hook = self._hook
            if hook is None:
                return
            mine = hook.blocks[id(frame)]
            mine.remove(block)
            if not mine:
                del hook.blocks[id(frame)]
            if not hook.blocks:
                # Where somebody has put a function over this one, it stays below it, and hands on.
                if builtins.__import__ is hook:
                    builtins.__import__ = hook.before
                self._hook = None


_hooks = _Hooks()
