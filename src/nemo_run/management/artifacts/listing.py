"""What jobs have left: the names of files, from where they lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError

from . import patterns, sending
from .places import Place, places

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.remote import Event, Tunnel


Trouble = Callable[[Place, str], None]


@dataclass(frozen=True)
class Artifact:
    """A file that a task left.

    Attributes:
        place: Whose it is, and where.
        path: Its path below the folder for outputs.
        size: In bytes.
        mtime: When it was changed, in nanoseconds since the epoch.
        link: Where it leads, if it is a link.
    """

    place: Place
    path: str
    size: int
    mtime: int
    link: str | None = None

    @property
    def job(self) -> str:
        """The id of the job that left it."""
        return self.place.job

    @property
    def name(self) -> str:
        """Its path below the job's outputs, with the member's name in a group."""
        return f"{self.place.member}/{self.path}" if self.place.member else self.path

    @property
    def local(self) -> str:
        """Where its copy in the record is, or would be."""
        return f"{self.place.mirror}/{self.path}"

    @property
    def is_here(self) -> bool:
        """Whether the record has it as it is."""
        if self.place.is_here:
            return True
        try:
            found = os.lstat(self.local)
        except OSError:
            return False
        if self.link is not None:
            return True
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime)


def listed(
    record: Record,
    job: str | None = None,
    pattern: str = "",
    *,
    remote: bool = False,
    trouble: Trouble | None = None,
) -> list[Artifact]:
    """Return the files that jobs have left.

    Args:
        record: The experiment.
        job: One job's id; by default all.
        pattern: Only those whose path matches.
        remote: Ask where they ran, one round trip for each target; by default only what is in
            the record counts, and nobody is asked.
        trouble: Called for a folder that cannot be read; the others are listed.

    Raises:
        NemoRunError: A target cannot be reached, or a folder there cannot be read.
    """
    jobs = [record.job(job)["id"]] if job is not None else [str(one["id"]) for one in record.jobs]
    known = places(record, jobs)
    return look(known if remote else [one.in_record() for one in known], pattern, trouble)


def look(
    known: Iterable[Place], pattern: str = "", trouble: Trouble | None = None
) -> list[Artifact]:
    """Return the files in some places that count; see :func:`listed`."""
    by_target: dict[str, list[Place]] = {}
    for place in known:
        by_target.setdefault(place.tunnel.key if place.tunnel else "", []).append(place)
    told = trouble or _refuse
    return [one for group in by_target.values() for one in _look(group, pattern, told)]


def _refuse(_place: Place, why: str) -> None:
    raise NemoRunError(why)


def _look(group: Sequence[Place], pattern: str, trouble: Trouble) -> list[Artifact]:
    """Return the files in places of one target."""
    asked = [pattern] if pattern else []
    request = {
        "op": "list",
        "folders": [
            {
                "root": place.folder,
                "match": [patterns.expression(place.outputs), patterns.expression(asked)],
            }
            for place in group
        ],
    }
    found: list[Artifact] = []

    def take(event: Event) -> None:
        try:
            place = group[event.value["folder"]]
            if "error" in event.value:
                trouble(place, f"{_who(place.tunnel)}{printable(event.value['error'])}")
                return
            found.extend(_artifact(place, one) for one in event.value["files"])
        except WRONG as error:
            raise senseless(event, error) from error

    ask(group[0].tunnel, request, take)
    return found


def _artifact(place: Place, fields: Sequence[Any]) -> Artifact:
    path, size, mtime, link = fields
    return Artifact(place, str(path), int(size), int(mtime), None if link is None else str(link))


WRONG = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What comes of an answer that is not as it should be."""


def printable(text: object) -> str:
    """Return what another machine said as a line that does nothing to a terminal."""
    return "".join(char if char.isprintable() else "?" for char in str(text))


def senseless(event: Event, error: Exception) -> NemoRunError:
    """Return what to say of an answer that makes no sense."""
    said = f"{event.value!r:.100} ({type(error).__name__}: {error})"
    return NemoRunError(f"Where the files lie, something odd was answered: {said}")


def _who(tunnel: Tunnel | None) -> str:
    return f"{tunnel.key}: " if tunnel else ""


def ask(tunnel: Tunnel | None, request: Mapping[str, Any], take: Callable[[Event], None]) -> None:
    """Have files listed or sent where they lie.

    Raises:
        RemoteError: The target cannot be reached, or the connection broke.
    """
    from nemo_run.remote import Event, call

    if tunnel is None:
        sending.main(dict(request), None, lambda value, data=b"": take(Event(value, data)))
        return
    from importlib.resources import files

    agent = files("nemo_run.management.artifacts").joinpath("sending.py").read_text("utf-8")
    call(tunnel, agent, dict(request), on_event=take)
