"""A list of all experiments that is there at once, however many there are.

The folders are the truth. What was read from them is kept in ``$NEMORUN_HOME/index.db``, which
may be deleted at any time: listing asks the system for the time of each title's folder (who is
there?) and for the size of each journal (did anything happen?), and reads only what changed.
"""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from nemo_run.execution.observation import State
from nemo_run.management import store
from nemo_run.management.store import layout, locations
from nemo_run.management.store.advice import explained
from nemo_run.management.store.files import open_file

from .changes import Changes, Kept, compare
from .rows import Row, Stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

VERSION = 1

_SCHEMA = """
CREATE TABLE titles (folder TEXT PRIMARY KEY, mtime INTEGER) WITHOUT ROWID;
CREATE TABLE experiments (
    folder TEXT, journal_size INTEGER, journal_mtime INTEGER,
    id TEXT, title TEXT, path TEXT PRIMARY KEY, created REAL, state TEXT, jobs INTEGER,
    succeeded INTEGER, failed INTEGER, started REAL, ended REAL, user TEXT, error TEXT
) WITHOUT ROWID;
"""
_REPLACE = "REPLACE INTO experiments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# The largest number that SQLite holds.
_ALL = 2**63 - 1
_SELECT = """
SELECT id, title, path, created, state, jobs, succeeded, failed, started, ended, user, error
FROM experiments
WHERE (:title IS NULL OR title = :title)
AND (:states IS NULL OR instr(:states, ',' || state || ','))
ORDER BY created DESC, id DESC LIMIT :limit
"""

_STATE = Row._fields.index("state")
_STATES = {str(state): state for state in State}

_NEVER: Stamp = (-2, -2)

# Another process is writing the index. It writes what we would have written.
_PATIENCE_SECONDS = 1.0


class Listing(NamedTuple):
    """Experiments, newest first, and what the user should know about the list.

    Attributes:
        rows: One for each experiment; a damaged one has ``error`` set.
        warnings: Sentences.
    """

    rows: list[Row]
    warnings: list[str]


def rows(
    state: State | str | Collection[State | str] | None = None,
    title: str | None = None,
    limit: int | None = None,
) -> Listing:
    """Return the experiments, newest first.

    Args:
        state: Only those in this state, or one of these.
        title: Only those with this title.
        limit: At most so many.
    """
    home = layout.home()
    warnings: list[str] = []
    connection = _refreshed(home / layout.INDEX, locations.bases(), warnings)
    try:
        found = _select(connection, state, title, limit)
    finally:
        connection.close()
    warnings.extend(row.error for row in found if row.error)
    return Listing(found, warnings)


def reindex() -> Listing:
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
    return rows()


def _refreshed(path: Path, bases: Sequence[Path], warnings: list[str]) -> sqlite3.Connection:
    """Return an open index that is true now: the file, or a copy in memory where it must be."""
    try:
        return _refresh_file(path, bases, warnings)
    except sqlite3.OperationalError as error:
        if path.parent.is_dir():
            warnings.append(_unusable(path, error))
    except sqlite3.DatabaseError:
        try:
            path.unlink(missing_ok=True)
            return _refresh_file(path, bases, warnings)
        except (OSError, sqlite3.Error) as error:
            warnings.append(_unusable(path, error))
    connection = _prepared(sqlite3.connect(":memory:", isolation_level=None))
    changes = compare(_kept(connection), bases)
    _save(connection, changes)
    warnings.extend(changes.unread)
    return connection


def _unusable(path: Path, error: Exception) -> str:
    return (
        f"The index {path} cannot be used ({error}), so every experiment was read, which takes "
        "longer. The file may be deleted at any time."
    )


def _refresh_file(path: Path, bases: Sequence[Path], warnings: list[str]) -> sqlite3.Connection:
    _create_private(path)
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    try:
        changes = compare(_kept(_prepared(connection)), bases)
        try:
            _save(connection, changes)
        except sqlite3.OperationalError:
            # Locked, read-only or full: the list is still right, it is only not kept.
            connection = _in_memory(connection)
            _save(connection, changes)
    except BaseException:
        connection.close()
        raise
    warnings.extend(changes.unread)
    return connection


def _create_private(path: Path) -> None:
    # SQLite would let the umask decide who may read it.
    try:
        os.close(open_file(path, os.O_RDONLY | os.O_CREAT))
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror or str(error)) from error


def _in_memory(connection: sqlite3.Connection) -> sqlite3.Connection:
    copy = sqlite3.connect(":memory:", isolation_level=None)
    with connection:
        connection.backup(copy)
    connection.close()
    return copy


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make the tables, unless they are there as this version has them."""
    # No WAL: it needs memory shared between machines, which NFS has not
    # (https://www.sqlite.org/wal.html), and our transactions are short.
    version = _version(connection)
    if version == VERSION:
        return connection
    if version > VERSION:
        # Its tables are not ours to drop: it would be made anew at each change of versions.
        raise sqlite3.OperationalError("a later version of NeMo Run made it")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) != VERSION:
        connection.execute("DROP TABLE IF EXISTS titles")
        connection.execute("DROP TABLE IF EXISTS experiments")
        for statement in _SCHEMA.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _to_sql(value: object) -> object:
    """Return what SQLite can hold: as bytes, text that is no UTF-8, as a path may be none."""
    if isinstance(value, State):
        return str(value)
    if isinstance(value, str) and not value.isascii():
        data = value.encode("utf-8", "surrogatepass")
        return value if data.decode("utf-8", "ignore") == value else data
    return value


def _from_sql(values: tuple[Any, ...]) -> list[Any]:
    return [v.decode("utf-8", "surrogatepass") if isinstance(v, bytes) else v for v in values]


def _kept(connection: sqlite3.Connection) -> Kept:
    titles = connection.execute("SELECT folder, mtime FROM titles")
    kept = Kept(dict(map(_from_sql, titles)), {})
    # What was damaged is read again each time, for it may have been mended.
    query = "SELECT folder, path, journal_size, journal_mtime, error FROM experiments"
    for folder, path, size, mtime, error in map(_from_sql, connection.execute(query)):
        kept.experiments.setdefault(folder, {})[path] = _NEVER if error else (size, mtime)
    return kept


def _save(connection: sqlite3.Connection, changes: Changes) -> None:
    if not (changes.gone or changes.titles or changes.entries):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.executemany(
            "DELETE FROM experiments WHERE path = ?", ((_to_sql(path),) for path in changes.gone)
        )
        titles = ((_to_sql(folder), mtime) for folder, mtime in changes.titles)
        connection.executemany("REPLACE INTO titles VALUES (?, ?)", titles)
        connection.executemany(_REPLACE, map(_values, changes.entries))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _values(entry: tuple[str, Stamp, Row]) -> tuple[object, ...]:
    folder, stamp, row = entry
    return (_to_sql(folder), *stamp, *map(_to_sql, row))


def _select(
    connection: sqlite3.Connection,
    state: State | str | Collection[State | str] | None,
    title: str | None,
    limit: int | None,
) -> list[Row]:
    wanted = None
    if state is not None:
        states = [state] if isinstance(state, str) else state
        wanted = f",{','.join(map(str, states))},"
    values = {
        "title": _to_sql(title),
        "states": wanted,
        "limit": -1 if limit is None else min(limit, _ALL),
    }
    return [_as_row(row) for row in connection.execute(_SELECT, values)]


def _as_row(values: tuple[Any, ...]) -> Row:
    fields = _from_sql(values)
    fields[_STATE] = _STATES[fields[_STATE]]
    return Row._make(fields)
