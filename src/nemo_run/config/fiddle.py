"""Our nodes as citizens of fiddle, for programs that use both.

fiddle is never imported from here. When the program imports it, before or after us, every node
class becomes a virtual subclass of ``fdl.Buildable`` (``Config`` of ``fdl.Config``, ``Partial`` of
``fdl.Partial``) and is made known to fiddle's traversals, so that ``fdl.build``, ``fdl.cast``,
selectors, diffs, printing and fiddle's JSON take our nodes where they take fiddle's own.

Written for fiddle 0.3.0 and 0.3.1: https://github.com/google/fiddle
"""

from __future__ import annotations

import os
import sys
from _thread import RLock, get_ident
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .graph.history import DELETED, HistoryEntry, Shown, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from .graph.node import Node


class _Fiddle(NamedTuple):
    """The parts of one loaded fiddle that we talk to."""

    # The node classes that its traversals know already.
    known: set[type]
    config: ModuleType
    casting: ModuleType
    daglish: ModuleType
    history: ModuleType
    partial: ModuleType
    tag_type: ModuleType
    tagging: ModuleType


_PARTS = _Fiddle._fields[1:]
_fiddle: _Fiddle | None = None
# Held while classes are made known, so that none made by another thread meanwhile is missed.
_teaching = RLock()


def watch() -> None:
    """Make our nodes known to fiddle now when it is loaded, and whenever it is imported later."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
    if sys.modules.get("fiddle") is not None:
        import_module("fiddle")  # waits for another thread that is importing it just now
        _register()


def adopt(cls: type[Node[Any]]) -> None:
    """Make a new class of nodes known to fiddle, where fiddle is loaded."""
    with _teaching:
        if _fiddle is not None:
            _teach(_fiddle, cls)


def metadata_type(own: Any) -> Any:
    """Return the class of a flattened node's metadata: fiddle's where it is loaded, else ``own``.

    fiddle recognises its own class, and drops the history from it before it writes JSON.
    """
    return own if _fiddle is None else _fiddle.config.BuildableTraverserMetadata


def history_entries(entries: Iterable[Any]) -> list[HistoryEntry]:
    """Return entries of fiddle's history and of ours as ours."""
    return [entry if isinstance(entry, HistoryEntry) else _own_entry(entry) for entry in entries]


def _own_entry(entry: Any) -> HistoryEntry:
    place = entry.location
    value: Any
    if entry.kind.name == "UPDATE_TAGS":
        value = Shown(sorted(map(str, entry.new_value)))
    elif _fiddle is not None and entry.new_value is _fiddle.history.DELETED:
        value = DELETED
    else:
        value = summary(entry.new_value)
    return HistoryEntry(
        entry.sequence_id,
        entry.param_name,
        "deleted" if value is DELETED else "python",
        value,
        place.filename,
        place.line_number,
        place.function_name,
    )


class _Kind(str):
    """What set a value; equals fiddle's ``NEW_VALUE`` too, by which fiddle picks what to print."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return str.__eq__(self, other) is True or getattr(other, "name", "") == "NEW_VALUE"

    __hash__ = str.__hash__


def _kind(entry: HistoryEntry) -> _Kind:
    return _Kind(entry[2])


def tag(node: Node[Any]) -> None:
    """Give a new node the fiddle tags of its target's annotations and of its arguments."""
    if _fiddle is None:
        return
    for key, value in list(node.__arguments__.items()):
        take_tagged(node, key, value)
    # Reading annotations takes longer than making a node, and few programs define tags.
    if _fiddle.tagging.Tag.__subclasses__():
        for name, tags in _annotated_tags(node.__fn_or_cls__).items():
            _add_tags(node, name, tags)


def _annotated_tags(target: Any) -> Mapping[str, Iterable[Any]]:
    assert _fiddle is not None
    try:
        found = _fiddle.tag_type.find_tags_from_annotations(target)
    except (ValueError, TypeError, SyntaxError, ArithmeticError, LookupError, AttributeError):
        # A builtin without signature, or annotations that are no types, carry no tags.
        return {}
    return cast("Mapping[str, Iterable[Any]]", found)


def take_tagged(node: Node[Any], key: str | int, value: Any) -> bool:
    """Set an argument to a ``fdl.TaggedValue``: its value is the node's, its tags the argument's.

    Returns:
        Whether ``value`` was one.
    """
    if _fiddle is None or not isinstance(value, _fiddle.config.TaggedValueCls):
        return False
    _add_tags(node, key, value.tags)
    if "value" in value.__arguments__:
        node._arguments_set_value(key, value.__arguments__["value"])  # noqa: SLF001  (fiddle's name)
    elif node.__arguments__.get(key) is value:
        del node.__arguments__[key]
    return True


def _add_tags(node: Node[Any], key: str | int, tags: Iterable[Any]) -> None:
    node.__argument_tags__[key].update(tags)
    node.__argument_history__.add_updated_tags(key, node.__argument_tags__[key])


def partial(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the ``functools.partial`` of a call, with any ``fdl.ArgFactory`` among its arguments.

    Such an argument is made anew on each call.
    """
    import functools

    if _fiddle is None:
        return functools.partial(fn, *args, **kwargs)
    return _fiddle.partial._build_partial(fn, tuple(args), dict(kwargs))  # noqa: SLF001


def _register() -> None:
    """Introduce our classes to the fiddle that is loaded; once for each time it is loaded."""
    if "fiddle._src.config" not in sys.modules:
        return  # another package is called fiddle
    try:
        # Every import comes before the lock: a thread that holds the lock waits for no import.
        parts = [import_module(f"fiddle._src.{name}") for name in _PARTS]
        _introduce(_Fiddle(set(), *parts), import_module("nemo_run.config.graph.node"))
    except (AttributeError, ImportError, TypeError, ValueError) as error:
        _warn(error)


def _introduce(loaded: _Fiddle, ours: Any) -> None:
    global _fiddle  # noqa: PLW0603  (one process has one fiddle)
    with _teaching:
        if _fiddle is not None and _fiddle.config is loaded.config:
            return  # done already
        _introduce_classes(loaded, ours)
        _fiddle = loaded


def _introduce_classes(loaded: _Fiddle, ours: Any) -> None:
    pairs = {ours.Config: loaded.config.Config, ours.Partial: loaded.partial.Partial}
    loaded.config.Buildable.register(ours.Node)
    for own, theirs in pairs.items():
        theirs.register(own)
    for cls in _with_descendants(ours.Node):
        _teach(loaded, cls)
    kinds = [*pairs, *pairs.values(), loaded.partial.ArgFactory]
    for source in kinds:
        for goal in kinds:
            loaded.casting.register_supported_cast(source, goal)
    # The lines of ours that set arguments of fiddle's nodes on behalf of the program.
    for file in ("broadcast.py", "node.py", "setting_paths.py"):
        loaded.history.add_exclude_location(os.path.join("nemo_run", "config", "graph", file))  # noqa: PTH118
    # Only programs with fiddle pay for this one.
    HistoryEntry.kind = property(_kind)  # type: ignore[assignment]


def _with_descendants(cls: type[Any]) -> Iterator[type[Any]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _with_descendants(child)


def _teach(loaded: _Fiddle, cls: type[Node[Any]]) -> None:
    if cls in loaded.known:
        return
    loaded.known.add(cls)
    loaded.daglish.register_node_traverser(
        cls,
        flatten_fn=lambda node: node.__flatten__(),
        unflatten_fn=cls.__unflatten__,
        path_elements_fn=lambda node: node.__path_elements__(),
    )
    # The second one, which shows defaults too, compares graphs.
    loaded.config._register_buildable_defaults_aware_traversers(cls)  # noqa: SLF001


def _warn(error: Exception) -> None:
    import warnings

    version = getattr(sys.modules.get("fiddle"), "__version__", "version unknown")
    warnings.warn(
        f"Configurations of nemo_run are unknown to the installed fiddle ({version}): {error}. "
        "fdl.build, fdl.cast and isinstance(cfg, fdl.Buildable) will not take them. "
        "Versions known to work: 0.3.0, 0.3.1.",
        RuntimeWarning,
        stacklevel=2,
    )


class _Finder:
    """Finds nothing itself; sees fiddle being imported and waits until it is."""

    def __init__(self) -> None:
        self._searching: set[int] = set()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "fiddle" or get_ident() in self._searching:
            return None
        # Another finder like this one may ask all finders in turn.
        self._searching.add(get_ident())
        try:
            spec = self._find(name, path, target)
        finally:
            self._searching.discard(get_ident())
        if spec is not None and spec.loader is not None:
            _register_after(spec.loader)
        return spec

    def _find(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            search = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = search(name, path, target) if search else None
            if spec is not None:
                return spec
        return None


def _register_after(loader: Any) -> None:
    """Have this one loader register our classes after it has loaded fiddle.

    The loader stays what it is, so that ``inspect``, ``importlib.resources`` and reloading see
    nothing of this. A loader that serves other modules too (a zip file's) passes them on.
    """

    def exec_module(module: ModuleType) -> None:
        if module.__name__ != "fiddle":
            original(module)
            return
        loader.__dict__.pop("exec_module", None)
        original(module)
        _register()

    try:
        original = loader.exec_module
        loader.exec_module = exec_module
    except AttributeError as error:
        _warn(error)
