"""Copying what jobs have left to here: only what changed, and what was cut off is gone on with."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError, RemoteError, StoreError

from .listing import WRONG, Artifact, ask, look, printable, senseless
from .places import places
from .receiving import Arriving, Beginning, Folder, leads_inside, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.remote import Event

    from .places import Place

_EVERYBODY = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_TRIES = 5
"""How often a broken connection is gone on with, as long as something arrived each time."""


@dataclass
class Progress:
    """How far a pull has come.

    Attributes:
        files: How many files are to come, and
        done: how many of them are here.
        bytes: How many bytes they have, and
        arrived: how many of those are here.
        current: The file that is coming.
    """

    files: int = 0
    done: int = 0
    bytes: int = 0
    arrived: int = 0
    current: str = ""


@dataclass
class Pulled:
    """What a pull came to.

    Attributes:
        folders: Where the files of each task are now, by its job, and its member in a group.
        copied: The files that were copied.
        same: How many were here as they are.
        sent: How many bytes came; of files that were gone on with, the rest.
        problems: What could not be copied, and why, by name.
    """

    folders: dict[tuple[str, str], str] = field(default_factory=dict)
    copied: list[Artifact] = field(default_factory=list)
    same: int = 0
    sent: int = 0
    problems: dict[str, str] = field(default_factory=dict)


Tell = Callable[[Progress], None]


def pull(
    record: Record,
    job: str | None = None,
    pattern: str = "",
    to: str | Path | None = None,
    *,
    checksum: bool = False,
    tell: Tell | None = None,
) -> Pulled:
    """Copy the files that jobs have left from where they lie.

    A file is here once its checksum is that of its source. What changes while it is read keeps its
    old copy, and is named in the problems; so is what would lead out of the folder.

    Args:
        record: The experiment.
        job: One job's id; by default all.
        pattern: Only files whose path matches.
        to: The folder they come into, below the names of jobs where there are several; by default
            the record, where a job on this machine has them already.
        checksum: Compare the content of files that look the same by size and time.
        tell: Called as it goes on.

    Raises:
        NemoRunError: A target cannot be reached, or the folder cannot be written.
    """
    jobs = [record.job(job)["id"]] if job is not None else [str(one["id"]) for one in record.jobs]
    known = places(record, jobs)
    work = _Work(Pulled(), Progress(), tell or (lambda _: None), checksum=checksum)
    asked = [one for one in known if to is not None or not one.is_here]
    found = look(asked, pattern, work.unread)
    for place in known:
        target = _target(record, place, to, several=len(jobs) > 1)
        work.pulled.folders[place.job, place.member] = str(target)
        theirs = [one for one in found if one.place is place]
        if place.is_here and to is None:
            work.pulled.same += len(look([place], pattern, work.unread))
        elif theirs:
            try:
                work.bring(theirs, place, target)
            except OSError as error:
                raise StoreError(
                    f"{target} cannot be written: {error.strerror or error}. What has arrived "
                    "stays; make room or choose another folder, and pull again to go on."
                ) from error
    return work.pulled


def _target(record: Record, place: Place, to: str | Path | None, *, several: bool) -> Path:
    if to is None:
        return Path(place.mirror)
    base = Path(to).expanduser().absolute()
    # The name of the job's folder in the record: a name that every system has.
    folder = base / record.job_dir(place.job).name if several else base
    return folder / place.member if place.member else folder


@dataclass
class _Work:
    """A pull that is going on."""

    pulled: Pulled
    progress: Progress
    tell: Tell
    checksum: bool = False

    def bring(self, files: Sequence[Artifact], place: Place, target: Path) -> None:
        """Copy files of one place; go on where the connection breaks."""
        with Folder(target) as folder:
            due = [one for one in files if self._is_due(folder, one)]
            self.progress.files += len(due)
            self.progress.bytes += sum(one.size for one in due)
            for left in reversed(range(_TRIES)):
                coming = _Coming(folder, due, self)
                try:
                    coming.run(place)
                    return
                except RemoteError:
                    if not left or not coming.came:
                        raise
                    due = [one for one in due if one.path not in coming.settled]
                finally:
                    coming.close()

    def _is_due(self, folder: Folder, one: Artifact) -> bool:
        """Whether a file has to come; links are made here, and what leads out is refused."""
        try:
            parts_of(one.path)
            if one.link is not None:
                return self._linked(folder, one)
            here = folder.standing(one.path)
        except (OSError, ValueError) as error:
            self.problems(one, str(error))
            return False
        same = here is not None and (here.st_size, here.st_mtime_ns) == (one.size, one.mtime)
        if same and not self.checksum:
            self.pulled.same += 1
        return not same or self.checksum

    def _linked(self, folder: Folder, one: Artifact) -> bool:
        assert one.link is not None
        if not leads_inside(one.path, one.link):
            self.problems(one, f"it is a link that leads out of the outputs, to {one.link}")
            return False
        folder.link(one.path, one.link)
        self.pulled.same += 1
        return False

    def unread(self, place: Place, why: str) -> None:
        """Note a folder that cannot be read where the files lie."""
        name = f"{place.job}/{place.member}".rstrip("/")
        before = self.pulled.problems.get(name)
        self.pulled.problems[name] = f"{before}; {why}" if before else why

    def problems(self, one: Artifact, why: str) -> None:
        """Note what could not be copied."""
        self.pulled.problems[f"{one.job}/{one.name}"] = why


class _Coming:
    """The files of one call, one after the other.

    Attributes:
        came: Whether anything arrived.
        settled: The paths of which nothing more is expected.
    """

    def __init__(self, folder: Folder, due: Sequence[Artifact], work: _Work) -> None:
        self._folder = folder
        self._due = due
        self._work = work
        self._known: list[Beginning] = []
        self._current: tuple[int, Arriving] | None = None
        self.came = False
        self.settled: set[str] = set()

    def run(self, place: Place) -> None:
        """Have the files sent.

        Raises:
            RemoteError: The connection broke.
        """
        if not self._due:
            return
        self._known = [self._folder.beginning(one.path, one.size) for one in self._due]
        files = [
            [0, one.path, known.size, known.seen.hexdigest()]
            for one, known in zip(self._due, self._known, strict=True)
        ]
        ask(place.tunnel, {"op": "send", "roots": [place.folder], "files": files}, self._take)
        for one in self._due:
            if one.path not in self.settled:
                self._fail(one, "it did not arrive to its end; pull again")

    def close(self) -> None:
        """Let go of the file that is coming; what came of it stays."""
        if self._current is not None:
            self._current[1].close()
            self._current = None

    def _take(self, event: Event) -> None:
        try:
            number = range(len(self._due))[event.value["file"]]
            one = self._due[number]
            self._work.progress.current = one.name
            if "error" in event.value:
                self._fail(one, printable(event.value["error"]))
            elif "at" in event.value:
                self._add(number, one, event)
        except WRONG as error:
            raise senseless(event, error) from error
        self._work.tell(self._work.progress)

    def _add(self, number: int, one: Artifact, event: Event) -> None:
        at, end = event.value["at"], event.value.get("end")
        known = self._known[number]
        if self._current is None or self._current[0] != number:
            self.close()
            if at not in {0, known.size}:
                raise NemoRunError(f"{one.name} arrived at the wrong place ({at} of {one.size}).")
            if end and not event.data and known.whole and at and not end["changed"]:
                self._same(one, known, end)
                return
            known = known if at else Beginning(0, hashlib.sha256())
            self._begin(number, one, known, at)
        if self._current is None:
            return
        self.came = True
        self._current[1].write(event.data)
        self._work.pulled.sent += len(event.data)
        self._work.progress.arrived += len(event.data)
        if end:
            self._end(one, end, self._current[1])
            self.close()

    def _begin(self, number: int, one: Artifact, known: Beginning, at: int) -> None:
        try:
            self._current = number, self._folder.open(one.path, known)
        except OSError as error:
            # Something else may lie in its place; a disk that is full concerns the others, too.
            if error.errno in _EVERYBODY:
                raise
            self._fail(one, f"{error.strerror or error} (in {self._folder.path})")
        self._work.progress.arrived += at

    def _same(self, one: Artifact, known: Beginning, end: dict[str, Any]) -> None:
        if known.seen.hexdigest() != end["sha256"]:
            self._fail(one, "what is here does not have the checksum of its source")
            return
        self._folder.settle(one.path, end)
        self._work.pulled.same += 1
        self._done(one)
        self._work.progress.arrived += known.size

    def _end(self, one: Artifact, end: dict[str, Any], file: Arriving) -> None:
        if file.seen.hexdigest() != end["sha256"]:
            file.drop()
            self._fail(one, "it did not arrive as it was sent; pull again")
        elif end["changed"]:
            self._fail(one, "it changed while it was read; pull again when nobody writes to it")
        else:
            file.keep(end)
            self._work.pulled.copied.append(one)
            self._done(one)

    def _done(self, one: Artifact) -> None:
        self.settled.add(one.path)
        self._work.progress.done += 1

    def _fail(self, one: Artifact, why: str) -> None:
        self.settled.add(one.path)
        self._work.problems(one, why)
