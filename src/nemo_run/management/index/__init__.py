"""A list of all experiments that is there at once, however many there are.

The folders are the truth. What was read from them is kept in ``$NEMORUN_HOME/index.db``, which
may be deleted at any time: listing asks the system for the time of each title's folder (who is
there?) and for the size of each journal (did anything happen?), and reads only what changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.management import store
from nemo_run.management.store import layout, locations
from nemo_run.management.store.advice import explained

from . import database
from . import rows as index_rows
from .changes import Changes, Kept, compare
from .database import VERSION
from .rows import Row
from .select import Question, select

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from nemo_run.execution.observation import State

    from .facts import Fact

    Progress = Callable[[int, int], None]

__all__ = [
    "VERSION",
    "Answer",
    "Listing",
    "Question",
    "Row",
    "ask",
    "known_names",
    "known_tags",
    "reindex",
    "rows",
]

# A process that is killed while it reads 10,000 experiments for the first time has kept most.
_AT_ONCE = 200


class Listing(NamedTuple):
    """Experiments, newest first, and what the user should know about the list.

    Attributes:
        rows: One for each experiment; a damaged one has ``error`` set.
        warnings: Sentences.
    """

    rows: list[Row]
    warnings: list[str]


class Answer(NamedTuple):
    """What a question was answered with.

    Attributes:
        rows: The experiments.
        warnings: Sentences.
        values: For each row, the values of the columns that were asked for: name → the different
            values that its jobs have. Empty where no column was asked for.
    """

    rows: list[Row]
    warnings: list[str]
    values: list[dict[str, list[Fact]]]


def rows(
    state: State | str | Collection[State | str] | None = None,
    title: str | None = None,
    limit: int | None = None,
    *,
    where: str | None = None,
    sort: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Listing:
    """Return the experiments, newest first.

    Args:
        state: Only those in this state, or one of these.
        title: Only those with this title.
        limit: At most so many.
        where: Only those with a job that this is true of: ``model.lr < 1e-3 and accuracy > 0.9``.
        sort: Names to sort by, ``-`` before one for the greatest first.
        tags: Only those with all of these tags.

    Raises:
        PlanError: The condition cannot be used; the message points at the place.
    """
    states = None
    if state is not None:
        states = [str(one) for one in ([state] if isinstance(state, str) else state)]
    asked = Question(states, title, tags=tags, where=where, sort=sort, limit=limit)
    return Listing(*ask(asked)[:2])


def ask(asked: Question, progress: Progress | None = None) -> Answer:
    """Return the experiments that a question is about.

    Args:
        asked: The question.
        progress: Is told how many experiments were read, and of how many.

    Raises:
        PlanError: The condition or a name cannot be used.
    """
    warnings: list[str] = []
    home = layout.home()
    connection = _refreshed(home / layout.INDEX, locations.bases(), warnings, progress)
    try:
        found, values = select(connection, asked)
    finally:
        connection.close()
    warnings.extend(row.error for row in found if row.error)
    return Answer(found, warnings, values)


def known_names() -> list[str]:
    """Return the names that conditions may have: parameters, results, and those of all."""
    from .conditions import BUILT_IN

    return sorted({*BUILT_IN, *_column("SELECT name FROM names")})


def known_tags() -> list[str]:
    """Return the tags that experiments have."""
    return _column("SELECT DISTINCT tag FROM tags ORDER BY tag")


def _column(query: str) -> list[str]:
    connection = _refreshed(layout.home() / layout.INDEX, locations.bases(), [], None)
    try:
        return [database.from_sql(value) for (value,) in connection.execute(query)]
    finally:
        connection.close()


def reindex(progress: Progress | None = None) -> Listing:
    """Forget what was kept, sweep up what killed processes left, and read everything again.

    Raises:
        StoreError: The index cannot be removed.
    """
    path = layout.home() / layout.INDEX
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explained("remove the index", path, error) from error
    store.sweep()
    return Listing(*ask(Question(), progress)[:2])


def _refreshed(
    path: Path, bases: Sequence[Path], warnings: list[str], progress: Progress | None
) -> sqlite3.Connection:
    """Return an open index that is true now: the file, or a copy in memory where it must be."""
    try:
        return _refresh_file(path, bases, warnings, progress)
    except sqlite3.OperationalError as error:
        if path.parent.is_dir():
            warnings.append(_unusable(path, error))
    except sqlite3.DatabaseError:
        try:
            path.unlink(missing_ok=True)
            return _refresh_file(path, bases, warnings, progress)
        except (OSError, sqlite3.Error) as error:
            warnings.append(_unusable(path, error))
    connection = database.in_memory()
    changes = _compare(connection, bases)
    _save(connection, changes, progress)
    warnings.extend(changes.unread)
    return connection


def _compare(connection: sqlite3.Connection, bases: Sequence[Path]) -> Changes:
    return compare(Kept(*database.kept(connection)), bases)


def _unusable(path: Path, error: Exception) -> str:
    return (
        f"The index {path} cannot be used ({error}), so every experiment was read, which takes "
        "longer. The file may be deleted at any time."
    )


def _refresh_file(
    path: Path, bases: Sequence[Path], warnings: list[str], progress: Progress | None
) -> sqlite3.Connection:
    connection = database.opened(path)
    try:
        changes = _compare(connection, bases)
        try:
            _save(connection, changes, progress)
        except sqlite3.OperationalError:
            # Locked, read-only or full: the list is still right, it is only not kept.
            connection = database.in_memory(connection)
            _save(connection, changes, progress)
    except BaseException:
        connection.close()
        raise
    warnings.extend(changes.unread)
    return connection


def _save(connection: sqlite3.Connection, changes: Changes, progress: Progress | None) -> None:
    """Read what changed and write it down, a part at a time; harmless when done again."""
    if changes.gone:
        with _transaction(connection):
            database.forget(connection, changes.gone)
    stale = changes.stale
    for start in range(0, len(stale), _AT_ONCE):
        if progress is not None:
            progress(start, len(stale))
        # Nobody else waits while we read.
        entries = [index_rows.read(*one) for one in stale[start : start + _AT_ONCE]]
        with _transaction(connection):
            database.save(connection, entries)
    if changes.titles:
        # Last: from now on, the experiments in these folders are known to be in the index.
        with _transaction(connection):
            database.save_titles(connection, changes.titles)


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
