"""A question about experiments, as one statement of SQL."""

# ruff: noqa: S608 - what users write goes into the statements as values, never as text

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError, nearest
from nemo_run.execution.observation import State

from .database import fact_from_sql, from_sql, to_sql
from .rows import Row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from .facts import Fact

# The largest number that SQLite holds.
_ALL = 2**63 - 1
_FIELDS = Row._fields
_STATES = {str(state): state for state in State}
_LISTS = [_FIELDS.index(name) for name in ("tags", "executors")]
_STATE = _FIELDS.index("state")
_MOST_AT_ONCE = 500


@dataclass(frozen=True)
class Question:
    """Which experiments, in which order, and what of them.

    Attributes:
        states: Only those in one of these; None for all.
        title: Only those with this title.
        titles: Only those whose title fits this pattern (``*``, ``?``, ``[…]``).
        tags: Only those with all of these tags.
        user: Only those of this user.
        executor: Only those with a job on an executor whose kind has this in its name.
        since: Only those made at or after this, in seconds since the epoch.
        until: Only those made before this.
        where: Only those with a job that this condition is true of.
        sort: Names to sort by, ``-`` before one for the greatest first; else by age.
        columns: Names of parameters and results to return.
        limit: At most so many.
    """

    states: Sequence[str] | None = None
    title: str | None = None
    titles: str | None = None
    tags: Sequence[str] = ()
    user: str | None = None
    executor: str | None = None
    since: float | None = None
    until: float | None = None
    where: str | None = None
    sort: Sequence[str] = ()
    columns: Sequence[str] = ()
    limit: int | None = None


@dataclass
class _Query:
    """A statement that is being put together."""

    wanted: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def want(self, condition: str, *values: object) -> None:
        self.wanted.append(condition)
        self.values += map(to_sql, values)


def select(
    connection: sqlite3.Connection, asked: Question
) -> tuple[list[Row], list[dict[str, list[Fact]]]]:
    """Return the experiments, and for each the values of the columns that were asked for.

    Raises:
        PlanError: The condition or a name cannot be used.
    """
    names: dict[str, int] = {}
    fitting = ""
    job_values: list[object] = []
    if asked.where is not None or asked.sort or asked.columns:
        names = _names(connection)
        fitting, job_values = _fitting(asked, names)
    query = _chosen(asked)
    start = ""
    if fitting:
        # Materialized, so that it is worked out once.
        start = f"WITH fitting AS MATERIALIZED ({fitting}) "
        query.wanted.append("e.key IN (SELECT experiment FROM fitting)")
    joins, order, sort_values = _order(asked, names, fitting=bool(fitting))
    where = f"WHERE {' AND '.join(query.wanted)} " if query.wanted else ""
    text = (
        f"{start}SELECT {', '.join(f'e.{name}' for name in _FIELDS)}, e.key FROM experiments e "
        f"{joins}{where}ORDER BY {order} LIMIT ?"
    )
    limit = -1 if asked.limit is None else min(asked.limit, _ALL)
    rows = connection.execute(text, [*job_values, *sort_values, *query.values, limit]).fetchall()
    values: list[dict[str, list[Fact]]] = []
    if asked.columns:
        keys = [row[-1] for row in rows]
        values = _columns(connection, asked, names, keys, fitting, job_values)
    return [_as_row(row) for row in rows], values


def _fitting(asked: Question, names: Mapping[str, int]) -> tuple[str, list[object]]:
    """Return the statement for the experiments and jobs that fit the condition, and its values.

    Raises:
        PlanError: The condition, or a name to sort by or to show, cannot be used.
    """
    from .conditions import BUILT_IN, Conditions, matching

    wanted = [(key.lstrip("-"), {*names, *BUILT_IN}) for key in asked.sort]
    for name, known in (*wanted, *((name, set(names)) for name in asked.columns)):
        if names and name not in known:
            near = nearest(name, sorted(known))
            raise PlanError(f"No experiment has a parameter or result {name!r}.{near}")
    if asked.where is None:
        return "", []
    conditions = Conditions(asked.where, names)
    return matching(conditions.sql()), conditions.values


def _names(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT name, key FROM names").fetchall())


def _chosen(asked: Question) -> _Query:
    query = _Query()
    if asked.states is not None:
        query.want(f"e.state IN ({', '.join('?' * len(asked.states))})", *asked.states)
    if asked.title is not None:
        query.want("e.title = ?", asked.title)
    if asked.titles is not None:
        # One that has such a sign in its name is found by it, too.
        query.want("(e.title GLOB ? OR e.title = ?)", asked.titles, asked.titles)
    for tag in asked.tags:
        query.want("e.key IN (SELECT experiment FROM tags WHERE tag = ?)", tag)
    if asked.user is not None:
        query.want("e.user = ?", asked.user)
    if asked.executor is not None:
        query.want("instr(lower(e.executors), lower(?))", asked.executor)
    if asked.since is not None:
        query.want("e.created >= ?", asked.since)
    if asked.until is not None:
        query.want("e.created < ?", asked.until)
    return query


def _order(
    asked: Question, names: Mapping[str, int], *, fitting: bool
) -> tuple[str, str, list[object]]:
    """Return the joins, the terms and the values of the order."""
    if not asked.sort:
        return "", "e.created DESC, e.id DESC", []
    from .conditions import BUILT_IN

    joins, terms = "", []
    values: list[object] = []
    for number, key in enumerate(asked.sort):
        name, down = key.lstrip("-"), key.startswith("-")
        way = "DESC" if down else "ASC"
        if name in BUILT_IN:
            terms.append(f"{BUILT_IN[name].order} {way} NULLS LAST")
            continue
        # Of several jobs, the one that comes first in this order counts.
        best = "MAX" if down else "MIN"
        only = "AND f.job IN (SELECT job FROM fitting) " if fitting else ""
        joins += (
            f"LEFT JOIN (SELECT j.experiment, {best}(f.value) AS value FROM facts f "
            f"JOIN jobs j ON j.key = f.job WHERE f.name = ? {only}"
            f"GROUP BY j.experiment) s{number} ON s{number}.experiment = e.key "
        )
        values.append(names.get(name, -1))
        # What has no number comes last in either order.
        terms.append(f"typeof(s{number}.value) IN ('integer', 'real') DESC")
        terms.append(f"s{number}.value {way} NULLS LAST")
    terms += ["e.created DESC", "e.id DESC"]
    return joins, ", ".join(terms), values


def _columns(
    connection: sqlite3.Connection,
    asked: Question,
    names: Mapping[str, int],
    keys: Sequence[int],
    fitting: str,
    job_values: Sequence[object],
) -> list[dict[str, list[Fact]]]:
    """Return the different values that the jobs of each experiment have for each column."""
    found: dict[int, dict[str, list[Fact]]] = {key: {} for key in keys}
    wanted = {names[name]: name for name in asked.columns if name in names}
    only = f"AND f.job IN (SELECT job FROM ({fitting})) " if fitting else ""
    for start in range(0, len(keys), _MOST_AT_ONCE):
        some = keys[start : start + _MOST_AT_ONCE]
        # From the jobs to their facts: the jobs are few.
        query = (
            "SELECT j.experiment, f.name, f.value FROM jobs j CROSS JOIN facts f "
            f"ON f.job = j.key AND f.name IN ({', '.join('?' * len(wanted))}) "
            f"WHERE j.experiment IN ({', '.join('?' * len(some))}) {only}ORDER BY j.key"
        )
        extra = job_values if fitting else ()
        for experiment, name, value in connection.execute(query, [*wanted, *some, *extra]):
            values = found[experiment].setdefault(wanted[name], [])
            fact = fact_from_sql(value)
            if not any(type(one) is type(fact) and one == fact for one in values):
                values.append(fact)
    return [found[key] for key in keys]


def _as_row(values: Sequence[Any]) -> Row:
    fields = [from_sql(value) for value in values[:-1]]
    fields[_STATE] = _STATES[fields[_STATE]]
    for at in _LISTS:
        fields[at] = tuple(fields[at].split("\n")) if fields[at] else ()
    return Row._make(fields)
