"""The order in which overrides are applied, and those that others make pointless."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .grammar import Item

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .grammar import Override

_Place = tuple[str, ...]


def in_order(overrides: Sequence[Override]) -> list[Override]:
    """Return overrides in the order given, but a whole value before its parts of the same source.

    Args:
        overrides: The changes.
    """
    slots: list[_Slot] = []
    # The first of the parts that were given so far, by source and place.
    first: dict[Any, _Slot] = {}
    for override in overrides:
        slot, source = _Slot(override), override.source
        place = _place(override)
        part = first.get((source, place)) if override.operator == "=" else None
        (slots if part is None else part.before).append(slot)
        for around in _around(place):
            # Put right before a part, it is also the first of what that part was the first of.
            if first.setdefault((source, around), slot) is part:
                first[source, around] = slot
    return [override for slot in slots for override in slot.all()]


class _Slot:
    """An override, and those that were moved before it."""

    def __init__(self, override: Override) -> None:
        self.override = override
        self.before: list[_Slot] = []

    def all(self) -> Iterator[Override]:
        for slot in self.before:
            yield from slot.all()
        yield self.override


def replaced(overrides: Sequence[Override]) -> list[tuple[Override, Override]]:
    """Return the changes of parts that a later source sets as a whole, each with what sets it.

    A file's ``model.width`` says nothing of the model that ``model=small`` makes.

    Args:
        overrides: The changes, in their order.
    """
    found: list[tuple[Override, Override]] = []
    # The next whole value of each place, by its source, with its number.
    wholes: dict[_Place, dict[Any, tuple[int, Override]]] = {}
    for number, override in reversed(list(enumerate(overrides))):
        place = _place(override)
        later = [
            whole
            for around in _around(place)
            for source, whole in wholes.get(around, {}).items()
            if source != override.source
        ]
        if later:
            found.append((override, min(later, key=lambda whole: whole[0])[1]))
        if override.operator == "=":
            wholes.setdefault(place, {})[override.source] = (number, override)
    return found[::-1]


def _place(override: Override) -> _Place:
    return tuple(str(s.key) if isinstance(s, Item) else s for s in override.steps)


def _around(place: _Place) -> list[_Place]:
    return [place[:length] for length in range(len(place))]
