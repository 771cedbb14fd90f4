"""The journal of an experiment: one event a line, appended under a lock and synced.

Format 1, described for users in ``docs/storage.md``: UTF-8 text, each line one JSON object that
ends with a newline. Every event has ``seq`` (1, 2, 3, …), ``time`` (seconds since the epoch) and
``event`` (its name); the first one also has ``format``. A line without its newline is not there
yet. Names and fields that a reader does not know are kept and ignored.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import CorruptRecordError, StoreError

from .advice import explained, later
from .events import is_time
from .files import open_file
from .locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .events import Event

FORMAT = 1
CORRUPT = "journal.corrupt"
"""The name under which :meth:`Journal.read` reports a line that is no event."""

_TAIL = 64 * 1024
_HEAD = 64 * 1024
# What is quoted within a text has its quotes escaped.
_SAYS_FORMAT = re.compile(rb'"format": ?(\d{1,9})\b')


class Journal:
    """The events of one experiment, in one file that several processes append to.

    Attributes:
        path: The file, ``events.jsonl``.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = Path(path)
        self._clock = clock

    def begin(self, events: Sequence[Event]) -> None:
        """Make the file, with its first events.

        Raises:
            StoreError: It could not be written.
        """
        with self._open_locked(os.O_CREAT) as descriptor:
            self._write(descriptor, 0, _lines(self._number(events, 1)))

    def append(self, events: Sequence[Event]) -> list[Event]:
        """Write events, all or none, and return when they are on disk.

        A journal that is not there is not made: the experiment was deleted.

        Args:
            events: Each with its ``event`` name; ``seq`` is given here, and ``time`` if missing.

        Returns:
            The events as written.

        Raises:
            StoreError: They could not be written; the journal is as it was before.
        """
        written = self._append(events, None)
        assert written is not None
        return written

    def append_if(self, events: Sequence[Event], offset: int) -> list[Event] | None:
        """Write events only if nobody else wrote since ``offset``, which :meth:`read` returned.

        Returns:
            The events as written; None if the journal has grown: read on and decide again.

        Raises:
            StoreError: They could not be written; the journal is as it was before.
        """
        return self._append(events, offset)

    def read(self, offset: int = 0) -> tuple[list[Event], int]:
        """Return the events after ``offset``, and the offset to go on from.

        A line that is no event is returned as ``{"event": "journal.corrupt", "offset": …,
        "text": …}``; a last line that is still being written is left for the next call.

        Args:
            offset: 0, or what an earlier call returned.

        Raises:
            CorruptRecordError: It is shorter than it was.
            LaterVersionError: A later version made it.
            StoreError: The file is there and cannot be read.
        """
        data = self._bytes_from(offset)
        if offset == 0:
            self._refuse_later(data[: _HEAD + 1])
        end = data.rfind(b"\n") + 1
        return _parse(data[:end], offset), offset + end

    def _append(self, events: Sequence[Event], only_at: int | None) -> list[Event] | None:
        if not events:
            return []
        with self._open_locked() as descriptor:
            size = os.fstat(descriptor).st_size
            if only_at is not None and size != only_at:
                return None
            self._refuse_later(os.pread(descriptor, _HEAD + 1, 0))
            tail = _read_tail(descriptor, size)
            numbered = self._number(events, _last_seq(tail, descriptor, size) + 1)
            repair = b"\n" if tail and not tail.endswith(b"\n") else b""
            self._write(descriptor, size, repair + _lines(numbered))
        return numbered

    def _refuse_later(self, head: bytes) -> None:
        """Refuse a journal whose first line names a format that we do not know."""
        found = _SAYS_FORMAT.search(head.partition(b"\n")[0])
        if found and int(found[1]) > FORMAT:
            raise later(self.path, int(found[1]), FORMAT)

    def _number(self, events: Sequence[Event], first: int) -> list[Event]:
        now = self._clock()
        numbered = [
            {"seq": seq, "time": now, **{k: v for k, v in event.items() if k != "seq"}}
            for seq, event in enumerate(events, first)
        ]
        if first == 1:
            numbered[0] = {"format": FORMAT, **numbered[0]}
        return numbered

    @contextmanager
    def _open_locked(self, flags: int = 0) -> Iterator[int]:
        try:
            descriptor = open_file(self.path, os.O_RDWR | os.O_APPEND | flags)
        except FileNotFoundError:
            there = self.path.parent.exists()
            gone = f"journal {self.path}" if there else f"experiment folder {self.path.parent}"
            raise StoreError(
                f"The {gone} is gone: it was deleted or moved. Nothing was written."
            ) from None
        except OSError as error:
            raise explained("write the journal", self.path, error) from error
        try:
            with _told(self.path), locked(descriptor):
                yield descriptor
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, size: int, data: bytes) -> None:
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
            os.fsync(descriptor)
        except BaseException:
            # A full disk keeps a part of the data. It is taken back, so that no reader sees a
            # batch that was never promised.
            os.ftruncate(descriptor, size)
            raise

    def _bytes_from(self, offset: int) -> bytes:
        try:
            with os.fdopen(open_file(self.path, os.O_RDONLY), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size == offset:
                    return b""
                if size < offset:
                    raise CorruptRecordError(
                        f"The journal {self.path} is shorter than it was: somebody emptied or "
                        "replaced it. Restore it from a backup."
                    )
                with _readable(file.fileno()):
                    file.seek(offset)
                    return file.read()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise explained("read the journal", self.path, error, after="") from error


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise StoreError(
            f"Could not write the journal {path}: {error}. Is a process stopped that uses this "
            "experiment? Nothing was changed."
        ) from error
    except ImportError as error:
        raise StoreError(
            f"Could not write the journal {path}: this system has no fcntl, which locks files. "
            "Here experiments can be looked at; to run, cancel or delete them use Linux, macOS or "
            "the Windows Subsystem for Linux."
        ) from error
    except OSError as error:
        raise explained("write the journal", path, error) from error


@contextmanager
def _readable(descriptor: int) -> Iterator[None]:
    """Keep writers out while reading, so that no batch is seen that is taken back after."""
    holder = locked(descriptor, shared=True, timeout=1.0)
    try:
        holder.__enter__()
    except (OSError, ImportError):
        # No locks here, or a writer that was stopped: what is on disk is still worth reading.
        yield
        return
    try:
        yield
    finally:
        holder.__exit__(None, None, None)


def _lines(events: Sequence[Event]) -> bytes:
    # ASCII, so that neither lone surrogates nor line separators can break a line or its reader.
    texts = (json.dumps(e, separators=(",", ":"), allow_nan=False) for e in events)
    return "".join(f"{text}\n" for text in texts).encode("ascii")


def _parse(data: bytes, offset: int) -> list[Event]:
    events = []
    for line in data.split(b"\n")[:-1]:
        events.append(_event(line) or _corrupt(line, offset))
        offset += len(line) + 1
    return events


def _event(line: bytes) -> Event | None:
    try:
        event: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    seq, name = event.get("seq"), event.get("event")
    right = type(seq) is int and isinstance(name, str) and is_time(event.get("time"))
    return event if right else None


def _corrupt(line: bytes, offset: int) -> Event:
    return {"event": CORRUPT, "offset": offset, "text": line.decode("utf-8", "replace")}


def _read_tail(descriptor: int, size: int) -> bytes:
    start = max(0, size - _TAIL)
    return os.pread(descriptor, size - start, start)


def _last_seq(tail: bytes, descriptor: int, size: int) -> int:
    for line in reversed(tail.split(b"\n")):
        event = _event(line)
        if event is not None:
            return int(event["seq"])
    if len(tail) == size:
        return 0
    whole = _parse(os.pread(descriptor, size, 0) + b"\n", 0)
    return max((e["seq"] for e in whole if "seq" in e), default=0)
