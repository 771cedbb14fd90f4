"""Values of a file, made to fit the place that they go to.

What a person writes is read by the annotation, as on the command line, also inside of an object
that is spelled (``_target_``). There what has the type already stays: it was exported so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.copying import deep_copy
from nemo_run.config.graph.reference import Reference, resolved
from nemo_run.exceptions import ConfigError, OverrideError

if TYPE_CHECKING:
    from collections.abc import Callable


class PlacedError(OverrideError):
    """What is wrong with one line of a value that stands on several.

    Attributes:
        line: The line, if it is known.
    """

    def __init__(self, says: str, line: int | None) -> None:
        super().__init__(says)
        self.line = line


@dataclass(frozen=True)
class Spelled:
    """An argument of an object that a file spells.

    Attributes:
        value: The argument.
    """

    value: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> Spelled:
        return Spelled(deep_copy(self.value, memo))


def fitted(data: Any, hint: Any, resolve: Callable[..., Any] | None) -> Any:
    """Return the value that data of a file gives; the modules of its objects are imported.

    Args:
        data: As :class:`~nemo_run.config.overrides.grammar.Override` holds it. Configurations
            in it are changed in place.
        hint: The annotation of what takes it.
        resolve: Finds the factories that are named.

    Raises:
        OverrideError: It does not fit.
    """
    value = resolved(data.value if isinstance(data, Spelled) else data)
    _settle(value)
    read = _read if isinstance(data, Spelled) else _converted
    return read(value, hint, resolve)


def _read(value: Any, hint: Any, resolve: Callable[..., Any] | None) -> Any:
    """Return an argument of an object that is spelled."""
    from nemo_run.config.checks.annotations import mismatches
    from nemo_run.config.values.exact import is_exact

    if is_exact(value, hint):
        return value
    try:
        return _converted(value, hint, resolve)
    except OverrideError:
        if mismatches(value, hint):
            raise
        return value


def _converted(value: Any, hint: Any, resolve: Callable[..., Any] | None) -> Any:
    from nemo_run.config.values.parse import convert

    resolve, worded = resolve and _strict(resolve), _worded(value, hint)
    try:
        result = convert(worded, hint, resolve)
    except OverrideError:
        if type(value) is not float or not value.is_integer():
            raise
        # 1e6: a file has no other way to write a whole number so.
        result = convert(int(value), hint, resolve)
    if _names_factory(result):
        raise OverrideError(
            "nothing says what the items are, so no factory for them can be found. Annotate the "
            "argument, or spell them with _target_."
        )
    return result


def _worded(value: Any, hint: Any) -> Any:
    """Return a value in which texts are words of the command line, where no text can stand."""
    from nemo_run.config.overrides.hints import of_entry, of_item
    from nemo_run.config.values.reading import item_word
    from nemo_run.config.values.unions import allows_text

    if type(value) is str:
        return value if allows_text(hint) else item_word(value)
    if type(value) is list:
        return [_worded(item, of_item(hint, index)) for index, item in enumerate(value)]
    if type(value) is dict:
        return {key: _worded(item, of_entry(hint, key)) for key, item in value.items()}
    return value


def _names_factory(value: Any) -> bool:
    from nemo_run.config.values.reading import Word

    if type(value) in (list, dict):
        return any(map(_names_factory, value.values() if type(value) is dict else value))
    return type(value) is Word


def _strict(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Return a resolver that refuses what would otherwise be a text: ``_factory_`` names one."""
    from nemo_run.config.factories import fitting, suggestion
    from nemo_run.config.values.parse import NOT_FOUND
    from nemo_run.config.values.unions import allows_text

    def strict(call: Any, hint: Any) -> Any:
        found = resolve(call, hint)
        if found is NOT_FOUND and allows_text(hint):
            raise OverrideError(
                f"there is no factory {call.name!r} for it.{suggestion(call.name, fitting(hint))}"
            )
        return found

    return strict


def _settle(value: Any) -> None:
    """Load the targets of all nodes of a value, and read their plain arguments."""
    from nemo_run.config.graph.traverse import nodes

    for path, node in list(nodes(value)):
        inside = f"{path}: " if path else ""
        try:
            target = _load(node)
            _name_positional(node, target)
        except ConfigError as error:
            line = _line(node, "__fn_or_cls__")
            raise PlacedError(f"{inside}{error}", line) from error.__cause__
        for key in list(node.__arguments__):
            try:
                _settle_argument(node, key, target)
            except ConfigError as error:
                raise PlacedError(f"{inside}{error}", _line(node, key)) from error.__cause__


def _settle_argument(node: Any, key: str | int, target: Any) -> None:
    from nemo_run.config.graph.signature import signature_info
    from nemo_run.config.overrides.hints import of_argument
    from nemo_run.config.overrides.resolving import resolver

    info = signature_info(target)
    if isinstance(key, str) and key not in info.keys and not info.has_var_keyword:
        raise OverrideError(info.unknown(key, target))
    value = node.__arguments__[key] = resolved(node.__arguments__[key])
    resolve = resolver(target, str(key))
    try:
        node.__arguments__[key] = _read(value, of_argument(target, key), resolve)
    except OverrideError as error:
        place = key if isinstance(key, str) else f"[{key}]"
        raise OverrideError(f"{place}: {error}") from error.__cause__


def _line(node: Any, key: str | int) -> int | None:
    entries = node.__argument_history__.get(key)
    return entries[-1].location.line_number if entries else None


def _load(node: Any) -> Any:
    """Import the target of a node; ``a.B.C`` may be a class inside of a class, as Hydra has it."""
    reference = getattr(node, "__target__", None)
    if not isinstance(reference, Reference):
        return node.__fn_or_cls__
    try:
        return node.__fn_or_cls__
    except ConfigError:
        module, name = reference.module, reference.qualname
        while "." in module:
            module, _, owner = module.rpartition(".")
            name = f"{owner}.{name}"
            try:
                found = Reference(module, name).resolve()
            except ConfigError:
                continue  # the first error says what was written
            object.__setattr__(node, "__fn_or_cls__", found)
            return found
        raise


def _name_positional(node: Any, target: Any) -> None:
    """Store arguments given by position as the graph has them: by name, where they have one."""
    from nemo_run.config.graph.signature import signature_info

    info = signature_info(target)
    arguments, history = node.__arguments__, node.__argument_history__
    for key in [key for key in arguments if isinstance(key, int)]:
        name = info.index_to_key(key, arguments)
        if name != key and name not in arguments:
            arguments[name] = arguments.pop(key)
            if key in history:
                history[name] = history.pop(key)
