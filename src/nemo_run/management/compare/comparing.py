"""Two experiments, compared."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PackagingError

from . import code
from .comparison import SECTIONS, Change, CodeChange, Comparison, Section, Side
from .documents import Job, Run, Task, read
from .matching import job_named, pairs
from .values import MISSING, Found, Origins, differences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nemo_run.management.store.record import Record

    from .matching import Pair


def compare(
    a: Record, b: Record, *, jobs: tuple[str, str] | None = None, full: bool = False
) -> Comparison:
    """Return what differs between two experiments.

    Args:
        a: The one.
        b: The other; the same one where two of its jobs are compared.
        jobs: The job of each, where only two jobs are compared.
        full: The whole patch of the code, however long.

    Raises:
        NotFoundError: There is no such job.
        StoreError: An ``experiment.json`` cannot be read.
    """
    one = read(a)
    other = one if b.path == a.path else read(b)
    places = code.stores([a, b])

    def code_of(old: str, new: str, names: Sequence[str]) -> CodeChange:
        return code.difference(old, new, names, places, full=full)

    return compared(one, other, code_of, jobs=jobs)


def compared(
    a: Run,
    b: Run,
    code_of: Callable[[str, str, Sequence[str]], CodeChange],
    *,
    jobs: tuple[str, str] | None = None,
) -> Comparison:
    """Return what differs between two documents. Pure, as far as ``code_of`` is.

    Args:
        a: The one.
        b: The other.
        code_of: Returns what differs between two trees that some jobs had.
        jobs: The job of each, where only two jobs are compared.

    Raises:
        NotFoundError: There is no such job.
    """
    matched = [(job_named(a, jobs[0]), job_named(b, jobs[1]))] if jobs else pairs(a, b)
    parts = _Parts(a, b, matched)
    found = {
        "configuration": parts.of_tasks("configuration", _configuration(a, b)),
        "code": _code(a, b, matched, code_of),
        "packages": _packages(a, b),
        "environment": parts.of_tasks("environment", _environment, _surroundings(a, b)),
        "executor": parts.of_tasks(
            "executor", lambda one, two: _values(one.executor, two.executor)
        ),
        "results": parts.of_tasks("results", _results, _states(matched)),
    }
    sides = (
        Side(a.id, a.title, jobs[0] if jobs else ""),
        Side(b.id, b.title, jobs[1] if jobs else ""),
    )
    known_a, known_b = {one.id for one, _ in matched}, {other.id for _, other in matched}
    return Comparison(
        *sides,
        tuple((one.id, other.id) for one, other in matched),
        () if jobs else tuple(job.id for job in a.jobs if job.id not in known_a),
        () if jobs else tuple(job.id for job in b.jobs if job.id not in known_b),
        tuple(found[name] for name in SECTIONS),
    )


@dataclasses.dataclass(frozen=True)
class _Parts:
    """What is compared task by task, and told of once for all that differ alike."""

    a: Run
    b: Run
    matched: Sequence[Pair]

    def of_tasks(
        self, section: str, differ: Callable[[Task, Task], Found], whole: Found | None = None
    ) -> Section:
        by_change: dict[Any, tuple[Change, list[str]]] = {}
        notes = dict.fromkeys((*_told(self.a, section), *_told(self.b, section)))
        equal = whole.equal if whole else 0
        for label, one, other in self._tasks(section, notes):
            try:
                found = differ(one, other)
            except (RecursionError, ValueError, TypeError) as error:
                notes[f"{label} cannot be compared: {error}."] = None
                continue
            equal += found.equal
            for change in found.changes:
                by_change.setdefault(repr(change), (change, []))[1].append(label)
        changes = [
            *(whole.changes if whole else ()),
            *(
                dataclasses.replace(change, jobs=tuple(names))
                for change, names in by_change.values()
            ),
        ]
        if section == "results":
            notes.update(dict.fromkeys(_going(self.matched)))
        unknown = bool(notes) and section != "results"
        return Section(section, tuple(changes), (), tuple(notes), equal, unknown)

    def _tasks(self, section: str, notes: dict[str, None]) -> list[tuple[str, Task, Task]]:
        found = []
        for one, other in self.matched:
            notes.update(dict.fromkeys((*_told(one, section), *_told(other, section))))
            theirs = {task.name: task for task in other.tasks}
            if len(one.tasks) == len(other.tasks) == 1:
                found.append((_label(one, other), one.tasks[0], other.tasks[0]))
                continue
            for task in one.tasks:
                if task.name in theirs:
                    label = f"{_label(one, other)}/{task.name}"
                    found.append((label, task, theirs.pop(task.name)))
                elif section == "configuration":
                    notes[f"{one.id} of A has a member {task.name!r}, which B has not."] = None
            if section == "configuration":
                for name in theirs:
                    notes[f"{other.id} of B has a member {name!r}, which A has not."] = None
        return found


def _label(one: Job, other: Job) -> str:
    return one.id if one.id == other.id else f"{one.id} ~ {other.id}"


def _told(of: Run | Job, section: str) -> tuple[str, ...]:
    return of.problems.get(section, ())


def _values(old: Any, new: Any) -> Found:
    if old is None or new is None:
        return Found((), 0)
    return differences(old, new)


def _configuration(a: Run, b: Run) -> Callable[[Task, Task], Found]:
    def differ(one: Task, other: Task) -> Found:
        if one.task is None or other.task is None:
            return Found((), 0)
        origins = (
            Origins(one.task.get("history"), a.folder),
            Origins(other.task.get("history"), b.folder),
        )
        return differences(one.task["value"], other.task["value"], *origins)

    return differ


def _environment(one: Task, other: Task) -> Found:
    if one.environment is None or other.environment is None:
        return Found((), 0)
    return _by_name(one.environment, other.environment)


def _by_name(old: Mapping[str, Any], new: Mapping[str, Any]) -> Found:
    """Return what differs between two tables, under the plain names of their entries."""
    changes: list[Change] = []
    equal = 0
    for name in sorted({**old, **new}):
        # One by one, with the name around the value, so that what is secret by it is covered.
        sides = [{name: side[name]} if name in side else {} for side in (old, new)]
        found = differences(
            {"$": "partial", "arguments": sides[0]}, {"$": "partial", "arguments": sides[1]}
        )
        equal += found.equal
        changes += [
            dataclasses.replace(change, path=_plain(change.path, name)) for change in found.changes
        ]
    return Found(tuple(changes), equal)


def _plain(path: str, name: str) -> str:
    return path.replace(f"[{name!r}]", name, 1) if path.startswith("[") else path


def _surroundings(a: Run, b: Run) -> Found:
    known = [{**one.surroundings, **one.surroundings.get("variables", {})} for one in (a, b)]
    for one in known:
        one.pop("variables", None)
    return _by_name(*known)


def _packages(a: Run, b: Run) -> Section:
    notes = (*_told(a, "packages"), *_told(b, "packages"))
    if a.packages is None or b.packages is None:
        return Section("packages", notes=tuple(dict.fromkeys(notes)), unknown=True)
    changes = []
    for name in sorted({**a.packages, **b.packages}):
        old, new = a.packages.get(name), b.packages.get(name)
        if old != new:
            kind: Any = "added" if old is None else "removed" if new is None else "changed"
            changes.append(Change(name, kind, old or "", new or "", old, new))
    equal = sum(1 for name in a.packages if a.packages[name] == b.packages.get(name))
    return Section("packages", tuple(changes), (), notes, equal)


def _states(matched: Sequence[Pair]) -> Found:
    by_change: dict[tuple[str, str], list[str]] = {}
    equal = 0
    for one, other in matched:
        if one.state == other.state:
            equal += 1
        else:
            by_change.setdefault((one.state, other.state), []).append(_label(one, other))
    changes = tuple(
        Change("state", "changed", old, new, old, new, jobs=tuple(names))
        for (old, new), names in by_change.items()
    )
    return Found(changes, equal)


def _going(matched: Sequence[Pair]) -> list[str]:
    going = [
        f"{job.id} of {side} is {job.state or 'not known'}"
        for pair in matched
        for side, job in zip("AB", pair, strict=True)
        if not job.over
    ]
    if not going:
        return []
    more = f" and {len(going) - _MOST_NAMED} more" if len(going) > _MOST_NAMED else ""
    return [f"Not over: {', '.join(going[:_MOST_NAMED])}{more}; what is there so far is compared."]


_MOST_NAMED = 5


def _results(one: Task, other: Task) -> Found:
    returned = differences(
        MISSING if one.result is None else one.result,
        MISSING if other.result is None else other.result,
    )
    named = tuple(
        dataclasses.replace(change, path=_of_result(change.path)) for change in returned.changes
    )
    logged = _by_name(dict(one.metrics), dict(other.metrics))
    metrics = tuple(
        dataclasses.replace(change, path=f"metric {change.path}") for change in logged.changes
    )
    return Found((*named, *metrics), returned.equal + logged.equal)


def _of_result(path: str) -> str:
    """Return what to call a part of what a task returned: ``accuracy`` of ``['accuracy']``."""
    if path == "(whole)":
        return "returned"
    own = _KEY.match(path)
    return own[1] + path[own.end() :] if own else path


_KEY = re.compile(r"\['(\w+)'\]")


def _code(
    a: Run,
    b: Run,
    matched: Sequence[Pair],
    code_of: Callable[[str, str, Sequence[str]], CodeChange],
) -> Section:
    by_trees: dict[tuple[str, str], list[str]] = {}
    for one, other in matched:
        if one is other:
            continue
        by_trees.setdefault((one.tree, other.tree), []).append(_label(one, other))
    changes: list[CodeChange] = []
    notes: list[str] = []
    equal, unknown = 0, False
    for (old, new), names in by_trees.items():
        if not (old and new):
            if not (old or new) and _is_one_commit(a.git, b.git):
                equal += len(names)
                continue
            notes.append(_not_kept(old, new, names, a, b))
            unknown = True
        elif old == new:
            equal += len(names)
        else:
            try:
                changes.append(code_of(old, new, names))
            except PackagingError as error:
                notes.append(f"Of {_some(names)} it is another code, and no more is known: {error}")
                changes.append(CodeChange(old, new, tuple(names)))
    return Section("code", (), tuple(changes), tuple(notes), equal, unknown)


def _is_one_commit(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    """Whether two launching folders had the same commit, and no file that differed from it."""
    if not old or not new or not old.get("commit") or old.get("dirty") or new.get("dirty"):
        return False
    return bool(old["commit"] == new.get("commit"))


def _not_kept(old: str, new: str, names: Sequence[str], a: Run, b: Run) -> str:
    """Return what is known of code of which one side, or both, kept no copy."""
    whose = "A" if new else "B" if old else "A and B"
    said = f"No code traveled with {_some(names)} in {whose}, so it cannot be compared"
    then = [str(one.git.get("commit") or "") if one.git else "" for one in (a, b)]
    if not all(then):
        return f"{said}."
    if then[0] != then[1]:
        return f"{said}; git was at {then[0][:12]} in A and at {then[1][:12]} in B."
    dirty = [
        side for side, one in zip("AB", (a, b), strict=True) if one.git and one.git.get("dirty")
    ]
    where = f"git was at {then[0][:12]} in both"
    return f"{said}; {where}, with changed files in {' and '.join(dirty)}." if dirty else f"{said}."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
