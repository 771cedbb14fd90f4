"""The file of the index: its tables, and what is written into them."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any

from nemo_run.execution.observation import State
from nemo_run.management.store.files import open_file

from .rows import NEVER, Stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .facts import Fact
    from .rows import Entry, JobEntry

VERSION = 2

_SCHEMA = """
CREATE TABLE titles (folder TEXT PRIMARY KEY, mtime INTEGER) WITHOUT ROWID;
CREATE TABLE experiments (
    key INTEGER PRIMARY KEY, folder TEXT, path TEXT UNIQUE,
    journal_size INTEGER, journal_mtime INTEGER, marks INTEGER, late INTEGER,
    id TEXT, title TEXT, created REAL, state TEXT, jobs INTEGER, succeeded INTEGER,
    failed INTEGER, started REAL, ended REAL, user TEXT, error TEXT,
    tags TEXT, note TEXT, executors TEXT, rerun_of TEXT
);
CREATE INDEX by_age ON experiments (created, id);
CREATE TABLE tags (experiment INTEGER, tag TEXT, PRIMARY KEY (experiment, tag)) WITHOUT ROWID;
CREATE TABLE jobs (
    key INTEGER PRIMARY KEY, experiment INTEGER, name TEXT, state TEXT, executor TEXT
);
CREATE INDEX jobs_of ON jobs (experiment);
CREATE TABLE names (key INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE facts (name INTEGER, job INTEGER, value, PRIMARY KEY (name, job)) WITHOUT ROWID
"""
_COLUMNS = (
    "key, folder, path, journal_size, journal_mtime, marks, late, id, title, created, state, jobs, "
    "succeeded, failed, started, ended, user, error, tags, note, executors, rerun_of"
)
_MARKS = ", ".join("?" * len(_COLUMNS.split()))
_REPLACE = f"REPLACE INTO experiments ({_COLUMNS}) VALUES ({_MARKS})"  # noqa: S608 - both are ours

TRUE, FALSE = b"\1", b"\0"
"""How the index holds what is true and false, which it has no type for."""

# Another process is writing the index. It writes what we would have written.
_PATIENCE_SECONDS = 1.0


def opened(path: Path) -> sqlite3.Connection:
    """Return an open index with its tables; one of another version is made anew.

    Raises:
        sqlite3.Error: It cannot be opened, or is damaged.
    """
    _create_private(path)
    connection = sqlite3.connect(path, timeout=_PATIENCE_SECONDS, isolation_level=None)
    try:
        return prepared(connection)
    except BaseException:
        connection.close()
        raise


def in_memory(connection: sqlite3.Connection | None = None) -> sqlite3.Connection:
    """Return an index in memory: empty, or a copy of one, which is closed."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    if connection is None:
        return prepared(copy)
    with connection:
        connection.backup(copy)
    connection.close()
    return copy


def prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Make the tables, unless they are there as this version has them."""
    # No WAL: it needs memory shared between machines, which NFS has not
    # (https://www.sqlite.org/wal.html), and our transactions are short.
    version = _version(connection)
    if version == VERSION:
        return connection
    if version > VERSION:
        # Its tables are not ours to drop: they would be made anew with each change of versions.
        raise sqlite3.OperationalError("a later version of NeMo Run made it")
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) != VERSION:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (name,) in tables.fetchall():
            connection.execute('DROP TABLE "{}"'.format(name.replace('"', '""')))
        for statement in _SCHEMA.strip().split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
    return connection


def _create_private(path: Path) -> None:
    # SQLite would let the umask decide who may read it.
    try:
        os.close(open_file(path, os.O_RDONLY | os.O_CREAT))
    except OSError as error:
        raise sqlite3.OperationalError(error.strerror or str(error)) from error


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def to_sql(value: object) -> object:
    """Return what SQLite can hold: as bytes, text that is no UTF-8, as a path may be none."""
    if isinstance(value, State):
        return str(value)
    if isinstance(value, str) and not value.isascii():
        data = value.encode("utf-8", "surrogatepass")
        return value if data.decode("utf-8", "ignore") == value else data
    return value


def from_sql(value: Any) -> Any:
    """Return what :func:`to_sql` was given, but for states."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value


def fact_to_sql(value: Fact) -> object:
    """Return how the index holds a parameter or result."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    return value


def fact_from_sql(value: Any) -> Fact:
    """Return what :func:`fact_to_sql` was given."""
    return value == TRUE if isinstance(value, bytes) else value


def kept(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, dict[str, Stamp]]]:
    """Return the time of each title's folder, and for each the stamp of each experiment's path."""
    titles = connection.execute("SELECT folder, mtime FROM titles")
    times = {from_sql(folder): mtime for folder, mtime in titles}
    found: dict[str, dict[str, Stamp]] = {}
    # What was damaged is read again each time, for it may have been mended.
    query = (
        "SELECT folder, path, journal_size, journal_mtime, marks, late, error != '' "
        "FROM experiments"
    )
    # This loop runs 10,000 times a list.
    for folder, path, size, mtime, marks, late, damaged in connection.execute(query):
        inside = found.get(folder)
        if inside is None:
            inside = found.setdefault(from_sql(folder), {})
        if type(path) is bytes:
            path = from_sql(path)  # noqa: PLW2901
        inside[path] = NEVER if damaged else (size, mtime, marks, late)
    return times, found


def forget(connection: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Remove experiments that are no more."""
    for path in paths:
        key = _clear(connection, path)
        connection.execute("DELETE FROM experiments WHERE key = ?", (key,))


def save_titles(connection: sqlite3.Connection, titles: Iterable[tuple[str, int]]) -> None:
    """Remember the times of titles' folders, all of whose experiments were saved."""
    pairs = ((to_sql(folder), mtime) for folder, mtime in titles)
    connection.executemany("REPLACE INTO titles VALUES (?, ?)", pairs)


def save(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Write experiments that were read.

    Args:
        connection: The index, in a transaction.
        entries: The experiments.
    """
    names: dict[str, int] = dict(connection.execute("SELECT name, key FROM names").fetchall())
    for entry in entries:
        row = entry.row
        key = _clear(connection, row.path)
        own = (row.id, row.title, row.created, row.state, row.jobs, row.succeeded, row.failed)
        rest = (row.started, row.ended, row.user, row.error, "\n".join(row.tags), row.note)
        last = ("\n".join(row.executors), row.rerun_of)
        values = (key, entry.folder, row.path, *entry.stamp, *own, *rest, *last)
        done = connection.execute(_REPLACE, tuple(map(to_sql, values)))
        key = key or done.lastrowid or 0
        pairs = ((key, to_sql(tag)) for tag in row.tags)
        connection.executemany("REPLACE INTO tags VALUES (?, ?)", pairs)
        for job in entry.jobs:
            _save_job(connection, key, job, names)


def _save_job(
    connection: sqlite3.Connection, experiment: int, job: JobEntry, names: dict[str, int]
) -> None:
    done = connection.execute(
        "INSERT INTO jobs (experiment, name, state, executor) VALUES (?, ?, ?, ?)",
        (experiment, to_sql(job.name), str(job.state), to_sql(job.executor)),
    )
    for name in job.facts:
        if name not in names:
            _add_name(connection, name, names)
    key = done.lastrowid
    connection.executemany(
        "REPLACE INTO facts VALUES (?, ?, ?)",
        [(names[name], key, fact_to_sql(value)) for name, value in job.facts.items()],
    )


def _add_name(connection: sqlite3.Connection, name: str, names: dict[str, int]) -> None:
    text = fact_to_sql(name)
    connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (text,))
    found = connection.execute("SELECT key FROM names WHERE name = ?", (text,))
    names[name] = found.fetchone()[0]


def _clear(connection: sqlite3.Connection, path: str) -> int | None:
    """Forget what is known of an experiment's jobs and tags; return its number, if it has one."""
    query = "SELECT key FROM experiments WHERE path = ?"
    found = connection.execute(query, (to_sql(path),)).fetchone()
    if found is None:
        return None
    connection.execute("DELETE FROM tags WHERE experiment = ?", found)
    jobs = connection.execute("SELECT key FROM jobs WHERE experiment = ?", found).fetchall()
    # The names come first in the table's order: without them, all of it would be read.
    connection.executemany(
        "DELETE FROM facts WHERE name IN (SELECT key FROM names) AND job = ?", jobs
    )
    connection.execute("DELETE FROM jobs WHERE experiment = ?", found)
    return int(found[0])
