"""The packager that sends the code of a git repository."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import NoRepositoryError, PackagingError, nearest

from . import repository
from .lfs import about_pointers
from .packager import TreePackager
from .patterns import as_list, matched, pairs
from .snapshot import Contents
from .tree import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from .repository import Listing
    from .snapshot import CodePlace, Snapshot

_LISTED = 10


@dataclass(kw_only=True)
class GitArchivePackager(TreePackager):
    """Sends the working state of a git repository, or one of its commits.

    The working state is what git would commit with ``git add --all``: tracked files as they are on
    disk now, staged or not, without those that were deleted, and untracked files that are not
    ignored; Python's ``__pycache__`` is left out in any case. Bytes travel as they are in the
    files: neither line ends nor filters change them.

    Attributes:
        basepath: A folder in the repository; the launching process's by default.
        subpath: The folder of the repository that becomes the code folder; the whole by default.
        ref: The commit to send: ``HEAD``, a branch, a tag, an id. None, the default, sends the
            working state.
        include_submodules: Whether submodules come too, nested ones as well: their working state,
            or with ``ref`` the commit that is recorded for them.
        include_pattern: Files to send in addition, though git ignores them; one pattern of the
            shell or several.
        include_pattern_relative_path: For each pattern the folder that its files' paths in the
            code folder start from; the repository's top folder by default.
        check_uncommitted_changes: Refuse to send while tracked files differ from the commit.
        check_untracked_files: Refuse to send while there are files that git neither tracks nor
            ignores.
        required: Whether it is an error that there is no repository. If not, no code travels
            then, and the plan says so.
    """

    basepath: str = ""
    subpath: str = ""
    ref: str | None = None
    include_submodules: bool = True
    include_pattern: str | list[str] = field(default="")
    include_pattern_relative_path: str | list[str] = field(default="")
    check_uncommitted_changes: bool = False
    check_untracked_files: bool = False
    required: bool = True

    def __post_init__(self) -> None:
        pairs(
            self.include_pattern,
            self.include_pattern_relative_path,
            "include_pattern_relative_path",
        )

    def snapshot(self, place: CodePlace) -> Snapshot | None:
        """Return the code of this moment; see :class:`Packager`."""
        try:
            return super().snapshot(place)
        except NoRepositoryError:
            if self.required:
                raise
            return None

    def contents(self, place: CodePlace) -> Contents:
        """Return what is in the repository; see :class:`Packager`."""
        start = Path(place.working_directory, self.basepath).expanduser()
        top = repository.top_of(str(start))
        subpath = _subpath(self.subpath, top)
        wanted = _below(subpath, os.fsencode(top), place)
        commit, listing = self._listing(top, wanted)
        self._check(top, listing, wanted)
        entries = {path[len(subpath) :]: entry for path, entry in listing.entries.items()}
        if subpath and not entries:
            raise _no_subpath(self.subpath, top)
        found = Contents(
            entries=entries,
            root=os.path.join(top, os.fsdecode(subpath)).rstrip("/") or "/",  # noqa: PTH118
            commit=commit,
            modified=sum(map(wanted, listing.changed)) if self.ref is None else 0,
            untracked=sum(map(wanted, listing.untracked)) if self.ref is None else 0,
            warnings=tuple(listing.warnings),
            left_out=self._left_out(top, subpath, listing),
        )
        self._include(found, top, place)
        return found

    def _listing(self, top: str, wanted: Callable[[bytes], bool]) -> tuple[str, Listing]:
        name = os.fsencode(top)
        if self.ref is not None:
            commit = repository.commit_of(top, self.ref)
            found = repository.committed_state(
                name, commit, wanted, submodules=self.include_submodules
            )
            found.warnings += about_pointers(found.entries)
            return commit, found
        if repository.is_bare(top):
            raise PackagingError(
                f"{shown(top)} is a bare repository, which has no working files. Say which commit "
                "to send, as in ref='HEAD'."
            )
        return repository.head_of(top), repository.working_state(
            name, wanted, submodules=self.include_submodules
        )

    def _check(self, top: str, listing: Listing, wanted: Callable[[bytes], bool]) -> None:
        if not (self.check_uncommitted_changes or self.check_untracked_files):
            return
        if self.ref is not None and not repository.is_bare(top):
            # What is sent is the commit; what is asked is whether anything would be missing in it.
            listing = repository.working_state(
                os.fsencode(top), lambda _: False, submodules=self.include_submodules
            )
        changed = [path for path in listing.changed if wanted(path)]
        untracked = [path for path in listing.untracked if wanted(path)]
        if self.check_uncommitted_changes and changed:
            raise PackagingError(
                f"{shown(top)} has uncommitted changes, which check_uncommitted_changes refuses: "
                f"{_named(changed)}. Commit them, or `git stash` them."
            )
        if self.check_untracked_files and untracked:
            raise PackagingError(
                f"{shown(top)} has untracked files, which check_untracked_files refuses: "
                f"{_named(untracked)}. Commit them, or have git ignore them (.gitignore)."
            )

    def _left_out(self, top: str, subpath: bytes, listing: Listing) -> Callable[[bytes], str]:
        def reason(path: bytes) -> str:
            whole = subpath + path
            for submodule in listing.skipped:
                if whole.startswith(submodule + b"/"):
                    return f"is in the submodule {shown(submodule)}, which is left out"
            if self.ref is not None:
                return f"is not in the commit that ref={self.ref!r} stands for"
            return repository.why_ignored(os.path.join(os.fsencode(top), whole))  # noqa: PTH118

        return reason

    def _include(self, found: Contents, top: str, place: CodePlace) -> None:
        patterns = as_list(self.include_pattern)
        folders = as_list(self.include_pattern_relative_path) or [""] * len(patterns)
        for pattern, relative in zip(patterns, folders, strict=True):
            folder = str(Path(top, relative).expanduser())
            more = matched(pattern, folder, place)
            if not more:
                found.warnings += (
                    f"include_pattern={pattern!r} matches no file in {shown(folder)}.",
                )
            found.lay_over(more, f"include_pattern={pattern!r}", "git")


def _subpath(subpath: str, top: str) -> bytes:
    """Return a folder of the repository as paths in it start, with a slash; empty for the top."""
    name = os.path.normpath(os.path.join(top, subpath))  # noqa: PTH118 - text, not on disk
    inside = os.path.relpath(name, top)
    if inside.split("/")[0] == "..":
        raise PackagingError(f"subpath={subpath!r} is not in the repository {shown(top)}.")
    return b"" if inside == "." else os.fsencode(inside) + b"/"


def _below(subpath: bytes, top: bytes, place: CodePlace) -> Callable[[bytes], bool]:
    return lambda path: path.startswith(subpath) and not place.is_ours(b"%s/%s" % (top, path))


def _no_subpath(subpath: str, top: str) -> PackagingError:
    folder, name = os.path.split(os.path.join(top, subpath.rstrip("/")))  # noqa: PTH118
    near = os.listdir(folder) if os.path.isdir(folder) else []  # noqa: PTH112, PTH208
    return PackagingError(
        f"subpath={subpath!r} has no files that git tracks or would, in {shown(top)}."
        f"{nearest(name, near)}"
    )


def _named(paths: list[bytes]) -> str:
    shown_paths = [shown(path) for path in sorted(paths)]
    more = len(shown_paths) - _LISTED
    return ", ".join(shown_paths[:_LISTED]) + (f" and {more} more" if more > 0 else "")
