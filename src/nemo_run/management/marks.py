"""What people write on an experiment afterwards: tags and a note, in ``marks.json``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

from nemo_run import atomic
from nemo_run.exceptions import PlanError, StoreError

from .store.advice import explained, later
from .store.files import open_file, read_file
from .store.locks import locked
from .store.ownership import refuse_anothers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .store.record import Record

FILE = "marks.json"
LOCK = "marks.lock"
KEEP = "keep"
"""The tag of experiments that ``gc`` never deletes."""

_FORMAT = 1
_LONGEST_TAG = 100
_MOST_TAGS = 100
_LONGEST_NOTE = 100_000
# What shells, lists with commas and our own command line would take for something else.
_REFUSED = frozenset(" ,\t\n\r'\"`$*?\\")


class Marks(NamedTuple):
    """What is written on an experiment.

    Attributes:
        tags: Words, sorted.
        note: A text.
    """

    tags: tuple[str, ...] = ()
    note: str = ""


def read(record: Record) -> Marks:
    """Return the marks of an experiment; none where the file is missing or damaged."""
    try:
        found = json.loads(read_file(record.path / FILE))
    except (OSError, ValueError, RecursionError):
        return Marks()
    return _marks(found) if isinstance(found, dict) else Marks()


def change(
    record: Record,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
    note: str | None = None,
) -> Marks:
    """Change the marks of an experiment and return them. Of two at once, none is lost.

    Args:
        record: The experiment.
        add: Tags to add.
        remove: Tags to take away; one that is not there is no error.
        note: The new note; empty for none, None to leave it.

    Raises:
        PlanError: Something can be no tag.
        StoreError: The file cannot be written; nothing was changed.
    """
    added, removed = list(add), set(remove)
    for tag in added:
        check(tag)
    if note is not None and len(note) > _LONGEST_NOTE:
        raise PlanError(
            f"The note has {len(note):,} characters; at most {_LONGEST_NOTE:,} are kept. Put the "
            "text into a file and note where that is."
        )
    record.refuse_later()
    refuse_anothers(record, "mark")
    path = record.path / FILE
    try:
        descriptor = open_file(record.path / LOCK, os.O_RDWR | os.O_CREAT)
        try:
            with locked(descriptor):
                return _change(record, added, removed, note)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise explained("write the marks", path, error) from error


def check(tag: str) -> None:
    """Make sure that a word can be a tag.

    Raises:
        PlanError: It cannot.
    """
    odd = sorted(set(tag) & _REFUSED)
    if not tag or odd or not tag.isprintable() or tag[0] in "+-" or len(tag) > _LONGEST_TAG:
        raise PlanError(
            f"{tag[:_LONGEST_TAG]!r} can be no tag. A tag is one word of at most {_LONGEST_TAG} "
            "characters that begins with neither + nor -, without spaces, commas, quotes and "
            "wildcards."
        )


def _change(record: Record, added: list[str], removed: set[str], note: str | None) -> Marks:
    path = record.path / FILE
    whole = _document(path)
    before = _marks(whole)
    tags = tuple(sorted({*before.tags, *added} - removed))
    if len(tags) > _MOST_TAGS:
        raise PlanError(f"An experiment can have {_MOST_TAGS} tags; {record.id} would have more.")
    after = Marks(tags, before.note if note is None else note.strip())
    if after == before:
        return before
    # Names of later versions stay.
    document = {**whole, "format": _FORMAT, "tags": list(after.tags), "note": after.note}
    atomic.write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return after


def _document(path: os.PathLike[str]) -> dict[str, object]:
    try:
        found = json.loads(read_file(os.fspath(path)))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise StoreError(
            f"The file {os.fspath(path)} is damaged, and changing it would lose what it says. Mend "
            "it, or move it away. Nothing was changed."
        )
    version = found.get("format")
    if isinstance(version, int) and version > _FORMAT:
        raise later(path, version, _FORMAT)
    return found


def _marks(document: dict[str, object]) -> Marks:
    tags, note = document.get("tags"), document.get("note")
    listed = tags if isinstance(tags, list) else []
    words = sorted({tag for tag in listed if isinstance(tag, str)})[:_MOST_TAGS]
    return Marks(tuple(words), note[:_LONGEST_NOTE] if isinstance(note, str) else "")
