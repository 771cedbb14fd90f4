"""The graph: a callable and its arguments, called later."""

from __future__ import annotations

import types
import typing
import weakref
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from nemo_run.config import fiddle
from nemo_run.exceptions import ArgumentAttributeError, ArgumentError, shown

from . import positions
from .arguments import assign, read, remove, stored
from .defaults import ATOMS, converted, fill_optional_nodes
from .history import History, caller, origin
from .reference import Deferred, Reference
from .signature import SignatureInfo, display_name, signature_info

if TYPE_CHECKING:
    import functools
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from nemo_run.config.show.diff import Diff
    from nemo_run.config.show.picture import Picture

T = TypeVar("T")
_F = TypeVar("_F", bound=Callable[..., Any])
_set = object.__setattr__


class _Operation:
    """A method that gives way to a parameter of the same name.

    ``cfg.diff`` is the argument where the target takes one called ``diff``; ``Config.diff(cfg,
    old)`` is the operation always.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    def __get__(self, node: Node[Any] | None, owner: type | None = None) -> Any:
        if node is None:
            return self.function
        name = self.__name__
        if name in node.__arguments__:
            return node.__getattr__(name)
        # Of a target that is not imported yet, the arguments that are set are all we know.
        if isinstance(node.__target__, Reference) or name not in node.__signature_info__.keys:
            return self.function.__get__(node, owner)
        return node.__getattr__(name)

    def __set__(self, node: Node[Any], value: Any) -> None:
        Node.__setattr__(node, self.__name__, value)

    def __delete__(self, node: Node[Any]) -> None:
        Node.__delattr__(node, self.__name__)


def _operation(function: _F) -> _F:
    return cast("_F", _Operation(function))


class Node(Generic[T]):
    """A callable and its arguments. Use :class:`Config` or :class:`Partial`.

    Arguments are attributes: reading one that is not set gives its default, ``del`` restores
    the default. Positional ones are items: ``cfg[0]``, ``cfg[1:]``.

    Args:
        fn_or_cls: What to call. A dict, or ``dict``, makes a configuration of a plain dict.
        *args: Positional arguments.
        bind_args: Turn dataclass instances among the arguments into configurations, and fill
            parameters annotated :class:`OptionalDefaultConfig`.
        **kwargs: Named arguments.

    Raises:
        ArgumentError: An argument is unknown or given twice, or nothing can be called.
    """

    # These live in the instance's dict under fiddle's names, which no parameter can have.
    __target__: Callable[..., T] | Reference
    __arguments__: dict[str | int, Any]
    __argument_history__: History
    __argument_tags__: defaultdict[str | int, set[Any]]
    __pending__: bool

    # cfg[0] must not make a node iterable by the old protocol.
    __iter__ = None
    __hash__ = None  # type: ignore[assignment]

    @overload
    def __init__(
        self,
        fn_or_cls: Callable[..., T],
        /,
        *args: Any,
        bind_args: bool = True,
        **kwargs: Any,
    ) -> None: ...

    @overload
    def __init__(
        self: Node[dict[str, Any]],
        fn_or_cls: dict[str, Any],
        /,
        *args: Any,
        bind_args: bool = True,
        **kwargs: Any,
    ) -> None: ...

    @overload
    def __init__(
        self: Node[list[Any]],
        fn_or_cls: list[Any],
        /,
        *args: Any,
        bind_args: bool = True,
        **kwargs: Any,
    ) -> None: ...

    def __init__(
        self, fn_or_cls: Any, /, *args: Any, bind_args: bool = True, **kwargs: Any
    ) -> None:
        if type(fn_or_cls) in (dict, list, tuple, set):
            fn_or_cls, args, kwargs = _of_container(fn_or_cls, args, kwargs)
        target = _target(fn_or_cls)
        arguments = signature_info(target).bind(target, args, kwargs)
        said, place = origin(), caller()
        history = History()
        history.add("__fn_or_cls__", target, said, place)
        memo: dict[int, Any] = {}
        for key, value in arguments.items():
            if bind_args and type(value) not in ATOMS:
                arguments[key] = converted(value, memo)
            history.add(key, value, said, place)
        _fill(self, target, arguments, history)
        if bind_args:
            fill_optional_nodes(self, place)
        fiddle.tag(self)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        fiddle.adopt(cls)

    @classmethod
    def _restore(
        cls,
        target: Callable[..., Any] | Reference,
        arguments: dict[str | int, Any],
        history: dict[str | int, Any] | None = None,
    ) -> Self:
        """Make a node from its parts, unchecked; ``arguments`` is kept, not copied."""
        node = cls.__new__(cls)
        kept = history if isinstance(history, History) else History(history or {})
        _fill(node, target, arguments, kept)
        _set(node, "__pending__", any(_holds_deferred(value) for value in arguments.values()))
        return node

    # What fiddle's tools expect of a node.

    @property
    def __fn_or_cls__(self) -> Callable[..., T]:
        target = self.__target__
        if isinstance(target, Reference):
            target = cast("Callable[..., T]", target.resolve())
            _set(self, "__target__", target)
        return target

    @__fn_or_cls__.setter
    def __fn_or_cls__(self, target: Callable[..., T]) -> None:
        _set(self, "__target__", target)

    @property
    def __signature_info__(self) -> SignatureInfo:
        return signature_info(self.__fn_or_cls__)

    @__signature_info__.setter
    def __signature_info__(self, _info: Any) -> None:
        """Follows from the target; fiddle sets it together with the target."""

    def __flatten__(self) -> tuple[tuple[Any, ...], Metadata]:
        if self.__pending__:
            for key in self.__arguments__:
                stored(self, key)
        arguments = positions.ordered(self)
        tags = {name: frozenset(tags) for name, tags in self.__argument_tags__.items() if tags}
        past = {name: tuple(entries) for name, entries in self.__argument_history__.items()}
        metadata = fiddle.metadata_type(Metadata)
        return tuple(arguments.values()), metadata(self.__fn_or_cls__, tuple(arguments), tags, past)

    @classmethod
    def __unflatten__(cls, values: Iterable[Any], metadata: Any) -> Self:
        node = cls.__new__(cls)
        past = {
            name: fiddle.history_entries(entries)
            for name, entries in metadata.argument_history.items()
        }
        _fill(node, metadata.fn_or_cls, metadata.arguments(values), History(past))
        for name, tags in metadata.argument_tags.items():
            node.__argument_tags__[name].update(tags)
        return node

    def __path_elements__(self) -> tuple[Any, ...]:
        return positions.path_elements(self)

    def __build__(self, /, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__qualname__} does not say how it is built")

    # Arguments.

    def __getattr__(self, name: str) -> Any:
        if name[:2] == "__" == name[-2:]:
            raise AttributeError(name)
        arguments = self.__arguments__
        if name in arguments:
            return stored(self, name) if self.__pending__ else arguments[name]
        return read(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name[:2] == "__" == name[-2:]:
            # Config[T](...) makes typing set __orig_class__, which says nothing new.
            if name != "__orig_class__":
                raise ArgumentAttributeError(f"{name} of a configuration cannot be set.")
            return
        target = self.__fn_or_cls__
        assign(self, signature_info(target).key_of(name, target), value)

    # fiddle's own name of the same.
    def _arguments_set_value(self, key: str | int, value: Any) -> None:
        assign(self, key, value)

    def __delattr__(self, name: str) -> None:
        info = self.__signature_info__
        key = info.key_of(name, self.__fn_or_cls__)
        if key not in self.__arguments__:
            raise ArgumentAttributeError(
                f"{name!r} of {display_name(self.__fn_or_cls__)} is not set, so there is nothing "
                "to delete."
            )
        remove(self, key)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return getattr(self, key)
        return positions.get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            setattr(self, key, value)
        else:
            positions.set_(self, key, value)

    def __delitem__(self, key: Any) -> None:
        if isinstance(key, str):
            delattr(self, key)
        else:
            positions.delete(self, key)

    def __dir__(self) -> list[str]:
        names = {key for key in self.__arguments__ if isinstance(key, str)}
        names.update(self.__signature_info__.valid_param_names)
        names.update(name for name, value in vars(Node).items() if isinstance(value, _Operation))
        return sorted(names)

    # Copies, comparison, text.

    def __copy__(self) -> Self:
        return cast("Self", copy_node(self, dict(self.__arguments__)))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        from .copying import deep_copy_node

        return cast("Self", deep_copy_node(self, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        tags = dict(self.__argument_tags__)
        state = (self.__target__, self.__arguments__, self.__argument_history__, tags)
        return _blank, (type(self),), state

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        target, arguments, history, tags = state
        _fill(self, target, arguments, history)
        self.__argument_tags__.update(tags)
        # A pickled graph may hold itself, so what is inside is not looked at yet.
        _set(self, "__pending__", True)  # noqa: FBT003

    def __eq__(self, other: object) -> bool:
        if not is_node(other):
            return NotImplemented
        from .compare import same

        return same(self, other)

    def __repr__(self) -> str:
        from nemo_run.config.show.printing import short

        return short(self)

    def __str__(self) -> str:
        from nemo_run.config.show.printing import tree

        return tree(self)

    # Operations on the whole graph.

    @_operation
    def clone(self) -> Self:
        """Return a deep copy; what is shared inside stays shared inside the copy."""
        import copy

        return copy.deepcopy(self)

    @_operation
    def walk(self, **fns: Callable[[Any], Any]) -> Self:
        """Set arguments from functions of their node, on every node of the graph.

        Args:
            **fns: For each argument name a function that gets the node and returns the new
                value. Nodes where the argument has no value are left alone.

        Returns:
            This node, changed in place.
        """
        from .broadcast import walk

        walk(self, fns)
        return self

    @_operation
    def broadcast(self, **values: Any) -> Self:
        """Set arguments on every node of the graph that takes them.

        Args:
            **values: The new values. A name that no node takes changes nothing, with a warning.

        Returns:
            This node, changed in place.
        """
        from .broadcast import broadcast

        broadcast(self, values)
        return self

    @_operation
    def diff(self, old: Any, trim: bool = True, **_options: Any) -> Diff:
        """Return what differs between ``old`` and this configuration.

        Args:
            old: The configuration to compare with.
            trim: Show only what differs; otherwise the whole graph with the differences marked.
        """
        from nemo_run.config.show.diff import diff

        return diff(self, old, trim=trim)

    @_operation
    def visualize(self, **_options: Any) -> Picture:
        """Return a picture of this configuration; needs no other program."""
        from nemo_run.config.show.picture import picture_of

        return picture_of(self)

    @_operation
    def save_config_img(self, path_str: str, **_options: Any) -> None:
        """Write a picture of this configuration.

        Args:
            path_str: A ``.svg`` or ``.png`` file, or a folder for ``config.png``.
        """
        from nemo_run.config.show.picture import picture_of

        picture_of(self).save(path_str)

    @_operation
    def _repr_svg_(self) -> str:
        """Return the picture that notebooks show."""
        from nemo_run.config.show.picture import picture_of

        return picture_of(self).svg


class Config(Node[T]):
    """A call to be made later: building it calls the target with its arguments."""

    def __build__(self, /, *args: Any, **kwargs: Any) -> T:
        return self.__fn_or_cls__(*args, **kwargs)


class Partial(Node[T]):
    """A call to be prepared: building it gives a :func:`functools.partial` of the target."""

    def __build__(self, /, *args: Any, **kwargs: Any) -> functools.partial[T]:
        return cast("functools.partial[T]", fiddle.partial(self.__fn_or_cls__, args, kwargs))


class Metadata(typing.NamedTuple):
    """Everything of a node but its values, under fiddle's names."""

    fn_or_cls: Callable[..., Any]
    argument_names: tuple[str | int, ...]
    argument_tags: Mapping[Any, frozenset[Any]]
    argument_history: Mapping[Any, tuple[Any, ...]] = {}  # never changed

    def without_history(self) -> Metadata:
        """Return the same without history."""
        return self._replace(argument_history={})

    def arguments(self, values: Iterable[Any]) -> dict[str | int, Any]:
        """Return ``values`` by argument."""
        return dict(zip(self.argument_names, values, strict=False))

    def tags(self) -> defaultdict[Any, set[Any]]:
        """Return the tags as a node stores them."""
        return defaultdict(set, {name: set(tags) for name, tags in self.argument_tags.items()})

    def history(self) -> History:
        """Return the history as a node stores it."""
        return History({name: list(past) for name, past in self.argument_history.items()})


def _fill(node: Node[Any], target: Any, arguments: dict[str | int, Any], history: History) -> None:
    _set(node, "__target__", target)
    _set(node, "__arguments__", arguments)
    _set(node, "__argument_history__", history)
    _set(node, "__argument_tags__", defaultdict(set))
    _set(node, "__pending__", False)  # noqa: FBT003


def copy_node(node: Any, arguments: dict[str | int, Any]) -> Any:
    """Return a node like ``node`` with other arguments, and its history."""
    copied = node.__class__.__new__(node.__class__)
    _fill(copied, node.__target__, arguments, node.__argument_history__.copy())
    for name, tags in node.__argument_tags__.items():
        copied.__argument_tags__[name] = set(tags)
    _set(copied, "__pending__", node.__pending__)
    return copied


def _blank(cls: type[Node[Any]]) -> Node[Any]:
    return cls.__new__(cls)


def _target(fn_or_cls: Any) -> Any:
    """Return what is called: the class of a subscript, the callable itself otherwise."""
    if is_node(fn_or_cls):
        raise ArgumentError(
            f"A configuration cannot configure another one, {type(fn_or_cls).__name__}"
            f"[{target_name(fn_or_cls)}]. To change arguments, "
            "set them on a clone(); to configure its target, give the target itself."
        )
    found = typing.get_origin(fn_or_cls)
    if found is None:
        return fn_or_cls
    if found is typing.Annotated:
        return _target(typing.get_args(fn_or_cls)[0])
    if found is types.UnionType or not isinstance(found, type):
        raise ArgumentError(
            f"{shown(fn_or_cls)} cannot be called. Configure one class of it, such as "
            "Config(Model)."
        )
    return found


def _of_container(
    container: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    kind = type(container)
    if kind is dict and all(isinstance(key, str) for key in container):
        return dict, args, {**container, **kwargs}
    return kind, ((container, *args) if container else args), kwargs


def _holds_deferred(value: Any) -> bool:
    kind = type(value)
    if kind is Deferred:
        return True
    if kind is list or kind is tuple:
        return any(_holds_deferred(item) for item in value)
    if kind is dict:
        return any(_holds_deferred(item) for item in value.values())
    return False


_foreign: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()
_PROTOCOL = ("__build__", "__flatten__", "__unflatten__", "__path_elements__")


def is_node(value: Any) -> bool:
    """Whether ``value`` is a node: ours, or one of fiddle's."""
    if isinstance(value, Node):
        return True
    kind = type(value)
    if kind in ATOMS:
        return False
    known = _foreign.get(kind)
    if known is None:
        known = _foreign[kind] = all(hasattr(kind, name) for name in _PROTOCOL)
    return known


def target_of(node: Any) -> Any:
    """Return the target of a node without importing anything: a callable or a Reference."""
    return node.__target__ if isinstance(node, Node) else node.__fn_or_cls__


def target_name(node: Any) -> str:
    """Return ``module.qualname`` of a node's target without importing anything."""
    target = target_of(node)
    if isinstance(target, Reference):
        return str(target)
    module = getattr(target, "__module__", None)
    name = display_name(target)
    return f"{module}.{name}" if isinstance(module, str) else name


fiddle.watch()
