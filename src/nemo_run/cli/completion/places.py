"""What the key of a word leads to, found out from signatures and annotations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.overrides.grammar import parse_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.cli.help.parameters import Parameter


def parameters_at(fn: Any, words: Sequence[str], place: str) -> list[Parameter]:
    """Return the parameters of what a key leads to, as earlier words have made it."""
    from nemo_run.cli.help.parameters import NOTHING, Parameter, parameters_inside, parameters_of

    if not place:
        return parameters_of(fn)
    hint, owner, argument = hint_at(fn, place)
    made = _made_by_words(words, place, hint, owner, argument)
    default = _default_of(owner, argument)
    here = Parameter("", hint if made is None else made, default=NOTHING if made else default)
    return parameters_inside(here)


def hint_at(fn: Any, place: str) -> tuple[Any, Any, str | None]:
    """Return the annotation of the place of a key, and whose argument that is."""
    from nemo_run.config import Partial
    from nemo_run.config.overrides.apply import hint_at as hint_of_steps

    steps = parse_key(place)
    task = fn if _is_node(fn) else Partial(fn)
    hint = hint_of_steps(task, steps)
    target = task.__fn_or_cls__
    for step in steps[:-1]:
        inside = _classes(hint_of_steps(task, (step,)))
        if not isinstance(step, str) or len(inside) != 1:
            return hint, None, None
        task, target = Partial(inside[0]), inside[0]
    last = steps[-1]
    return hint, target, last if isinstance(last, str) else None


def _is_node(value: Any) -> bool:
    from nemo_run.config.graph.node import is_node

    return is_node(value)


def _classes(hint: Any) -> list[Any]:
    from nemo_run.cli.help.parameters import classes_inside

    return classes_inside(hint)


def _made_by_words(words: Sequence[str], place: str, hint: Any, owner: Any, name: Any) -> Any:
    """Return what the factory that an earlier word names for a place makes; None without one."""
    from nemo_run.config.factories import find

    for word in reversed(words):
        key, equals, value = word.partition("=")
        if equals and key == place:
            factory = find(hint, value.partition("(")[0], owner, name)
            return factory.target if factory else None
    return None


def _default_of(owner: Any, argument: str | None) -> Any:
    from nemo_run.cli.help.parameters import NOTHING, parameters_of

    if owner is None or argument is None:
        return NOTHING
    return next((row.default for row in parameters_of(owner) if row.name == argument), NOTHING)


def has_parts(row: Parameter) -> bool:
    """Whether a parameter has parameters inside."""
    from nemo_run.cli.help.parameters import parameters_inside

    return bool(parameters_inside(row))


def about(row: Parameter) -> str:
    """Return the line about a parameter."""
    default = "required" if row.required else f"= {row.shown}" if row.shown else ""
    return "  ".join(filter(None, [row.written, default, row.text]))
