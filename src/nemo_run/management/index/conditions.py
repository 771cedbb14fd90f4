"""Conditions of ``--where`` as SQL: sets of jobs, each found by one look at the facts of a name.

They are about ``e`` and ``j``: an experiment with one of its jobs, or without where it has none.
"""

# ruff: noqa: S608 - what users write goes into the statements as values, never as text

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nemo_run.exceptions import PlanError, nearest
from nemo_run.execution.observation import State

from .database import fact_to_sql, to_sql
from .where import Both, Comparison, Literal, Name, Not, Tree, Value, parse, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBERS = "('integer', 'real')"
_NOW = "CAST(strftime('%s', 'now') AS REAL)"


class BuiltIn(NamedTuple):
    """A word that every experiment or job has.

    Attributes:
        sql: What it is.
        kind: ``number``, ``text``, ``time`` or ``state``.
        order: What experiments are sorted by.
    """

    sql: str
    kind: str
    order: str


def _own(name: str, kind: str = "text") -> BuiltIn:
    return BuiltIn(f"e.{name}", kind, f"e.{name}")


_SPENT = f"(COALESCE(e.ended, {_NOW}) - e.started)"
BUILT_IN: dict[str, BuiltIn] = {
    **{name: _own(name) for name in ("id", "title", "user", "note", "rerun_of")},
    **{name: _own(name, "time") for name in ("created", "started", "ended")},
    **{name: _own(name, "number") for name in ("jobs", "succeeded", "failed")},
    "state": _own("state", "state"),
    "age": BuiltIn(f"({_NOW} - e.created)", "number", f"({_NOW} - e.created)"),
    "duration": BuiltIn(_SPENT, "number", _SPENT),
    "job": BuiltIn("j.name", "text", "e.jobs"),
    "job.state": BuiltIn("j.state", "state", "e.state"),
    "executor": BuiltIn("j.executor", "text", "e.executors"),
    "tag": BuiltIn("", "tag", "e.tags"),
}


def matching(condition: str) -> str:
    """Return the statement that gives the experiments and jobs that fit a condition."""
    return (
        "SELECT e.key AS experiment, j.key AS job FROM experiments e "
        f"LEFT JOIN jobs j ON j.experiment = e.key WHERE {condition}"
    )


class Conditions:
    """One condition, to be asked of an index.

    Args:
        text: The condition.
        names: The parameters and results that there are, with their numbers.
    """

    def __init__(self, text: str, names: Mapping[str, int]) -> None:
        self.values: list[object] = []
        self._text = text
        self._names = names

    def sql(self) -> str:
        """Return the condition over ``e`` and ``j``; ``values`` is what its marks stand for.

        Raises:
            PlanError: It cannot be understood; the message points at the place.
        """
        return self._sql(parse(self._text))

    def _sql(self, tree: Tree) -> str:
        if isinstance(tree, Not):
            return f"NOT {self._sql(tree.inside)}"
        if isinstance(tree, Both):
            return f"({f' {tree.word.upper()} '.join(map(self._sql, tree.parts))})"
        known = None if tree.name.job else BUILT_IN.get(tree.name.name)
        if known is None:
            return self._of_fact(tree)
        if tree.sign == "in":
            each = (self._built_in(known, tree.name, "=", one) for one in tree.values)
            return f"({' OR '.join(each)})"
        if not tree.sign:
            return self._is_there(known)
        return self._built_in(known, tree.name, tree.sign, tree.values[0])

    def _is_there(self, known: BuiltIn) -> str:
        if known.kind == "tag":
            return "(e.tags != '')"
        return f"COALESCE({known.sql} NOT IN ('', 0), 0)"

    def _built_in(self, known: BuiltIn, name: Name, sign: str, literal: Literal) -> str:
        value = self._fitting(known, name, literal)
        if known.kind == "tag":
            return self._tag(sign, value)
        if value is None:
            return f"({known.sql} IS {'NOT ' if sign == '!=' else ''}NULL)"
        return f"COALESCE({self._compared(known.sql, sign, value)}, 0)"

    def _tag(self, sign: str, value: Value) -> str:
        if sign == "!=":
            return f"NOT {self._tag('=', value)}"
        inside = self._compared("tag", sign, value)
        return f"(e.key IN (SELECT experiment FROM tags WHERE {inside}))"

    def _fitting(self, known: BuiltIn, name: Name, literal: Literal) -> Value:
        """Return the value that a built-in word is compared with.

        Raises:
            PlanError: It can never be that.
        """
        value = literal.value
        if known.kind == "time" and isinstance(value, str):
            from datetime import datetime

            try:
                return datetime.fromisoformat(value).timestamp()
            except (ValueError, OverflowError, OSError):
                raise wrong(
                    self._text,
                    literal.at,
                    f"{value!r} is no date. {name.name} is a time: write '2026-03-01' or "
                    "'2026-03-01T14:05', or compare the age: age < 3d.",
                ) from None
        if known.kind in ("time", "number"):
            if isinstance(value, str):
                raise wrong(self._text, literal.at, f"{name.name} is a number, not {value!r}.")
            return value
        if known.kind == "state" and isinstance(value, str):
            return self._state(value, literal)
        return value if value is None or isinstance(value, str) else str(value)

    def _state(self, value: str, literal: Literal) -> str:
        if value.upper() in State.__members__ or any(sign in value for sign in "*?["):
            return value.upper()
        states = ", ".join(State.__members__)
        near = nearest(value.upper(), State.__members__)
        raise wrong(self._text, literal.at, f"{value!r} is no state.{near} States: {states}.")

    def _of_fact(self, tree: Comparison) -> str:
        number = self._number(tree.name)
        if not tree.sign:
            return self._among(tree.name, number, "value NOT IN ('', 0, x'00')")
        if tree.sign == "in":
            each = (self._fact(tree.name, number, "=", one.value) for one in tree.values)
            return f"({' OR '.join(each)})"
        return self._fact(tree.name, number, tree.sign, tree.values[0].value)

    def _fact(self, name: Name, number: int, sign: str, value: Value) -> str:
        if value is None:
            there = self._among(name, number, "value IS NOT NULL")
            return there if sign == "!=" else f"NOT {there}"
        return self._among(name, number, lambda: self._typed(sign, value))

    def _typed(self, sign: str, value: Value) -> str:
        if sign == "~":
            return self._compared("CAST(value AS TEXT)", sign, value)
        if sign == "!=":
            self.values.append(fact_to_sql(value))
            return "value IS NOT ?"
        compared = self._compared("value", sign, value)
        if isinstance(value, bool):
            return compared
        kinds = "('text')" if isinstance(value, str) else _NUMBERS
        return f"typeof(value) IN {kinds} AND {compared}"

    def _among(self, name: Name, number: int, condition: object) -> str:
        """Return that a job, or the experiment, is among those with a fact like this."""
        if name.job:
            self.values += [to_sql(name.job), number]
            inside = condition() if callable(condition) else condition
            return (
                "(e.key IN (SELECT named.experiment FROM facts JOIN jobs named "
                f"ON named.key = facts.job AND named.name = ? WHERE facts.name = ? AND {inside}))"
            )
        self.values.append(number)
        inside = condition() if callable(condition) else condition
        return f"COALESCE(j.key IN (SELECT job FROM facts WHERE name = ? AND {inside}), 0)"

    def _compared(self, what: str, sign: str, value: Value) -> str:
        if sign != "~":
            self.values.append(to_sql(fact_to_sql(value)))
            return f"{what} {sign} ?"
        text = value if isinstance(value, str) else str(value)
        if any(mark in text for mark in "*?["):
            self.values.append(to_sql(text.lower()))
            return f"lower({what}) GLOB ?"
        self.values.append(to_sql(text.lower()))
        return f"instr(lower({what}), ?) > 0"

    def _number(self, name: Name) -> int:
        """Return the number of a parameter or result.

        Raises:
            PlanError: No experiment has it.
        """
        found = self._names.get(name.name)
        if found is not None:
            return found
        if not self._names:
            return -1
        raise self._unknown(name)

    def _unknown(self, name: Name) -> PlanError:
        near = nearest(name.name, [*self._names, *BUILT_IN])
        if not near:
            last = name.name.rpartition(".")[2]
            ends = [one for one in self._names if one.rpartition(".")[2] == last]
            near = f" Did you mean {min(ends, key=len)!r}?" if ends else ""
        what = f"no experiment has a parameter or result {name.name!r}.{near}"
        return wrong(self._text, name.at, what)
