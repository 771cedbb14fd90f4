"""Plots as SVG: points or lines over a linear, a logarithmic or a named axis. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.console.html import Html, element, join
from nemo_run.console.terminal import clip

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 352, 232
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 10, 40
_DECADES = 100
_MOST_NAMES = 12


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers from ``low`` to ``high``."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    rough = span / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next((unit * m for m in (1, 2, 5, 10) if unit * m >= rough), unit * 10)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, first + most + 2) if n * step <= high + step * 1e-9]


@dataclass(frozen=True)
class Axis:
    """From values to a place between 0 and 1."""

    low: float
    high: float
    log: bool = False
    names: tuple[str, ...] = ()

    def place(self, value: object) -> float:
        """Return where a value stands."""
        if self.names:
            return (self.names.index(str(value)) + 0.5) / len(self.names)
        number = float(value)  # type: ignore[arg-type]
        low, high = self.low, self.high
        if self.log:
            number, low, high = math.log10(number), math.log10(low), math.log10(high)
        return (number - low) / (high - low) if high > low else 0.5

    def marks(self) -> list[tuple[float, str]]:
        """Return the places of its ticks and what they say."""
        if self.names:
            return [(self.place(name), clip(name, 12)) for name in self.names]
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            every = max(1, (last - first) // 4)
            return [(self.place(10.0**n), f"{10.0**n:g}") for n in range(first, last + 1, every)]
        return [(self.place(tick), f"{tick:.4g}") for tick in ticks(self.low, self.high)]


def axis_of(values: Sequence[object]) -> Axis | None:
    """Return the axis for values: logarithmic over decades, named for texts; None if none fits."""
    if all(is_number(value) for value in values):
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
        low, high = min(numbers), max(numbers)
        if not math.isfinite(high - low):
            return None
        return Axis(low, high, log=low > 0 and high / low >= _DECADES)
    named = tuple(dict.fromkeys(map(str, values)))
    return Axis(0, 1, names=named) if len(named) <= _MOST_NAMES else None


def is_number(value: object) -> bool:
    """Whether a value is a number that has a place on an axis."""
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def plot(
    title: str,
    across: str,
    series: Mapping[str, Sequence[tuple[object, float]]],
    *,
    lines: bool,
) -> Html:
    """Return a plot; empty where nothing can be drawn.

    Args:
        title: What is plotted.
        across: What the horizontal axis is.
        series: Points by name.
        lines: Whether points are joined.
    """
    points = [point for row in series.values() for point in row if is_number(point[1])]
    x_axis = axis_of([x for x, _ in points]) if points else None
    y_axis = axis_of([y for _, y in points]) if points else None
    if x_axis is None or y_axis is None:
        return Html("")
    parts = _frame(x_axis, y_axis, across)
    for at, (name, row) in enumerate(series.items()):
        places = [(_x(x_axis.place(x)), _y(y_axis.place(y)), x, y) for x, y in row if is_number(y)]
        colour = f"c{at % 6 + 1}"
        if lines and len(places) > 1:
            way = " ".join(f"{x},{y}" for x, y, *_ in places)
            parts.append(
                element("polyline", element("title", name), points=way, class_=f"curve {colour}")
            )
            continue
        parts += [
            element("circle", element("title", f"{name}: {across} {a}, {title} {b}"),
                    cx=x, cy=y, r=4, class_=f"dot {colour}")
            for x, y, a, b in places
        ]  # fmt: skip
    picture = element(
        "svg", join(parts), width=_WIDTH, height=_HEIGHT, viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img", aria_label=f"{title} over {across}, {len(points)} points",
    )  # fmt: skip
    return element("figure", element("figcaption", title) + picture + _legend(series, lines=lines))


def _legend(series: Mapping[str, object], *, lines: bool) -> Html:
    if not lines or len(series) < 2:
        return Html("")
    names = (element("span", name, class_=f"key c{at % 6 + 1}") for at, name in enumerate(series))
    return element("p", join(names), class_="legend")


def _frame(x_axis: Axis, y_axis: Axis, across: str) -> list[Html]:
    parts = []
    for place, text in y_axis.marks():
        y = _y(place)
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(element("text", text, x=_LEFT - 8, y=y + 4, class_="axis end"))
    for place, text in x_axis.marks():
        parts.append(element("text", text, x=_x(place), y=_HEIGHT - 22, class_="axis mid"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    shown = clip(across, 40) + (" (log)" if x_axis.log else "")
    parts.append(element("text", shown, x=middle, y=_HEIGHT - 4, class_="axis mid"))
    return parts


def _x(place: float) -> float:
    room = _WIDTH - _LEFT - _RIGHT - 16
    return round(_LEFT + 8 + place * room, 1)


def _y(place: float) -> float:
    room = _HEIGHT - _TOP - _BOTTOM - 12
    return round(_HEIGHT - _BOTTOM - 6 - place * room, 1)
