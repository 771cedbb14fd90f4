"""Modules and names of modules that stand for themselves until somebody needs them."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn, Union

from nemo_run.config.graph.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable


class LazyModule(ModuleType):
    """A module by its name; nothing is imported.

    An attribute is a :class:`LazyTarget`, or another lazy module where that is known to be one.
    Calling it imports what its dotted name names, and calls that.

    Args:
        name: Its dotted name.
        modules: The dotted names that are known to be modules.
    """

    # A set that all lazy modules of a package share: ``import a.b`` tells what ``a.b`` is.
    _modules: set[str]

    def __init__(self, name: str, modules: Iterable[str] = ()) -> None:
        super().__init__(name, f"Stands for the module {name}, which is not imported.")
        self.__dict__["_modules"] = modules if isinstance(modules, set) else set(modules)

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" == name[-2:]:
            raise AttributeError(f"{self!r} has no {name}.")
        full = f"{self.__name__}.{name}"
        if any(known == full or known.startswith(f"{full}.") for known in self._modules):
            return LazyModule(full, self._modules)
        return LazyTarget(f"{self.__name__}:{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"{self.__name__}.{name} cannot be set: {self.__name__} is not imported. Import it "
            "outside of lazy_imports()."
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Import what the dotted name names, and call it."""
        return LazyTarget(self.__name__)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyModule) and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash((LazyModule, self.__name__))

    def __repr__(self) -> str:
        return f"<lazy module {self.__name__!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyModule, (self.__name__, sorted(self._modules))


class LazyTarget:
    """A function, class or constant by its name; nothing is imported until it is called.

    It may stand wherever a configuration takes a callable: ``run.Partial(LazyTarget("a.b.f"))``
    travels as the name ``a.b.f``, and the job imports it.

    Args:
        import_path: ``package.module.name`` or ``package.module:name``; or the words of a command
            of an installed package, such as ``llm pretrain``; or ``path/to/file.py:name``.
        script: A Python file that has ``import_path``, instead of a module.
    """

    __iter__ = None  # what has __getitem__ would be iterated for ever

    def __init__(self, import_path: str, script: str = "") -> None:
        self.import_path = import_path
        self.script = script
        reference = _reference(import_path)
        self.__module__ = reference.module
        self.__qualname__ = reference.qualname
        self.__name__ = reference.qualname.rpartition(".")[2]

    def __reference__(self) -> Reference:
        """Return the name it has in files."""
        if self._is_command:
            raise ValueError(
                f"{self.import_path!r} is no name of a module. Give run.LazyEntrypoint("
                f"{self.import_path!r}), which finds it in the job"
            )
        return _reference(self.import_path)

    @property
    def target(self) -> Any:
        """What it stands for; imports it.

        Raises:
            ConfigError: It cannot be imported, or is not there.
        """
        if not self._is_command:
            return _reference(self.import_path).resolve()
        from .functions import function_of

        return function_of(f"{self.script}:{self.import_path}" if self.script else self.import_path)

    @property
    def _is_command(self) -> bool:
        path = self.import_path.partition(":")[0]
        return bool(self.script) or " " in path or path.endswith(".py")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Import it, and call it."""
        return self.target(*args, **kwargs)

    def __getattr__(self, name: str) -> LazyTarget:
        if name[:2] == "__" == name[-2:]:
            raise AttributeError(f"{self!r} has no {name}.")
        return LazyTarget(f"{self.import_path}.{name}", self.script)

    # Annotations: ``list[Model]``, ``Model | None``, ``Generic[int]``.

    def __or__(self, other: Any) -> Any:
        return Union[self, other]  # noqa: UP007 - of objects

    def __ror__(self, other: Any) -> Any:
        return Union[other, self]  # noqa: UP007 - of objects

    def __getitem__(self, _item: Any) -> LazyTarget:
        return self

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> NoReturn:
        raise TypeError(
            f"A class cannot be derived from {self!r}, which is not imported. Import "
            f"{self.import_path.replace(':', '.')} outside of lazy_imports()."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LazyTarget) and (
            (str(self), self.script) == (str(other), other.script)
        )

    def __hash__(self) -> int:
        return hash((LazyTarget, str(self), self.script))

    def __str__(self) -> str:
        return self.import_path.replace(":", ".")

    def __repr__(self) -> str:
        return f"<lazy {self}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyTarget, (self.import_path, self.script)


def _reference(path: str) -> Reference:
    if ":" in path:
        module, _, name = path.partition(":")
    else:
        module, _, name = path.rpartition(".")
    return Reference(module, name)
