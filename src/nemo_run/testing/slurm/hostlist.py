"""Node lists as Slurm writes them: ``n[1-3,7],login``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def expand(text: str) -> list[str]:
    """Return the names of a list, in its order.

    Args:
        text: As ``scontrol show hostnames`` takes it.
    """
    names: list[str] = []
    for item in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        names.extend(_expand_item(item))
    return names


def _expand_item(item: str) -> list[str]:
    found = re.search(r"\[([^\]]*)\]", item)
    if not found:
        return [item]
    head, tail = item[: found.start()], item[found.end() :]
    return [
        head + number + rest
        for part in found[1].split(",")
        for number in _numbers(part)
        for rest in _expand_item(tail)
    ]


def _numbers(part: str) -> list[str]:
    low, dash, high = part.partition("-")
    if not dash:
        return [low]
    return [str(number).zfill(len(low)) for number in range(int(low), int(high) + 1)]


def compress(names: Iterable[str]) -> str:
    """Return names as Slurm would write them, in their order."""
    groups: list[tuple[str, list[str]]] = []
    for name in names:
        found = re.fullmatch(r"(.*?)(\d+)", name)
        head, number = (found[1], found[2]) if found else (name, "")
        if number and groups and groups[-1][0] == head and groups[-1][1]:
            groups[-1][1].append(number)
        else:
            groups.append((head, [number] if number else []))
    return ",".join(head + _ranges(numbers) for head, numbers in groups)


def _ranges(numbers: list[str]) -> str:
    if len(numbers) < 2:
        return "".join(numbers)
    return f"[{ranges(numbers)}]"


def ranges(numbers: list[str]) -> str:
    """Return numbers as ``1-3,7``."""
    runs: list[list[str]] = []
    for number in numbers:
        if runs and int(number) == int(runs[-1][-1]) + 1 and len(number) == len(runs[-1][-1]):
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
