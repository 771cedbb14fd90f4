"""Sweeps as text: ``lr=choice(1e-4,3e-4) seed=range(5)``, and files with a point a row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.traverse import walk_values
from nemo_run.config.overrides.apply import apply, hint_at
from nemo_run.config.overrides.grammar import MISSING
from nemo_run.config.overrides.places import Place, descend, opened
from nemo_run.config.overrides.unset import filled
from nemo_run.exceptions import OverrideError, SweepError, nearest

from .names import label
from .sweep import MOST_POINTS, Mode, Sweep, combined, of_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nemo_run.config.overrides.grammar import Override, Step
    from nemo_run.config.values.syntax import Call

WORDS = ("choice", "range")
_HOW = "Write several values as lr=choice(1e-4,3e-4) or seed=range(5), or leave --sweep out."
_LISTED = re.compile(r"[^\[\](){}'\",]+(?:,[^\[\](){}'\",]+)+")
_INSIDE = re.compile(rf"\b({'|'.join(WORDS)})\(")


def is_varied(override: Override) -> bool:
    """Whether the value of an override is spelled as several: ``choice(…)``, ``range(…)``."""
    return _call(override) is not None


def refuse_unasked(task: Any, overrides: Sequence[Override]) -> list[str]:
    """Refuse several values where one run was asked for.

    Args:
        task: The task before the overrides.
        overrides: The overrides.

    Returns:
        What looks like several values and is a text, as written.

    Raises:
        OverrideError: A value is ``choice(…)`` or ``range(…)``, and is no text.
    """
    from nemo_run.config.alternatives import is_text

    texts = []
    for override in filter(is_varied, overrides):
        written = f"{override.label}={_text(override)}"
        hint = _hint(task, override)
        if is_text(hint):
            texts.append(written)
        elif hint is not None:
            raise OverrideError(
                f"{written} is several values, and one run takes one. Add --sweep to run each of "
                "them."
            )
    return texts


def _hint(task: Any, override: Override) -> Any:
    try:
        hint_at(task, override.steps[:1])
    except OverrideError:
        return None  # There is no such argument, which is said where it is set.
    try:
        return hint_at(task, override.steps)
    except OverrideError:
        return Any  # What is set before it makes its place.


def points_of(
    task: Any,
    overrides: Sequence[Override],
    mode: Mode = "grid",
    *,
    max_parallel: int | None = None,
) -> Sweep:
    """Return the sweep that overrides spell, applied to copies of ``task`` in their order.

    Args:
        task: The task before the overrides.
        overrides: All of them; those that vary are ``choice(…)`` and ``range(…)``.
        mode: How the values are combined.
        max_parallel: How many points may run at once.

    Raises:
        OverrideError: A key or a value cannot be used.
        SweepError: Nothing varies, or the values cannot be combined.
    """
    varied = {index: override for index, override in enumerate(overrides) if is_varied(override)}
    if not varied:
        raise SweepError(f"Nothing varies.{_inside(overrides)} {_listed(task, overrides) or _HOW}")
    _refuse_doubled(list(varied.values()))
    items = {override.key: _items(override) for override in varied.values()}
    rows = combined(items, mode)
    changes = [
        [
            _one(override, row[override.key]) if index in varied else override
            for index, override in enumerate(overrides)
        ]
        for row in rows
    ]
    own = [[changed[index] for index in varied] for changed in changes]
    return _swept(task, changes, own, max_parallel)


def points_of_rows(
    task: Any,
    overrides: Sequence[Override],
    rows: Sequence[Sequence[Override]],
    *,
    max_parallel: int | None = None,
) -> Sweep:
    """Return the sweep whose points are rows of a file, each applied after the overrides.

    Raises:
        OverrideError: A key or a value cannot be used; the message names file and line.
    """
    changes = [[*overrides, *row] for row in rows]
    return _swept(task, changes, rows, max_parallel)


def _inside(overrides: Sequence[Override]) -> str:
    """Return what is the matter with several values that were not read as such."""
    for override in overrides:
        found = _INSIDE.search(_text(override) or "")
        if found is not None:
            return (
                f" In {override.key}={_text(override)}, {found[1]}(…) does not stand alone behind "
                "the =, or is not closed."
            )
        name = (_text(override) or "").partition("(")
        near = nearest(name[0].strip().lower(), WORDS) if name[1] else ""
        if near:
            return f" {override.key}={_text(override)} is one value.{near}"
    return ""


def _listed(task: Any, overrides: Sequence[Override]) -> str:
    """Return how to write values with commas between them, where one value is expected."""
    from nemo_run.config.alternatives import alternatives, is_kind

    for override in overrides:
        text = _text(override) or ""
        if _LISTED.fullmatch(text) is None:
            continue
        hint = _hint(task, override)
        if not any(is_kind(one, Iterable) and not is_kind(one, str) for one in alternatives(hint)):
            return f"Write {override.key}=choice({text}) to run each of its values."
    return ""


def _swept(
    task: Any,
    changes: Sequence[Sequence[Override]],
    own: Sequence[Sequence[Override]],
    max_parallel: int | None,
) -> Sweep:
    tasks = [filled(apply(task, changed)) for changed in changes]
    values = [
        {override.key: _value_at(done, override.steps) for override in varied}
        for done, varied in zip(tasks, own, strict=True)
    ]
    labels = [
        {override.key: _label(override, point[override.key]) for override in varied}
        for point, varied in zip(values, own, strict=True)
    ]
    _refuse_constant(labels, own)
    return of_tasks(tasks, values, labels, max_parallel=max_parallel)


def _value_at(task: Any, steps: Sequence[Step]) -> Any:
    place = Place(task)
    for step in steps:
        place = descend(opened(place, call=False), step)
    return place.value


def _label(override: Override, value: Any) -> str:
    # What a factory made is best known by how it was asked for.
    made = any(is_node(part) for _, part in walk_values(value))
    return override.text if made and override.text is not None else label(value)


def _refuse_doubled(varied: Sequence[Override]) -> None:
    seen: dict[tuple[Step, ...], Override] = {}
    for override in varied:
        if override.steps in seen:
            raise SweepError(f"{override.label} varies twice. Write all its values in one choice.")
        seen[override.steps] = override


def _refuse_constant(
    labels: Sequence[Mapping[str, str]], own: Sequence[Sequence[Override]]
) -> None:
    """Refuse a field whose different values were all set once more to the same."""
    texts: dict[str, set[str]] = {}
    for varied in own:
        for override in varied:
            texts.setdefault(override.key, set()).add(str(_text(override)))
    for key, given in texts.items():
        found = {point[key] for point in labels if key in point}
        if len(given) > 1 and len(found) == 1:
            raise SweepError(
                f"{key} is to vary, and is {found.pop()} at every point. Is it set again behind "
                "that?"
            )


def _one(override: Override, item: str) -> Override:
    return replace(override, text=item, data=MISSING, inside_call=True)


def _text(override: Override) -> str | None:
    if override.text is not None:
        return override.text
    return override.data if isinstance(override.data, str) else None


def _call(override: Override) -> Call | None:
    from nemo_run.config.values.syntax import read_call

    text = _text(override)
    if text is None or not text.lstrip().startswith(WORDS):
        return None
    try:
        call = read_call(text)
    except OverrideError:
        return None
    return call if call is not None and call.name in WORDS and not call.bare else None


def _items(override: Override) -> list[str]:
    call = _call(override)
    assert call is not None
    named = next((key for key, _ in call.arguments if key is not None), None)
    if named is not None:
        raise SweepError(
            f"{override.label}: {call.name}() takes values, and {named}= names one. Write "
            f"{override.key}={call.name}(…) with values only."
        )
    texts = [text for _, text in call.arguments]
    if call.name == "choice":
        if not texts:
            raise SweepError(f"{override.label}=choice() has no values; give at least one.")
        return texts
    try:
        return _range(texts)
    except SweepError as error:
        raise SweepError(f"{override.label}: {error}") from None


def _range(texts: Sequence[str]) -> list[str]:
    """Return what lies in ``range(end)``, ``range(start, end)``, ``range(start, end, step)``."""
    if not 1 <= len(texts) <= 3:
        raise SweepError(
            f"range() takes an end; a start and an end; or a start, an end and a step, and "
            f"{len(texts)} values were given. The end is not among its values."
        )
    numbers = [_number(text) for text in texts]
    start, end = (Decimal(0), numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else Decimal(1)
    if not step:
        raise SweepError("the step of range() is 0, so it would have no end.")
    found = list(islice(_steps(start, end, step), MOST_POINTS + 1))
    if not found:
        raise SweepError(f"range({', '.join(texts)}) has no values.")
    return found


def _steps(start: Decimal, end: Decimal, step: Decimal) -> Iterator[str]:
    # In decimals, so that 0.3 is reached as it is written.
    whole = all(one == one.to_integral_value() for one in (start, step))
    at = start
    while (at < end) if step > 0 else (at > end):
        yield str(int(at)) if whole else str(at)
        at += step


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text.replace("_", ""))
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise SweepError(f"{text!r} is no number, and range() takes numbers. Write choice(…).")
    return number
