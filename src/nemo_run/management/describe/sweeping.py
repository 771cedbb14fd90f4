"""A sweep as jobs of an experiment: what they are called, and what is remembered of their point."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nemo_run.config.sweeps.names import is_hidden, label
from nemo_run.config.sweeps.sweep import Sweep, checked_max_parallel

from .jobs import task_name
from .varied import Varied

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from nemo_run.config.sweeps.sweep import Point

    from .jobs import Job

_MOST_SHOWN = 24


def checked_sweep(given: object) -> Sweep:
    """Return a sweep, or refuse what is none.

    Raises:
        TypeError: It is no sweep.
    """
    if isinstance(given, Sweep):
        return given
    raise TypeError(
        f"add_sweep() takes what run.sweep() returned, not a {type(given).__name__}. Write "
        "exp.add_sweep(run.sweep(task, lr=[1e-4, 3e-4])); one task is added with add()."
    )


def refuse_sweep(task: object) -> None:
    """Refuse a sweep where one task is expected.

    Raises:
        TypeError: It is a sweep.
    """
    if isinstance(task, Sweep):
        raise TypeError(
            f"A sweep of {len(task)} points is as many jobs. Write exp.add_sweep(sweep), which "
            "returns their ids."
        )


def title_of(sweep: Sweep) -> str:
    """Return what to call a sweep that nobody gave a name: what its task is called."""
    return task_name(sweep[0].task)


def points_of(
    sweep: Sweep, name: str, jobs: Iterable[Job], max_parallel: int | None
) -> Iterator[tuple[str, Point, Varied]]:
    """Yield each point with the name of its job and what is remembered of it.

    Args:
        sweep: The sweep.
        name: What to call it; empty to call it after its task, and its jobs after what varies.
        jobs: The jobs that the experiment has.
        max_parallel: How many of its jobs may run at once, if the sweep does not say it.
    """
    own = _unique(name or title_of(sweep), jobs)
    limit = sweep.max_parallel if max_parallel is None else checked_max_parallel(max_parallel)
    for point in sweep:
        values = {field: _kept(value, point, field) for field, value in point.values.items()}
        yield (
            f"{name}_{point.name}" if name else point.name,
            point,
            Varied(own, values, limit),
        )


def sweep_tables(documents: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the points of each sweep as a table, from what is said of the jobs."""
    from nemo_run.config.show import text_table

    sweeps: dict[str, list[tuple[str, Varied]]] = {}
    for document in documents:
        varied = Varied.from_json(document.get("sweep"))
        if varied is not None:
            sweeps.setdefault(varied.sweep, []).append((str(document["id"]), varied))
    for name, points in sweeps.items():
        fields = list(dict.fromkeys(field for _, one in points for field in one.values))
        rows = [
            [job, *(label(one.values[f]) if f in one.values else "" for f in fields)]
            for job, one in points
        ]
        limit = points[0][1].max_parallel
        yield f"\nSweep of {name}: {len(points)} points"
        yield f", at most {limit} at once\n" if limit else "\n"
        for line in text_table.lines(["job", *fields], rows, most=_MOST_SHOWN):
            yield f"  {line}\n"
        if len(points) > 1:
            yield f"  Below is what is sent for {points[0][0]}; for the others it is alike.\n"


def _unique(name: str, jobs: Iterable[Job]) -> str:
    taken = {job.varied.sweep for job in jobs if job.varied}
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}_{number}"
    return unique


def _kept(value: Any, point: Point, field: str) -> Any:
    if not _is_plain(value) or is_hidden(field, label(value)):
        return point.labels[field]
    return value


def _is_plain(value: Any) -> bool:
    """Whether JSON has the value, so that it is the same when it is read."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(map(_is_plain, value))
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    return value is None or kind in (bool, int, str)
