"""The jobs of an experiment as a picture: layers from left to right; jobs alike are one box."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.console.html import Html, element, join
from nemo_run.console.terminal import clip
from nemo_run.execution.observation import State
from nemo_run.management.store.status import combined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.management.describe.dag import Node

_WIDE, _HIGH, _GAP_X, _GAP_Y = 200, 46, 64, 14
_ALIKE = 4
_LONGEST = 24
MOST_BOXES = 200


class Box(NamedTuple):
    """Jobs that are shown as one."""

    jobs: list[str]
    layer: int


def boxes_of(nodes: Sequence[Node]) -> list[Box]:
    """Return what is drawn; more than four jobs with the same neighbours become one box."""
    after: dict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for edge in node.edges:
            after[edge.job].append(node.id)
    layers = _layers(nodes)
    alike: dict[object, list[str]] = defaultdict(list)
    for node in nodes:
        alike[layers[node.id], node.edges, tuple(after[node.id])].append(node.id)
    boxes = []
    for jobs in alike.values():
        parts = [jobs] if len(jobs) > _ALIKE else [[job] for job in jobs]
        boxes += [Box(part, layers[part[0]]) for part in parts]
    return sorted(boxes, key=lambda box: box.layer)


def _layers(nodes: Sequence[Node]) -> dict[str, int]:
    """Return how far from the start each job is; a damaged record's circle ends somewhere."""
    layers = dict.fromkeys((node.id for node in nodes), 0)
    for _ in range(len(nodes)):
        moved = False
        for node in nodes:
            least = max((layers.get(edge.job, 0) + 1 for edge in node.edges), default=0)
            if least > layers[node.id] and least < len(nodes):
                layers[node.id], moved = least, True
        if not moved:
            break
    return layers


def picture(nodes: Sequence[Node], states: Mapping[str, State]) -> Html:
    """Return the graph as SVG.

    Args:
        nodes: The jobs and what they wait for.
        states: Of each job.
    """
    boxes = boxes_of(nodes)[:MOST_BOXES]
    rows: Counter[int] = Counter()
    places: dict[str, tuple[int, int]] = {}
    drawn = []
    for box in boxes:
        x, y = box.layer * (_WIDE + _GAP_X) + 2, rows[box.layer] * (_HIGH + _GAP_Y) + 2
        rows[box.layer] += 1
        places |= dict.fromkeys(box.jobs, (x, y))
        drawn.append(_box(box, x, y, states))
    lines = {
        (places[edge.job], places[node.id], edge.kind)
        for node in nodes
        for edge in node.edges
        if edge.job in places and node.id in places
    }
    width = (max(rows, default=0) + 1) * (_WIDE + _GAP_X) - _GAP_X + 4
    height = max(rows.values(), default=1) * (_HIGH + _GAP_Y) - _GAP_Y + 4
    return element(
        "svg",
        join([*(_line(*line) for line in sorted(lines)), *drawn]),
        width=width, height=height, viewBox=f"0 0 {width} {height}", role="img",
        aria_label=f"Graph of {len(nodes)} jobs",
    )  # fmt: skip


def _box(box: Box, x: int, y: int, states: Mapping[str, State]) -> Html:
    known = [states.get(job, State.CREATED) for job in box.jobs]
    state = combined(known)
    several = len(box.jobs) > 1
    name = f"{box.jobs[0]} … ({len(box.jobs)} jobs)" if several else box.jobs[0]
    told = ", ".join(f"{count} {one}" for one, count in Counter(map(str, known)).items())
    texts = [
        element("title", f"{', '.join(box.jobs[:20])}: {told}"),
        element("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=6, class_="box"),
        element("rect", x=x, y=y, width=4, height=_HIGH, rx=2, class_=f"fill {state.lower()}"),
        element("text", clip(name, _LONGEST), x=x + 14, y=y + 19, class_="name"),
        element(
            "text", clip(told if several else str(state), _LONGEST + 4),
            x=x + 14, y=y + 36, class_=f"fill small {state.lower()}",
        ),
    ]  # fmt: skip
    return element("g", join(texts)) + "\n"


def _line(start: tuple[int, int], end: tuple[int, int], kind: str) -> Html:
    x, y, to_x, to_y = start[0] + _WIDE, start[1] + _HIGH // 2, end[0], end[1] + _HIGH // 2
    bend = max(24, (to_x - x) // 2)
    way = f"M{x} {y} C{x + bend} {y} {to_x - bend} {to_y} {to_x} {to_y}"
    return element("path", element("title", kind), d=way, class_=f"edge {kind}")
