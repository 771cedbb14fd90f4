"""The operators of overrides: what ``+=`` and the others make of a value that is there.

They make a new value and leave the old one as it is, so that no default is ever changed.
"""

from __future__ import annotations

import datetime as dt
import operator
import types
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives, kind_of
from nemo_run.config.checks.annotations import display, mismatches
from nemo_run.config.graph.history import summary
from nemo_run.config.graph.node import is_node
from nemo_run.exceptions import OverrideError

from .grammar import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable

_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
    "/=": operator.truediv,
    "|=": operator.or_,
    "&=": operator.and_,
}
_DATES = (dt.date, dt.datetime)


def combined(current: Any, symbol: str, hint: Any, read: Callable[[Any], Any]) -> Any:
    """Return ``current symbol operand``.

    Args:
        current: The value that is there, or MISSING.
        symbol: The operator.
        hint: The annotation of the value.
        read: Returns the operand, read by an annotation.

    Raises:
        OverrideError: There is no value, or the operator does not fit it, or its result does not
            fit the annotation.
    """
    if current is MISSING:
        raise OverrideError(
            f"{symbol} needs a value to begin with, and it has neither value nor default. Set it "
            "with = first."
        )
    if current is None:
        current = _empty(hint)
    operand = _operand(current, symbol, hint, read)
    _refuse_repetition(current, symbol, operand)
    try:
        result = _OPERATIONS[symbol](current, operand)
    except TypeError as error:
        instead = "|=" if symbol == "+=" and isinstance(current, _MERGED) else "="
        raise OverrideError(
            f"{symbol} does not fit what is there, {_shown(current)} of type "
            f"{type(current).__qualname__}. Use {instead} instead."
        ) from error
    except (ArithmeticError, ValueError) as error:
        raise OverrideError(
            f"{_shown(current)} {symbol[:-1]} {_shown(operand)} cannot be computed: {error}."
        ) from error
    result = _as(type(current), result)
    if hint is not Any and mismatches(_checked(operand, result, symbol, hint), hint):
        raise OverrideError(
            f"{_shown(current)} {symbol[:-1]} {_shown(operand)} is {_shown(result)}; "
            f"{display(hint)} is expected."
        )
    return result


_MOST_REPEATED = 10_000_000


def _refuse_repetition(current: Any, symbol: str, operand: Any) -> None:
    """Refuse to repeat something so often that memory would run out."""
    if symbol == "*=" and hasattr(current, "__len__") and isinstance(operand, int):
        length = len(current) * operand
        if length > _MOST_REPEATED:
            raise OverrideError(
                f"{_shown(current)} * {operand} would have {length} items, and "
                f"{_MOST_REPEATED:_} are the most. Make it in the task."
            )


_MERGED = (AbstractSet, MutableMapping)
_BY_ITEM = (list, set, frozenset, dict, Sequence, MutableSequence, Mapping, MutableMapping)


def _checked(operand: Any, result: Any, symbol: str, hint: Any) -> Any:
    """Return what tells whether a result fits: the new items, where each stands for itself."""
    options = alternatives(hint)
    by_item = len(options) == 1 and kind_of(options[0]) in _BY_ITEM
    added = symbol in {"+=", "|="} and type(operand) is type(result)
    return operand if by_item and added else result


def _empty(hint: Any) -> Any:
    """Return the empty list, tuple, set or dict that a value may be which is None; or None."""
    for one in alternatives(hint):
        for kind in (list, tuple, set, frozenset, dict):
            if kind_of(one) is kind:
                return kind()
    return None


def _operand(current: Any, symbol: str, hint: Any, read: Callable[[Any], Any]) -> Any:
    is_list = isinstance(current, (list, tuple)) and symbol == "+="
    if is_list or isinstance(current, AbstractSet):
        return _items(current, hint, read)
    found = read(_hint_of_operand(current, symbol, hint))
    if type(current) is dt.date and found % dt.timedelta(days=1):
        raise OverrideError(f"a date takes whole days, and {found} is none. Write 3d.")
    return found


def _hint_of_operand(current: Any, symbol: str, hint: Any) -> Any:  # noqa: PLR0911 - one a line
    if current is None or is_node(current):
        raise OverrideError(
            f"{symbol} does not fit what is there, {_shown(current)}. Use = instead."
        )
    if isinstance(current, (str, bytes, MutableSequence, tuple)) and symbol == "*=":
        return int
    if isinstance(current, dt.timedelta) and symbol in {"*=", "/="}:
        return float
    if isinstance(current, _DATES):
        return dt.timedelta
    if isinstance(current, (bool, int, float)):
        if symbol in {"|=", "&="}:
            return type(current)
        return int | float
    if isinstance(current, PurePath):
        return str
    if isinstance(current, _MERGED):
        return hint if hint is not Any else type(current)
    return type(current)


def _items(current: Any, hint: Any, read: Callable[[Any], Any]) -> Any:
    """Return the items to add; one alone needs no brackets."""
    from .hints import of_item

    kind = type(current)
    item = of_item(hint, 0)
    around = set if isinstance(current, AbstractSet) else list
    many: Any = around if item is Any else types.GenericAlias(around, item)
    try:
        found = read(many)
    except OverrideError as error:
        try:
            found = [read(item)]
        except OverrideError:
            raise error from None
    if around is list:
        return kind(found)
    return {item for item in found if _hashable(item)}


def _hashable(item: Any) -> bool:
    try:
        hash(item)
    except TypeError:
        raise OverrideError(f"{_shown(item)} cannot be in a set. Use a list.") from None
    return True


def _as(kind: type, result: Any) -> Any:
    """Return a whole float as the int that it was before."""
    whole = kind is int and isinstance(result, float) and result.is_integer()
    return int(result) if whole else result


def _shown(value: Any) -> str:
    return repr(summary(value))
