"""Lists and sends the files that jobs leave; sent as it is to where they lie, for Python 3.6.

What it says is judged by whoever receives it: names and links may lead anywhere.
"""

# The far side runs this file as it is: no import of ours, and Python of other versions.
import errno
import hashlib
import os
import re
import stat
from typing import IO, Any, Callable, Dict, Iterator, List, Optional, Tuple

Json = Dict[str, Any]
Emit = Callable[..., None]
Step = Tuple[Json, bytes]

PIECE = 1 << 20
BATCH = 500
# How many bytes are looked at without a word: silence is taken for a broken connection.
QUIET = 1 << 28
# What an unfinished copy is called, in the folder of the file.
UNFINISHED = ".nemo_run."


def main(request: Json, stdin: Optional[IO[bytes]], emit: Emit) -> Json:
    """Do what is asked for."""
    if request["op"] == "list":
        for number, folder in enumerate(request["folders"]):
            listing(number, folder, emit)
    else:
        for number, wanted in enumerate(request["files"]):
            sending(number, request["roots"][wanted[0]], wanted[1:], emit)
    return {}


def listing(number: int, folder: Json, emit: Emit) -> None:
    """Tell of the files below a folder: path, size, time, and where a link leads."""
    wanted = [re.compile(one, re.DOTALL) for one in folder["match"] if one]
    batch = []  # type: List[Any]
    for path, found, link in walked(os.fsencode(folder["root"]), number, emit):
        name = path.decode("utf-8", "surrogateescape")
        if not all(one.match(name) for one in wanted):
            continue
        batch.append([name, found.st_size, found.st_mtime_ns, link])
        if len(batch) == BATCH:
            emit({"folder": number, "files": batch})
            batch = []
    emit({"folder": number, "files": batch})


def walked(
    root: bytes, number: int, emit: Emit
) -> Iterator[Tuple[bytes, os.stat_result, Optional[str]]]:
    """Yield what lies below a folder, files before folders, each in order of its name."""
    left = [b""]
    while left:
        below = left.pop()
        try:
            entries = sorted(os.scandir(os.path.join(root, below)), key=lambda entry: entry.name)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                emit({"folder": number, "error": said(os.path.join(root, below), error)})
            continue
        folders = []
        for entry in entries:
            path = os.path.join(below, entry.name)
            if entry.name.startswith(UNFINISHED.encode()):
                continue
            try:
                found = entry.stat(follow_symlinks=False)
                link = os.readlink(entry.path) if stat.S_ISLNK(found.st_mode) else None
            except OSError:
                continue  # it is gone already
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)
            elif link is not None:
                yield path, found, link.decode("utf-8", "surrogateescape")
            elif stat.S_ISREG(found.st_mode):
                yield path, found, None
        left += reversed(folders)


def said(path: bytes, error: OSError) -> str:
    """Return why a path cannot be read."""
    return "%s cannot be read: %s" % (path.decode("utf-8", "replace"), error.strerror or error)


def sending(number: int, root: str, wanted: List[Any], emit: Emit) -> None:
    """Send a file from where a copy ends, or all of it where the copy begins otherwise."""
    name, offset, digest = wanted
    steps = opened(number, root, name, offset, digest)
    while True:
        # What goes wrong with the other side is none of the file's troubles.
        try:
            event, data = next(steps)
        except StopIteration:
            return
        except OSError as error:
            path = os.path.join(os.fsencode(root), name.encode("utf-8", "surrogateescape"))
            event, data = {"file": number, "error": said(path, error)}, b""
        emit(event, data)


def opened(number: int, root: str, name: str, offset: int, digest: str) -> Iterator[Step]:
    """Open a file below a folder and yield what is to be sent of it."""
    path = os.path.join(os.fsencode(root), name.encode("utf-8", "surrogateescape"))
    # No link is followed below the folder: what it leads to is none of the job's files.
    folder = os.path.realpath(os.path.dirname(path))
    top = os.path.realpath(os.fsencode(root))
    if folder != top and not folder.startswith(top.rstrip(b"/") + b"/"):
        yield {"file": number, "error": "%s leads out of %s" % (name, root)}, b""
        return
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
    with os.fdopen(os.open(os.path.join(folder, os.path.basename(path)), flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            yield {"file": number, "error": "%s is no file any more" % name}, b""
            return
        for step in contents(number, file, offset, digest):
            yield step


def contents(number: int, file: IO[bytes], offset: int, digest: str) -> Iterator[Step]:
    """Yield the bytes of an open file, then its checksum and whether it stayed the same."""
    before = os.fstat(file.fileno())
    seen = hashlib.sha256()
    if 0 < offset <= before.st_size:
        at = 0
        for at in looked_at(file, offset, seen):
            yield {"file": number, "pulse": at}, b""
        if seen.hexdigest() != digest:
            offset, seen = 0, hashlib.sha256()
    else:
        offset = 0
    file.seek(offset)
    at = offset
    while True:
        piece = file.read(min(PIECE, before.st_size - at))
        seen.update(piece)
        whole = at + len(piece) >= before.st_size or not piece
        event = {"file": number, "at": at}  # type: Json
        at += len(piece)
        if whole:
            after = os.fstat(file.fileno())
            same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
            event["end"] = {
                "size": at,
                "mtime": before.st_mtime_ns,
                "sha256": seen.hexdigest(),
                "changed": not same or at != before.st_size,
                "run": bool(before.st_mode & stat.S_IXUSR),
            }
        yield event, piece
        if whole:
            return


def looked_at(file: IO[bytes], size: int, seen: Any) -> Iterator[int]:
    """Add the first bytes of a file to a checksum; yield how far it is, now and then."""
    at = 0
    while at < size:
        piece = file.read(min(PIECE, size - at))
        if not piece:
            return
        seen.update(piece)
        at += len(piece)
        if at % QUIET < len(piece):
            yield at
