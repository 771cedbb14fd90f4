"""Manifests: what an experiment in a remote home consists of; their names make the list."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import StoreError
from nemo_run.management.sharing import trees as code

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .place import Place

FORMAT = 1
FOLDER = "experiments"
BLOBS = "blobs"
LARGEST = 256 << 20
_HASH = re.compile(r"[0-9a-f]{64}")
_STATE = re.compile(r"[A-Z]{1,20}")


@dataclass(frozen=True)
class Entry:
    """One experiment in a remote home, as the name of its manifest says it.

    Attributes:
        id: Its id.
        seq: The number of the last event of its journal.
        taken: When it was pushed, in milliseconds since the epoch.
        created: When it was made, in seconds since the epoch.
        state: Where it stood.
        jobs: How many jobs it has.
        succeeded: How many of them succeeded.
        digest: The first half of the SHA-256 of the manifest.
    """

    id: str
    seq: int
    taken: int
    created: int
    state: str
    jobs: int
    succeeded: int
    digest: str

    @property
    def name(self) -> str:
        """The name of the manifest."""
        numbers = (self.seq, self.taken, self.created, self.state, self.jobs, self.succeeded)
        return "~".join(map(str, (self.id, *numbers, self.digest))) + ".json"

    @property
    def age(self) -> tuple[int, int, str]:
        """What orders manifests of one experiment."""
        return self.seq, self.taken, self.digest


def entry_of(name: str) -> Entry | None:
    """Return what the name of a manifest says; None for any other file."""
    parts = name.removesuffix(".json").split("~")
    if len(parts) != 8 or not name.endswith(".json") or not _STATE.fullmatch(parts[4]):
        return None
    numbers = [*parts[1:4], *parts[5:7]]
    if not all(one.isascii() and one.isdigit() and len(one) < 20 for one in numbers):
        return None
    seq, taken, created, jobs, succeeded = map(int, numbers)
    return Entry(parts[0], seq, taken, created, parts[4], jobs, succeeded, parts[7])


def entries(place: Place) -> dict[str, list[Entry]]:
    """Return the manifests of each experiment, the newest last. One listing; none is read."""
    found: dict[str, list[Entry]] = {}
    for name in place.names(FOLDER):
        entry = entry_of(name)
        if entry is not None:
            found.setdefault(entry.id, []).append(entry)
    return {one: sorted(listed, key=lambda entry: entry.age) for one, listed in found.items()}


@dataclass(frozen=True)
class Stored:
    """One file of an experiment in a remote home.

    Attributes:
        path: Relative to the experiment.
        size: Its bytes.
        sha256: Their sum.
        executable: Whether its owner may run it.
        changed: When it was changed where it was pushed from, in nanoseconds since the epoch.
        pieces: Where its bytes are: blob, offset, length.
    """

    path: str
    size: int
    sha256: str
    executable: bool
    changed: int
    pieces: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Manifest:
    """What an experiment in a remote home consists of.

    Attributes:
        id: Its id.
        identity: What tells it from another one with its id.
        taken: When it was pushed, in seconds since the epoch.
        going: Whether it was not over.
        files: All of its files, ``experiment.json`` first.
        trees: The code of its jobs.
        packages: Digests of its tables of packages, which are the names of their blobs.
    """

    id: str
    identity: str
    taken: float
    going: bool
    files: tuple[Stored, ...] = ()
    trees: tuple[str, ...] = ()
    packages: tuple[str, ...] = field(default=())

    def content(self) -> bytes:
        """Return the file."""
        document = {
            "format": FORMAT,
            "id": self.id,
            "identity": self.identity,
            "taken": self.taken,
            "going": self.going,
            "trees": self.trees,
            "packages": self.packages,
            "files": [
                [f.path, f.size, f.sha256, f.executable, f.changed, f.pieces] for f in self.files
            ],
        }
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def digest_of(content: bytes) -> str:
    """Return what a manifest's name says of its content."""
    return hashlib.sha256(content).hexdigest()[:32]


def read(place: Place, entry: Entry) -> Manifest:
    """Return a manifest.

    Raises:
        FileNotFoundError: A newer one took its place meanwhile.
        StoreError: It is damaged, or of a later version.
    """
    content = place.read(f"{FOLDER}/{entry.name}", LARGEST)
    where = f"The manifest of {entry.id} in {place.shown}"
    if digest_of(content) != entry.digest:
        raise StoreError(f"{where} is damaged: push it again.")
    try:
        said = json.loads(content)
        if type(said["format"]) is int and said["format"] > FORMAT:
            raise StoreError(
                f"{where} was written by a later version of NeMo Run (format {said['format']}, "
                f"this one reads {FORMAT})."
            )
        found = _manifest(said)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{where} cannot be understood ({type(error).__name__}).") from error
    if found.id != entry.id:
        raise StoreError(f"{where} is that of {found.id!r:.100}.")
    return found


def _manifest(said: Any) -> Manifest:
    if said["format"] != FORMAT or not isinstance(said["going"], bool):
        raise ValueError("no manifest")
    packages, wanted = tuple(said["packages"]), tuple(said["trees"])
    if not all(map(_is_hash, packages)) or not all(map(code.is_tree, wanted)):
        raise ValueError("no manifest")
    files = tuple(_stored(*one) for one in said["files"])
    return Manifest(
        str(said["id"]),
        str(said["identity"]),
        float(said["taken"]),
        said["going"],
        files,
        wanted,
        packages,
    )


def _stored(
    path: Any, size: Any, sha256: Any, executable: Any, changed: Any, pieces: Sequence[Any]
) -> Stored:
    right = isinstance(path, str) and _is_count(size) and _is_hash(sha256)
    if not right or not isinstance(executable, bool) or type(changed) is not int:
        raise ValueError("no file")
    found = tuple((blob, at, length) for blob, at, length in pieces)
    if not all(_is_hash(b) and _is_count(at) and _is_count(n) for b, at, n in found):
        raise ValueError("no piece")
    if sum(length for _, _, length in found) != size:
        raise ValueError("not the pieces of the file")
    return Stored(path, size, sha256, executable, changed, found)


def _is_hash(text: object) -> bool:
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def _is_count(number: object) -> bool:
    return type(number) is int and number >= 0


def blob_name(sha256: str) -> str:
    """Return the name of a blob."""
    return f"{BLOBS}/{sha256[:2]}/{sha256}"


def newest(listed: Iterable[Entry]) -> Entry:
    """Return the manifest that counts."""
    return max(listed, key=lambda entry: entry.age)
