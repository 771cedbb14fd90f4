"""Objects that are not kept yet: a temporary repository that borrows from the store."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.atomic import sync_folder
from nemo_run.exceptions import PackagingError

from .git import GitError, files_with, of_store, sentence
from .objects import Reader
from .tree import Vanished, blob_hash, tree_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .store import CodeStore
    from .tree import Entry

_BRANCH = "refs/heads/snapshot"
_COMMIT = b"commit %s\ncommitter NeMo Run <nemo-run@localhost> 0 +0000\ndata 0\n"
# Code is many small files that are read far more often than sent: the quickest compression.
_SETTINGS = ("pack.compression=1", "fastimport.unpackLimit=0", "core.bigFileThreshold=16m")
_OPTIONS = [part for setting in _SETTINGS for part in ("-c", setting)]


class Quarantine:
    """What the store lacks of a snapshot. Removed with this object, unless it is kept.

    Attributes:
        tree: The id of the snapshot's tree, of the bytes that were really read.

    Args:
        store: What it is to be kept in.
        entries: The snapshot; those that changed since they were looked at are replaced.

    Raises:
        PackagingError: The bytes cannot be read, or there is no room for them.
    """

    def __init__(self, store: CodeStore, entries: dict[bytes, Entry]) -> None:
        self._store = store
        self._folder = tempfile.mkdtemp(prefix="nemo_run_code_")
        self._remove = weakref.finalize(self, _remove, self._folder, os.getpid())
        self._git = of_store(self._folder)
        self._git.run("init", "--quiet", "--bare", "--template=")
        self._borrow()
        self._import(entries)
        self.tree = tree_id(entries)
        found = self._git.run("rev-parse", f"{_BRANCH}^{{tree}}").decode().strip()
        if found != self.tree:
            raise PackagingError(f"git made the tree {found} of the code, not {self.tree}.")

    def files_with(self, lines: Iterable[bytes]) -> list[str]:
        """Return the files of the snapshot that hold one of some pieces of text."""
        git = self._git if self._remove.alive else of_store(self._store.path)
        return files_with(git, self.tree, lines)

    def keep(self, message: str) -> None:
        """Move everything into the store; harmless when done already.

        Args:
            message: What to say of the snapshot.

        Raises:
            PackagingError: The store cannot be written.
        """
        if not self._remove.alive:
            return
        self._store.make()
        target = Path(self._store.path, "objects", "pack")
        try:
            target.mkdir(mode=0o700, exist_ok=True)
            for pack in sorted(Path(self._folder, "objects", "pack").glob("*.pack")):
                # Readers find a pack by its index, which therefore comes last.
                for file in (pack, pack.with_suffix(".idx")):
                    _move(file, target)
            sync_folder(target)
        except OSError as error:
            raise PackagingError(
                f"The code cannot be kept in {self._store.path}: {error.strerror}."
            ) from error
        self._store.record(self.tree, message)
        self._remove()

    def _borrow(self) -> None:
        objects = Path(self._store.path, "objects").absolute()
        if objects.is_dir():
            info = Path(self._folder, "objects", "info")
            info.mkdir(exist_ok=True)
            (info / "alternates").write_bytes(_quoted(os.fsencode(objects)) + b"\n")

    def _import(self, entries: dict[bytes, Entry]) -> None:
        missing = self._store.missing(entry.id for entry in entries.values())
        process = self._git.start(*_OPTIONS, "fast-import", "--quiet", "--depth=0")
        try:
            with closing(Reader()) as reader:
                self._feed(process.stdin, entries, missing, reader)
        except BrokenPipeError:
            pass  # git says below why it ended
        except BaseException:
            process.kill()
            process.communicate()
            raise
        _, said = process.communicate()
        if process.returncode:
            text = os.fsdecode(said).partition("\n")[
                0
            ]  # what follows is a report for git's authors
            room = "diskspace" in text or "No space left" in text
            hint = f" Make room in {tempfile.gettempdir()}, or set TMPDIR." if room else ""
            raise GitError(f"The code cannot be read: {sentence(text, 'fast-import')}.{hint}", text)

    @staticmethod
    def _feed(out: Any, entries: dict[bytes, Entry], missing: set[str], reader: Reader) -> None:
        marks: dict[str, int] = {}
        number = 0
        changes = []
        for path, entry in list(entries.items()):
            if entry.id in missing and entry.id not in marks:
                number += 1
                # Read once more: what counts is what is sent, if the file was just changed.
                try:
                    entries[path] = _blob(out, number, entry, reader)
                except Vanished:
                    del entries[path]
                    continue
                marks[entries[path].id] = number
            mark = marks.get(entries[path].id)
            source = b":%d" % mark if mark else entry.id.encode()
            changes.append(b"M %o %s %s\n" % (entry.mode, source, _quoted(path)))
        out.write(_COMMIT % _BRANCH.encode())
        out.writelines(changes)
        out.write(b"\n")
        out.flush()


def _blob(out: Any, mark: int, entry: Entry, reader: Reader) -> Entry:
    """Write one blob and return the entry of what was written."""
    pieces = reader.pieces(entry)
    size = next(pieces)  # nothing is written before the file is open
    out.write(b"blob\nmark :%d\ndata %d\n" % (mark, size))
    found = blob_hash(size)
    for piece in pieces:
        out.write(piece)
        found.update(piece)
    out.write(b"\n")
    return replace(entry, id=found.hexdigest(), size=size)


def _quoted(path: bytes) -> bytes:
    text = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % text


def _move(file: Path, folder: Path) -> None:
    """Put a file into a folder in one step, over the borders of file systems too."""
    target = folder / file.name
    if target.exists():
        return
    descriptor, temporary = tempfile.mkstemp(prefix="tmp_", dir=folder)  # git clears tmp_* away
    try:
        with os.fdopen(descriptor, "wb") as out, file.open("rb") as source:
            shutil.copyfileobj(source, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).chmod(0o444)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _remove(folder: str, process: int) -> None:
    # A child of this process that ends must not take it away.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
