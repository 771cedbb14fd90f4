"""What git knows of the user's repository: which files its working state and its commits have."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.exceptions import NoRepositoryError, PackagingError

from .git import Git, GitError, of_user
from .tree import Entry, Vanished, blob_hash, entry_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable

_GITLINK = 0o160000


@dataclass
class Listing:
    """The files of a repository and of its submodules. Paths start at its top.

    Attributes:
        entries: Path → entry.
        changed: Tracked files that differ from the commit.
        untracked: Files that are in no commit, and not ignored.
        warnings: Sentences for the person who launches.
        skipped: Submodules that are not in it.
    """

    entries: dict[bytes, Entry] = field(default_factory=dict)
    changed: list[bytes] = field(default_factory=list)
    untracked: list[bytes] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: list[bytes] = field(default_factory=list)


def top_of(folder: str) -> str:
    """Return the top folder of the repository that a folder is in.

    Args:
        folder: Any folder of a working tree; or a bare repository, which is its own top.

    Raises:
        PackagingError: There is none, or git does not want to work with it.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - as given
        raise PackagingError(f"There is no folder {shown(folder)} to take the code from.")
    git = of_user(folder)
    try:
        found = git.run("rev-parse", "--show-toplevel")
    except GitError as error:
        return _bare(git, folder, error)
    return os.fsdecode(found.removesuffix(b"\n"))


def _bare(git: Git, folder: str, error: GitError) -> str:
    if "not a git repository" in error.said:
        raise NoRepositoryError(
            f"{shown(folder)} is not in a git repository, so git cannot say which files are code. "
            "Use run.PatternPackager(include_pattern='*', relative_path='.'), or `git init` it."
        ) from None
    if "must be run in a work tree" not in error.said:
        raise PackagingError(f"The code of {shown(folder)} cannot be read: {error}") from None
    found = os.fsdecode(git.run("rev-parse", "--absolute-git-dir").removesuffix(b"\n"))
    is_bare = git.run("rev-parse", "--is-bare-repository").strip() == b"true"
    if not is_bare and os.path.basename(found) == ".git":  # noqa: PTH119 - inside of .git
        return os.path.dirname(found)  # noqa: PTH120
    return found


def commit_of(top: str, ref: str) -> str:
    """Return the full id of the commit that a name stands for.

    Args:
        top: The repository.
        ref: A branch, tag, abbreviated id, ``HEAD~1``.

    Raises:
        PackagingError: There is no such commit.
    """
    git = of_user(top)
    try:
        name = f"./{ref}" if ref.startswith("-") else ref  # never an option; nor is it a ref
        found = git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except GitError:
        empty = not git.run("rev-list", "--max-count=1", "--all")
        reason = "which has no commit yet" if empty else f"see `git -C {shown(top)} log --all`"
        raise PackagingError(f"ref={ref!r} is no commit of {shown(top)}, {reason}.") from None
    return found.decode().splitlines()[-1]


def head_of(top: str) -> str:
    """Return the id of the commit that is checked out; empty where there is none yet."""
    try:
        return of_user(top).run("rev-parse", "--verify", "--quiet", "HEAD").decode().strip()
    except GitError:
        return ""


def is_bare(top: str) -> bool:
    """Whether a repository has no working files."""
    return of_user(top).run("rev-parse", "--is-bare-repository").strip() == b"true"


def why_ignored(file: bytes) -> str:
    """Return by which line git ignores a file, for a sentence; empty where it does not."""
    folder, name = os.path.split(file)
    try:
        found = of_user(folder).run(
            "check-ignore", "--verbose", "-z", "--stdin", input=b"./%s\0" % name
        )
    except GitError:
        return ""
    source, line, pattern, *_ = found.split(b"\0")
    return f"is git-ignored ({shown(source)}, line {shown(line)}: {shown(pattern)})"


def working_state(
    top: bytes, wanted: Callable[[bytes], bool], *, submodules: bool, prefix: bytes = b""
) -> Listing:
    """Return the working state by git's rules: tracked files as they are now, and untracked ones.

    Args:
        top: The top folder of the repository.
        wanted: Tells whether the file at a path is to be read.
        submodules: Whether their files come too.
        prefix: Where the repository is in the one above it, with a slash.

    Raises:
        PackagingError: git does not want to, or a file cannot be read.
    """
    git = of_user(top)
    found = Listing()
    modes = _index(git)
    keep_modes = _ignores_file_modes(git)
    gone = _read_status(git, found, prefix)
    modes |= dict.fromkeys((path.removeprefix(prefix) for path in found.untracked), 0)
    for name, mode in modes.items():
        if name in gone:
            continue
        path, place = prefix + name, os.path.join(top, name)  # noqa: PTH118 - bytes
        if mode == _GITLINK:
            _submodule(found, place, path, wanted, submodules)
        elif wanted(path):
            _add(found, path, place, mode if keep_modes else None)
    return found


def _index(git: Git) -> dict[bytes, int]:
    """Return path → mode of everything tracked; of a file in conflict, one of its modes."""
    lines = git.run("ls-files", "-z", "--stage").split(b"\0")[:-1]
    parts = (line.partition(b"\t") for line in lines)
    return {name: int(about.split(b" ", 1)[0], 8) for about, _, name in parts}


def _ignores_file_modes(git: Git) -> bool:
    try:
        return git.run("config", "--bool", "core.fileMode").strip() == b"false"
    except GitError:  # not set
        return False


def _add(found: Listing, path: bytes, place: bytes, mode: int | None) -> None:
    try:
        found.entries[path] = entry_of(place, mode)
    except Vanished:
        return


def _read_status(git: Git, found: Listing, prefix: bytes) -> set[bytes]:
    """Note what `git status` says, and return what was deleted. Format: git-status(1), v2."""
    out, said = git.tell(
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=dirty",
    )
    found.warnings += [
        f"git says of {shown(prefix or b'the code')}: {line.removeprefix('warning: ')}"
        for line in said.splitlines()
        if line.startswith("warning: could not open")
    ]
    gone: set[bytes] = set()
    fields = {b"1": 8, b"u": 10}  # before the path
    for line in out.split(b"\0")[:-1]:
        kind, _, rest = line.partition(b" ")
        if kind in fields:
            name = rest.split(b" ", fields[kind] - 1)[-1]
            found.changed.append(prefix + name)
            # Also what lies below a link that took the place of its folder.
            gone.update([name] if rest[1:2] == b"D" else ())
        elif kind == b"?" and rest.endswith(b"/"):
            found.warnings.append(
                f"{shown(prefix + rest)} is a git repository of its own, so its files do not "
                "travel. Make it a submodule, or name it with include_pattern=."
            )
        elif kind == b"?" and b"__pycache__" not in rest.split(b"/"):
            found.untracked.append(prefix + rest)
    return gone


def _submodule(
    found: Listing,
    place: bytes,
    path: bytes,
    wanted: Callable[[bytes], bool],
    submodules: bool,
) -> None:
    if not submodules:
        found.skipped.append(path)
        return
    if not os.path.lexists(os.path.join(place, b".git")):  # noqa: PTH118 - bytes
        found.skipped.append(path)
        found.warnings.append(_absent(path))
        return
    inner = working_state(place, wanted, submodules=True, prefix=path + b"/")
    found.entries |= inner.entries
    found.changed += inner.changed
    found.untracked += inner.untracked
    found.warnings += inner.warnings
    found.skipped += inner.skipped


def _absent(path: bytes) -> str:
    return (
        f"The submodule {shown(path)} is not checked out, so it does not travel: "
        f"`git submodule update --init {shown(path)}`, or include_submodules=False."
    )


def committed_state(
    top: bytes,
    commit: str,
    wanted: Callable[[bytes], bool],
    *,
    submodules: bool,
    prefix: bytes = b"",
) -> Listing:
    """Return the files of a commit, and of the commits that it records for submodules.

    Args:
        top: The top folder of the repository, or a bare one.
        commit: The id of the commit.
        wanted: Tells whether the file at a path is to be read.
        submodules: Whether their files come too.
        prefix: Where the repository is in the one above it, with a slash.

    Raises:
        PackagingError: A commit is not here.
    """
    git = of_user(top)
    found = Listing()
    same_ids = len(commit) == 40  # a repository may use SHA-256
    lines = git.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit).split(b"\0")[:-1]
    for line in lines:
        about, _, name = line.partition(b"\t")
        mode, kind, oid, size = about.split()
        path = prefix + name
        if kind == b"commit":
            _recorded(found, os.path.join(top, name), oid.decode(), path, wanted, submodules)  # noqa: PTH118
        elif wanted(path):
            id_ = oid.decode() if same_ids else _read_id(git, oid.decode())
            # Commits of old have modes such as 100664.
            plain = int(mode, 8) if mode in (b"100755", b"120000") else 0o100644
            found.entries[path] = Entry(plain, id_, int(size), blob=(git, oid.decode()))
    return found


def _read_id(git: Git, oid: str) -> str:
    data = git.run("cat-file", "blob", oid)
    found = blob_hash(len(data))
    found.update(data)
    return found.hexdigest()


def _recorded(
    found: Listing,
    place: bytes,
    commit: str,
    path: bytes,
    wanted: Callable[[bytes], bool],
    submodules: bool,
) -> None:
    if not submodules or not os.path.lexists(os.path.join(place, b".git")):  # noqa: PTH118 - bytes
        found.skipped.append(path)
        found.warnings += [_absent(path)] if submodules else []
        return
    try:
        of_user(place).run("cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        raise PackagingError(
            f"The submodule {shown(path)} does not have the commit {commit} here that is recorded "
            f"for it: `git submodule update --init {shown(path)}`, or `git fetch` in it."
        ) from None
    inner = committed_state(place, commit, wanted, submodules=True, prefix=path + b"/")
    found.entries |= inner.entries
    found.warnings += inner.warnings
    found.skipped += inner.skipped
