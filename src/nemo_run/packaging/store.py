"""Our own bare repository: every snapshot that was sent, shared by all experiments.

A snapshot is kept by the reference ``refs/snapshots/<tree>``, which is set when all of its objects
are there. They come in one pack that is moved in from a quarantine, so that a process that dies in
the middle leaves at most a file that git clears away.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.atomic import sync_file, sync_folder, sync_tree
from nemo_run.exceptions import PackagingError
from nemo_run.shared_home import is_readable_by_group

from .git import GitError, files_with, of_store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .git import Git
    from .quarantine import Quarantine
    from .tree import Entry

_REFS = "refs/snapshots"
_WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "NeMo Run"), ("EMAIL", "nemo-run@localhost"))
}
_PIECE = 1 << 20
_BASES = 20
_LOCK_MS = 5000
# git leaves loose objects and references to the system's leisure. The second is for git < 2.36.
_SYNCED = ("-c", "core.fsync=all", "-c", "core.fsyncObjectFiles=true")


class CodeStore:
    """Snapshots of code, in a bare repository.

    Args:
        path: The repository; made when something is kept.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._git = of_store(self.path)

    def has(self, tree: str) -> bool:
        """Whether a snapshot is kept here with all of its objects."""
        if not Path(self.path, "HEAD").exists():
            return False
        try:
            found = self._git.run("rev-parse", "--verify", "--quiet", f"{_ref(tree)}^{{tree}}")
        except GitError:
            return False
        return found.decode().strip() == tree

    def files_with(self, tree: str, lines: Iterable[bytes]) -> list[str]:
        """Return the files of a snapshot that hold one of some pieces of text."""
        return files_with(self._git, tree, lines)

    def trees(self) -> list[str]:
        """Return the snapshots that are kept, the latest first."""
        if not Path(self.path, "HEAD").exists():
            return []
        order = ("--sort=-committerdate", "--format=%(refname:lstrip=2)")
        return self._git.run("for-each-ref", *order, _REFS).decode().split()

    def missing(self, ids: Iterable[str]) -> set[str]:
        """Return those of ``ids`` that are no objects of the store."""
        wanted = set(ids)
        if not wanted or not Path(self.path, "HEAD").exists():
            return wanted
        asked = "".join(f"{one}\n" for one in wanted).encode()
        lines = self._git.run("cat-file", "--batch-check", "--buffer", input=asked).splitlines()
        return {line.split()[0].decode() for line in lines if line.endswith(b" missing")}

    def quarantine(self, entries: dict[bytes, Entry]) -> Quarantine:
        """Return a place aside that holds what the store lacks of ``entries``.

        Raises:
            PackagingError: The bytes cannot be read, or there is no room for them.
        """
        from .quarantine import Quarantine

        return Quarantine(self, entries)

    def make(self) -> None:
        """Make the repository, unless it is there; in one step, as others may do the same.

        Raises:
            PackagingError: It cannot be made.
        """
        place = Path(self.path)
        if (place / "HEAD").exists():
            return
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent)
        except OSError as error:
            raise PackagingError(
                f"The code cannot be kept in {self.path}: {error.strerror}."
            ) from error
        try:
            shared = ("--shared=0640",) if is_readable_by_group(place.parent) else ()
            of_store(new).run("init", "--quiet", "--bare", "--template=", *shared)
            sync_tree(new)
            with suppress(OSError):  # another process was faster
                Path(new).rename(place)
            sync_folder(place.parent)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        if not (place / "HEAD").exists():
            raise PackagingError(
                f"The code cannot be kept in {self.path}, which exists and is no git repository. "
                "Move it away."
            )

    def record(self, tree: str, message: str) -> None:
        """Keep a snapshot whose objects are here, safe from ``git gc``.

        Args:
            tree: Its id.
            message: What to say of it, for a person who reads the log.

        Raises:
            PackagingError: Some of its objects are not here.
        """
        git = self._git
        try:
            git.run("rev-list", "--objects", "--quiet", tree)
        except GitError as error:
            raise PackagingError(
                f"Part of the code was removed from {self.path} while it was being kept. Run it "
                f"again. ({error})"
            ) from None
        named = replace(git, variables={**git.variables, **_WHO})
        said = message.encode("utf-8", "replace")
        written = named.run(*_SYNCED, "commit-tree", tree, input=said)
        commit = written.decode().strip()
        self._sync("objects", commit[:2], commit[2:])
        self._point(_ref(tree), commit)
        self._sync(*_ref(tree).split("/"))
        with suppress(GitError):  # housekeeping; the snapshot is safe
            git.run("-c", "gc.autoDetach=false", "gc", "--auto", "--quiet")

    def _point(self, ref: str, commit: str) -> None:
        """Set a reference, past the lock of a process that was killed while it did the same."""
        lock = Path(self.path, f"{ref}.lock")
        held = _inode(lock)
        set_it = (*_SYNCED, "-c", f"core.filesRefLockTimeout={_LOCK_MS}", "update-ref", ref, commit)
        try:
            self._git.run(*set_it)
        except GitError:
            if held is None or _inode(lock) != held:
                raise
            # One that lives holds it for milliseconds, not all the time that we waited.
            lock.unlink(missing_ok=True)
            self._git.run(*set_it)

    def _sync(self, *names: str) -> None:
        """Wait until a file and the folders that lead to it are on disk."""
        path = Path(self.path, *names)
        with suppress(OSError):  # git packed it meanwhile
            sync_file(path)
        for folder in (path, *path.parents)[1 : len(names) + 1]:
            sync_folder(folder)

    def forget(self, tree: str) -> None:
        """Stop keeping a snapshot; git removes what no other one holds, two weeks later."""
        self._git.run("update-ref", "-d", _ref(tree))

    def ages(self) -> dict[str, float]:
        """Return when each snapshot was kept, in seconds since the epoch."""
        if not Path(self.path, "HEAD").exists():
            return {}
        shown = "--format=%(refname:lstrip=2) %(committerdate:unix)"
        lines = self._git.run("for-each-ref", shown, _REFS).decode().splitlines()
        return {tree: float(when or 0) for tree, _, when in (line.partition(" ") for line in lines)}

    def prune(self, older_than: float) -> None:
        """Remove from the disk what no snapshot that is kept holds.

        Args:
            older_than: Leave alone what is younger, in seconds: somebody may be keeping it.
        """
        self._git.run("gc", "--quiet", f"--prune={int(older_than)}.seconds.ago")

    def write_tar(self, tree: str, file: str | os.PathLike[str]) -> None:
        """Write a snapshot as a tar file, in one step. Unpack it with ``tar -xmf``.

        Args:
            tree: The snapshot.
            file: The tar file; a file of that name is replaced.

        Raises:
            PackagingError: There is no such snapshot.
        """
        target = Path(file)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as out:
                for piece in self.tar_stream(tree):
                    out.write(piece)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def tar_stream(self, tree: str) -> Iterator[bytes]:
        """Yield a snapshot as a tar archive; the same bytes whenever it is asked for.

        Raises:
            PackagingError: There is no such snapshot.
        """
        from .archive import tar

        self.check(tree)
        return tar(self._git, tree)

    def pack_for(self, tree: str, known: Collection[str] = ()) -> Iterator[bytes]:
        """Yield a pack with what a target needs to have a snapshot.

        The target takes it with ``git index-pack --stdin --fix-thin``.

        Args:
            tree: The snapshot.
            known: Trees that the target has already, whole. The latest that are kept here too
                are what the pack builds on.

        Raises:
            PackagingError: There is no such snapshot.
        """
        self.check(tree)
        theirs = set(known)
        bases = [one for one in self.trees() if one in theirs][:_BASES]
        listed = self._git.run("rev-list", "--objects", tree, *(f"^{one}" for one in bases))
        edges = "".join(f"-{one}\n" for one in bases).encode()
        return _answer(self._git, edges + listed)

    def check(self, tree: str) -> None:
        """Make sure that a snapshot is kept here.

        Raises:
            PackagingError: It is not.
        """
        if not self.has(tree):
            raise PackagingError(
                f"The code {tree} is not in {self.path}. It was removed there, or never kept."
            )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    return info.st_ino, info.st_mtime_ns


def _ref(tree: str) -> str:
    return f"{_REFS}/{tree}"


def _answer(git: Git, question: bytes) -> Iterator[bytes]:
    """Yield the pack of the objects that ``question`` names; git reads it whole before."""
    process = git.start("pack-objects", "--stdout", "--quiet", "--delta-base-offset")
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise GitError("git has no streams.")
    with process:
        try:
            process.stdin.write(question)
            process.stdin.close()
            while piece := process.stdout.read(_PIECE):
                yield piece
            said = os.fsdecode(process.stderr.read())
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise GitError(f"git says: {said.strip()}", said)
