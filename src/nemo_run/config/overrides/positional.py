"""Words without an operator: ``train small 10 lr=1``.

The first may name a factory of the function itself; the others are values of its parameters, in
their order.
"""

from __future__ import annotations

import inspect
import shlex
from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.alternatives import namespace_of
from nemo_run.config.graph.copying import recast
from nemo_run.config.graph.node import Partial, is_node, target_name, target_of
from nemo_run.config.graph.signature import display_name, signature_info
from nemo_run.exceptions import OverrideError, nearest

from .grammar import Item, Override, is_override, parse_override
from .habits import meant_by, names_of
from .resolving import call_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.config.values.syntax import Call


def parted(
    words: Sequence[str],
    target: Callable[..., Any] | None = None,
    is_apart: Callable[[Override], bool] = lambda _: False,
) -> tuple[list[str], list[Override]]:
    """Return the words without an operator, and the overrides behind them.

    Args:
        words: The words of a command.
        target: What the values are for, where that is known.
        is_apart: Tells which overrides are not for the target; they may stand anywhere.

    Raises:
        OverrideError: A word without an operator stands behind an override, or a key cannot be
            read.
    """
    positional: list[str] = []
    overrides: list[Override] = []
    last: Override | None = None
    names = names_of(target) if target is not None else []
    for index, word in enumerate(words):
        if is_override(word):
            overrides.append(parse_override(word))
            last = last if is_apart(overrides[-1]) else overrides[-1]
            continue
        meant = meant_by(words, index, names)
        if meant is not None and (meant.certain or last is not None):
            raise OverrideError(meant.sentence)
        if overrides and not overrides[-1].text and is_override(words[index - 1]):
            raise OverrideError(
                f"{words[index - 1] + ' ' + word!r}: no spaces stand around the operator. "
                f"Write {shlex.quote(words[index - 1] + word)}."
            )
        if last is not None:
            raise OverrideError(
                f"{word!r} has no key, and stands behind {last.key}=…. Write key=value, "
                "or put values without a key first."
            )
        positional.append(word)
    return positional, overrides


def bound(target: Callable[..., Any], words: Sequence[str], called: str = "") -> list[Override]:
    """Return the overrides that set a callable's parameters, in their order, to ``words``.

    Args:
        target: The callable.
        words: Values, as written.
        called: What errors call it.

    Raises:
        OverrideError: There are more words than parameters.
    """
    info = signature_info(target)
    name = called or display_name(target)
    takes = [p for p in info.parameters.values() if p.kind in _BY_POSITION]
    meant = [meant_by(words, index, info.parameters) for index in range(len(words))]
    if len(words) > len(takes) and info.var_positional_start is None:
        for otherwise in filter(None, meant):
            raise OverrideError(otherwise.sentence)
        names = ", ".join(parameter.name for parameter in takes)
        raise OverrideError(
            f"{words[len(takes)]!r} is one value too many: {name} takes "
            f"{len(takes)} by position ({names or 'none'}). Write key=value."
        )
    found = []
    for index, word in enumerate(words):
        parameter = takes[index] if index < len(takes) else None
        by_name = parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY
        step = parameter.name if parameter and by_name else Item(index)
        key = parameter.name if parameter else f"[{index}]"
        probably = meant[index]
        advice = _factories_of(target, word) if index == 0 else ""
        instead = probably.sentence if probably is not None else ""
        found.append(Override(key, (step,), "=", word, advice=advice, instead=instead))
    return found


def _factories_of(target: Callable[..., Any], word: str) -> str:
    """Return what to say of a first word that may have been meant as a factory."""
    names = [factory.name for factory in factories.fitting(target)]
    if not names:
        return ""
    return f" {display_name(target)} has the factories {', '.join(names)}.{nearest(word, names)}"


def start(fn: Callable[..., Any], words: Sequence[str]) -> tuple[Partial[Any] | None, list[str]]:
    """Return the task of the factory that the first word names, and the other words.

    Args:
        fn: The function of the command.
        words: The words without an operator.

    Returns:
        None and all the words, where the first names no factory of the function.
    """
    call = _call(words[0]) if words else None
    if call is None or factories.find(fn, call.name) is None:
        return None, list(words)
    return from_factory(fn, words[0]), list(words[1:])


def from_factory(fn: Callable[..., Any], text: str) -> Partial[Any]:
    """Return the task that a factory of a function makes.

    Args:
        fn: The function.
        text: The factory's name, perhaps with arguments.

    Raises:
        OverrideError: The function has no such factory, or it makes something else.
    """
    call = _call(text)
    factory = factories.find(fn, call.name) if call else None
    if call is None or factory is None:
        fits = factories.fitting(fn)
        raise OverrideError(
            f"{display_name(fn)} has no factory {text!r}.{factories.suggestion(text, fits)}"
        )
    made = call_factory(factory, call)
    # The launching script is another module where somebody imports it; its name is the same.
    if not is_node(made) or namespace_of(made) != namespace_of(fn):
        what = f"{type(made).__name__}({target_name(made)})" if is_node(made) else repr(made)
        raise OverrideError(
            f"the factory {factory.name} ({factory.place}) makes {what}; "
            f"Partial({display_name(fn)}) is expected."
        )
    if isinstance(made, Partial) and target_of(made) is fn:
        return made
    return recast(made, Partial, fn)  # type: ignore[no-any-return]


def _call(word: str) -> Call | None:
    """Return the call that a word is; a text with odd commas is a value like any other."""
    from nemo_run.config.values.syntax import read_call

    try:
        return read_call(word)
    except OverrideError:
        return None


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
