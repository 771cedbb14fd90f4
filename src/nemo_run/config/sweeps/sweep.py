"""Sweeps: one task at several points, with the fields that vary and their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, overload

from nemo_run.config.graph.node import is_node
from nemo_run.exceptions import SweepError, nearest

from .names import covered_labels, label, names, shown_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nemo_run.config.checks.check import Problem
    from nemo_run.config.graph.node import Node
    from nemo_run.config.script import Script

Mode = Literal["grid", "zip"]

MODES: tuple[Mode, ...] = ("grid", "zip")
MOST_POINTS = 100_000
_MOST_SHOWN = 24
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Point:
    """One point of a sweep.

    Attributes:
        name: What varies, in short: ``lr=0.1_seed=3``. Its job is called so.
        values: The value of each field that varies.
        task: A task of its own with these values.
        labels: The values as short text.
    """

    name: str
    values: Mapping[str, Any]
    task: Any = field(repr=False)
    labels: Mapping[str, str] = field(repr=False)


class Sweep(Sequence[Point]):
    """The points of a sweep, in order; made by :func:`sweep`.

    Attributes:
        points: The points.
        fields: The fields that vary.
        title: What is swept.
        max_parallel: How many points may run at once; None for as many as their executor takes.
    """

    def __init__(
        self, points: Sequence[Point], *, title: str = "", max_parallel: int | None = None
    ) -> None:
        self.points = tuple(points)
        self.fields = tuple(dict.fromkeys(name for point in points for name in point.values))
        self.title = title
        self.max_parallel = checked_max_parallel(max_parallel)

    @overload
    def __getitem__(self, index: int) -> Point: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Point]: ...

    def __getitem__(self, index: int | slice) -> Point | Sequence[Point]:
        return self.points[index]

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return self.text(most=_MOST_SHOWN)

    def text(self, *, most: int | None = None) -> str:
        """Return the points as a table.

        Args:
            most: Of more points than this, the first and the last are shown.
        """
        from nemo_run.config.show import text_table

        rows = [[p.name, *(p.labels.get(name, "") for name in self.fields)] for p in self.points]
        table = text_table.lines(["point", *self.fields], rows, most=most)
        limit = f", at most {self.max_parallel} at once" if self.max_parallel else ""
        count = f"{len(self)} point{'s' * (len(self) != 1)}"
        return "\n".join([f"Sweep of {self.title}: {count}{limit}", *(f"  {row}" for row in table)])


def sweep(
    task: Node[Any] | Script,
    over: Mapping[str, Iterable[Any]] | None = None,
    /,
    *,
    mode: Mode = "grid",
    points: Iterable[Mapping[str, Any]] | None = None,
    max_parallel: int | None = None,
    **fields: Iterable[Any],
) -> Sweep:
    """Vary fields of a task.

    Every point is checked as a task of its own, before anything is written or runs::

        points = run.sweep(train, {"model.layers": [2, 4]}, lr=[1e-4, 3e-4], max_parallel=4)
        results = run.run(points, executor=run.LocalExecutor())
        print(results)

    Args:
        task: A ``Partial``, ``Config`` or ``Script``; it is copied for each point.
        over: The values of each field, for fields that are reached by a path
            (``model.layers``, ``models[0].size``) or are called as an argument of this function.
        mode: ``grid`` for every combination, the last field changing first; ``zip`` to take the
            first value of each field, then the second and so on.
        points: The points one by one, each with its own fields, in place of fields with values.
        max_parallel: How many points may run at once.
        **fields: The values of each field.

    Raises:
        TypeError: ``task`` is no task.
        SweepError: There are no values, their numbers differ, or a point is no mapping.
        ConfigError: There is no such field, or a value does not fit its annotation.
    """
    refuse_no_task(task)
    if mode not in MODES:
        raise SweepError(f"mode={mode!r} is none of 'grid', 'zip'.{nearest(str(mode), MODES)}")
    varied = {**dict(over or {}), **fields}
    _refuse_doubled(over, fields)
    if points is not None:
        if varied:
            raise SweepError(
                f"points= gives whole points, and {_listed(varied)} gives values to combine. "
                "Leave one of the two out."
            )
        given: Sequence[Mapping[str, Any]] = _checked_points(points)
    else:
        given = combined({name: _values(name, one) for name, one in varied.items()}, mode)
    labels = [{name: label(value) for name, value in point.items()} for point in given]
    tasks = (_with_values(task, values) for values in given)
    return of_tasks(tasks, given, labels, max_parallel=max_parallel)


def of_tasks(
    tasks: Iterable[Any],
    points: Sequence[Mapping[str, Any]],
    labels: Sequence[Mapping[str, str]],
    *,
    max_parallel: int | None = None,
) -> Sweep:
    """Return the sweep of tasks that have the values of points, each checked.

    Args:
        tasks: A task for each point.
        points: For each point the values by field.
        labels: The same as text.
        max_parallel: How many points may run at once.

    Raises:
        ConfigError: A value does not fit its annotation.
    """
    labels = covered_labels(labels)
    exact = [
        repr(
            [
                (name, type(value).__qualname__, shown_label(name, value, text[name]))
                for name, value in point.items()
            ]
        )
        for point, text in zip(points, labels, strict=True)
    ]
    checked = _checked(tasks)
    return Sweep(
        [
            Point(name, MappingProxyType(dict(values)), task, MappingProxyType(dict(text)))
            for name, values, task, text in zip(
                names(labels, exact), points, checked, labels, strict=True
            )
        ],
        title=_title(checked[0]),
        max_parallel=max_parallel,
    )


def _checked(tasks: Iterable[Any]) -> list[Any]:
    from nemo_run.config.checks.check import error_of, problems

    found = []
    # The same wrong value is in many points, and is told once.
    wrong: dict[str, Problem] = {}
    for task in tasks:
        wrong.update({problem.text: problem for problem in problems(task)})
        found.append(task)
        if len(wrong) >= _MOST_PROBLEMS:
            break
    if wrong:
        raise error_of(found[0], list(wrong.values()))
    return found


def _with_values(task: Any, values: Mapping[str, Any]) -> Any:
    from copy import deepcopy

    from nemo_run.config.graph.setting_paths import set_value

    own = task.clone() if is_node(task) and hasattr(type(task), "clone") else deepcopy(task)
    for path, value in values.items():
        if not is_node(task):
            _refuse_unknown_field(task, path)
        # Of the point alone, so that no two points share a list that a task changes.
        set_value(own, path, deepcopy(value))
    return own if is_node(task) else _checked_script(own)


def _refuse_unknown_field(script: Any, path: str) -> None:
    import dataclasses
    import re

    known = [one.name for one in dataclasses.fields(script)]
    name = re.split(r"[.\[]", path)[0]
    if name not in known:
        raise SweepError(
            f"Script has no field {name!r}.{nearest(name, known)} Its fields: {', '.join(known)}."
        )


def _checked_script(script: Any) -> Any:
    import dataclasses

    # Made anew, so that what checks its arguments sees them.
    return dataclasses.replace(script)


def refuse_no_task(task: Any) -> None:
    """Refuse what no sweep can be made of, and say how to spell it.

    Raises:
        TypeError: ``task`` is neither a ``Partial``, a ``Config`` nor a ``Script``.
    """
    from nemo_run.config.script import Script

    if is_node(task) or isinstance(task, Script):
        return
    name = getattr(task, "__name__", None)
    if callable(task) and name:
        raise TypeError(
            f"{name} is not configured yet, and a sweep varies a run.Partial or run.Config. Write "
            f"run.sweep(run.Partial({name}), ...)."
        )
    if isinstance(task, list | tuple):
        raise TypeError(
            "A sweep varies one task, and a list of them was given. Make a sweep of each."
        )
    raise TypeError(
        f"A sweep varies a run.Partial, run.Config or run.Script, not {task!r} "
        f"({type(task).__name__})."
    )


def _refuse_doubled(over: Mapping[str, Any] | None, fields: Mapping[str, Any]) -> None:
    both = [name for name in over or () if name in fields]
    if both:
        raise SweepError(f"{both[0]!r} is given twice, in the dict and as {both[0]}=.")


def _checked_points(points: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if isinstance(points, str | bytes | Mapping):
        raise SweepError("points= takes a list of dicts: points=[{'lr': 0.1}, {'lr': 0.2}].")
    found: list[Any] = list(islice(points, MOST_POINTS + 1))
    for index, point in enumerate(found):
        if not isinstance(point, Mapping) or not all(isinstance(name, str) for name in point):
            raise SweepError(
                f"points[{index}] is {point!r}; each point is a dict of fields and their values."
            )
    if not found:
        raise SweepError("points= holds no points.")
    _refuse_too_many(len(found))
    return found


def _values(name: str, given: Any) -> list[Any]:
    if type(given).__module__.partition(".")[0] == "numpy" and hasattr(given, "tolist"):
        # Python's own numbers, which travel and are compared with annotations.
        given = given.tolist()
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__") or is_node(given):
        raise SweepError(
            f"{name}={given!r} is one value, and a sweep needs several. Write {name}=[{given!r}, …]"
            ", or set it on the task where it does not vary."
        )
    if isinstance(given, set | frozenset):
        raise SweepError(f"{name} has its values in a set, which has no order. Write a list.")
    found = list(islice(given, MOST_POINTS + 1))
    if not found:
        raise SweepError(f"{name} has no values; a sweep needs at least one.")
    _refuse_too_many(len(found))
    return found


def combined(varied: Mapping[str, Sequence[Any]], mode: Mode) -> list[dict[str, Any]]:
    """Return the points of fields with values.

    Raises:
        SweepError: Nothing varies, or ``zip`` is asked for and the numbers of values differ.
    """
    if not varied:
        raise SweepError(
            "Nothing varies. Give fields with their values: run.sweep(task, lr=[1e-4, 3e-4])."
        )
    if mode == "zip":
        counts = {name: len(values) for name, values in varied.items()}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise SweepError(
                f"zip takes one value of each field at a time, so they need as many: {told}."
            )
        rows: Iterator[tuple[Any, ...]] = zip(*varied.values(), strict=True)
    else:
        total = 1
        for values in varied.values():
            total *= len(values)
        _refuse_too_many(total)
        rows = product(*varied.values())
    return [dict(zip(varied, row, strict=True)) for row in rows]


def _refuse_too_many(count: int) -> None:
    if count > MOST_POINTS:
        raise SweepError(
            f"More than {MOST_POINTS:,} points. Vary less, or give the points that matter with "
            "points=[...]."
        )


def checked_max_parallel(count: int | None) -> int | None:
    """Return how many points may run at once, or refuse it.

    Raises:
        SweepError: It is no number from 1 on.
    """
    if count is None or (type(count) is int and count >= 1):
        return count
    raise SweepError(
        f"max_parallel={count!r} is no number of points; give one from 1 on, or leave it out to "
        "run as many as the executor takes."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{name}=" for name in names)


def _title(task: Any) -> str:
    from nemo_run.config.graph.node import target_name

    if is_node(task):
        return target_name(task).removeprefix("__main__.")
    return str(task.get_name())
