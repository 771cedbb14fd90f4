"""A task by the name of its function, with what is to be changed in it; made when it runs."""

from __future__ import annotations

import sys
from collections import abc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.history import History
from nemo_run.config.graph.node import Partial
from nemo_run.config.graph.reference import Reference
from nemo_run.exceptions import OverrideError

from .changes import Place, change_of, changes_of, changes_of_file, shown
from .names import LazyTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_OWN = frozenset({"is_lazy", "resolve", "target", "overwrites"})


class LazyEntrypoint(Partial[Any]):
    """A task whose function is imported when the task is built, mostly in the job.

    ::

        task = run.LazyEntrypoint("nemo.collections.llm.pretrain", factory="llama3_8b")
        task.trainer.max_steps = 100
        task.optim.lr *= 0.5
        run.run(task, executor=slurm)

    Setting an attribute, however deep, and ``+ - * /`` of one are kept in their order, and carried
    out by :meth:`resolve`. The job needs NeMo Run to do that.

    Args:
        target: The function, or its name: ``package.module.function``, ``module:function``,
            ``path/to/file.py:function``, or the words of a command, such as ``llm pretrain``.
        factory: The factory that the task begins with.
        yaml: A file, or several, with values; read now.
        overwrites: What is changed: texts such as ``lr=0.1``, in which the function's own types are
            read when it is there; or a mapping of keys to values.
    """

    is_lazy = True

    def __init__(
        self,
        target: Any,
        factory: str | None = None,
        yaml: str | Iterable[str] | None = None,
        overwrites: Mapping[str, Any] | Iterable[Any] | None = None,
    ) -> None:
        files = [yaml] if isinstance(yaml, str) else list(yaml or ())
        given: Iterable[Any] = overwrites or ()
        if isinstance(given, abc.Mapping):
            given = given.items()
        changes = [change for file in files for change in changes_of_file(file)]
        changes += [change_of(one) for one in given]
        named = str(target) if isinstance(target, (LazyTarget, Reference)) else target
        arguments: dict[str | int, Any] = {
            "target": named,
            "factory": factory,
            "overwrites": changes,
        }
        made: Partial[Any] = Partial._restore(_Call(named), arguments, History())  # noqa: SLF001
        vars(self).update(vars(made))

    @property
    def target(self) -> Any:
        """The function, or its name."""
        return self.__arguments__["target"]

    @property
    def overwrites(self) -> list[Any]:
        """What is changed, in order: texts as typed, and dicts with key, operator and value."""
        found: list[Any] = self.__arguments__["overwrites"]
        return found

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" == name[-2:]:
            raise AttributeError(name)
        if name.startswith(("_ipython", "_repr_")):  # notebooks ask everything for these
            raise AttributeError(name)
        return Place(self.overwrites, (name,))

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            raise OverrideError(
                f"{name} of a LazyEntrypoint cannot be set. An argument of that name is set with "
                f"overwrites={{{name!r}: ...}}."
            )
        self.overwrites.extend(changes_of((name,), value))

    def __getitem__(self, key: Any) -> Any:
        return Place(self.overwrites, ())[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        Place(self.overwrites, ())[key] = value

    def __build__(self, /, *_args: Any, **_kwargs: Any) -> Any:
        from nemo_run.config import build

        return build(self.resolve())

    def resolve(self, ctx: Any = None) -> Partial[Any]:
        """Import the function and return its task, with everything changed that was to be.

        Args:
            ctx: The context of the run, for a function that takes one.

        Raises:
            ConfigError: The function, a factory, a key or a value cannot be used.
        """
        return _resolved(self.target, self.__arguments__["factory"], self.overwrites, ctx)

    def __repr__(self) -> str:
        """Return how it is made."""
        name = self.target if isinstance(self.target, str) else self.target.__qualname__
        factory = self.__arguments__["factory"]
        more = [f"factory={factory!r}"] if factory else []
        return f"LazyEntrypoint({', '.join([repr(name), *more, *map(shown, self.overwrites)])})"


def lazily(
    target: Any, words: Sequence[str], *, factory: str | None = None, files: Iterable[str] = ()
) -> LazyEntrypoint:
    """Return the task of a command line without reading its words: ``--lazy``.

    Args:
        target: The function of the script, or the name of one that is not imported.
        words: Values by position, then ``key=value``.
        factory: What ``--factory`` names.
        files: The files to take values from.
    """
    target = _place(target)
    if factory and factory.startswith("@"):
        return LazyEntrypoint(target, None, [factory[1:], *files], list(words))
    return LazyEntrypoint(target, factory, list(files), list(words))


def _place(target: Any) -> Any:
    """Return where the function of a script is: the job needs the script's factories as well."""
    if isinstance(target, str):
        file, colon, name = target.rpartition(":")
        return f"{Path(file).absolute()}:{name}" if colon and file.endswith(".py") else target
    script = getattr(sys.modules["__main__"], "__file__", None)
    if getattr(target, "__module__", None) != "__main__" or not script:
        return target
    return f"{Path(script).absolute()}:{target.__qualname__}"


def call_lazily(
    target: Any, factory: str | None = None, overwrites: Sequence[Any] = (), **more: Any
) -> Any:
    """Make the task that a :class:`LazyEntrypoint` describes, and call it. Runs in the job.

    Args:
        target: The function or its name.
        factory: The factory that the task begins with.
        overwrites: What is changed.
        **more: Arguments that are given when it is called.
    """
    from nemo_run.config import build

    return build(_resolved(target, factory, overwrites, None))(**more)


class _Call:
    """What a lazy task calls: shown as its function, and written as :func:`call_lazily`."""

    def __init__(self, of: Any) -> None:
        self.of = of
        named = of if isinstance(of, str) else f"{of.__module__}:{of.__qualname__}"
        module, colon, name = named.rpartition(":")
        if not colon:
            module, _, name = named.rpartition(" " if " " in named else ".")
        # A function of a script is known by its own name.
        in_script = module.endswith(".py")
        self.__module__ = None if in_script else module.replace(" ", ".")  # type: ignore[assignment]
        self.__qualname__ = self.__name__ = name

    def __call__(self, target: Any, factory: str | None = None, overwrites: Any = ()) -> Any:
        """Do as :func:`call_lazily`."""
        return call_lazily(target, factory, overwrites)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Call) and self.of == other.of

    def __hash__(self) -> int:
        return hash(self.__qualname__)

    def __reference__(self) -> Reference:
        # The package, so that stored tasks do not depend on where in it the function lies.
        return Reference(__package__ or __name__, call_lazily.__qualname__)


def _resolved(target: Any, factory: str | None, changes: Sequence[Any], ctx: Any) -> Partial[Any]:
    from nemo_run.cli.entrypoints.entrypoint import Entrypoint, entrypoint_of
    from nemo_run.cli.flow.tasks import begun, give_context, takes_context
    from nemo_run.cli.flow.words import Words
    from nemo_run.config.overrides.grammar import is_override
    from nemo_run.config.overrides.unset import filled

    from .changes import carried_out
    from .functions import function_of

    fn = function_of(target)
    entry = entrypoint_of(fn) or Entrypoint(fn)
    if ctx is None and takes_context(entry):
        raise OverrideError(
            f"{entry.name} describes an experiment, which is done where it is launched, and not "
            "in a job. Leave --lazy out; in Python, give the context of the run: resolve(ctx)."
        )
    words = [one for one in changes if isinstance(one, str) and not is_override(one)]
    base, by_position = begun(entry, factory, Words(tuple(words)))
    others = [one for one in changes if not isinstance(one, str) or is_override(one)]
    task: Partial[Any] = filled(carried_out(base, [*by_position, *others]))
    if ctx is not None:
        give_context(entry, task, ctx)
    return task
