"""What differs between two trees of code: git is asked, in our own store."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PackagingError
from nemo_run.management.store import layout

from .comparison import CodeChange, FileChange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.packaging.git import Git

STORE = "code.git"

MOST_BYTES = 200_000
"""So much of a patch is kept where not all of it is asked for."""

_LARGE_FILE = "2m"
_KINDS: dict[str, Any] = {"A": "added", "D": "removed", "R": "moved"}
_HASH = 40


def stores(records: Iterable[Record]) -> list[str]:
    """Return the repositories that may keep the code of experiments, each once."""
    # <base>/experiments/<title>/<id>: that base may be another one's home.
    bases = [layout.home(), *(base for one in records for base in one.path.parents[2:3])]
    found = dict.fromkeys(str(Path(base, STORE).absolute()) for base in bases)
    return [store for store in found if Path(store, "HEAD").exists()]


def difference(
    old: str, new: str, jobs: Sequence[str], places: Sequence[str], *, full: bool = False
) -> CodeChange:
    """Return what differs between two trees.

    Args:
        old: The id of the one.
        new: The id of the other.
        jobs: The jobs that had these.
        places: The repositories that may have them; see :func:`stores`.
        full: All of the patch, however long.

    Raises:
        PackagingError: One is not there, or git cannot be asked.
    """
    git = _git_with(old, new, places)
    trees = [] if full else ["-c", f"core.bigFileThreshold={_LARGE_FILE}"]
    asked = [*trees, "diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv"]
    files = _files(
        git.run(*asked, "-z", "--name-status", old, new),
        git.run(*asked, "-z", "--numstat", old, new),
    )
    patch, cut = _patch(git, [*asked, "-p", "--no-color", old, new], None if full else MOST_BYTES)
    return CodeChange(old, new, tuple(jobs), tuple(files), patch, cut)


def _git_with(old: str, new: str, places: Sequence[str]) -> Git:
    """Return git in a repository that has both trees, or sees them in the others."""
    from nemo_run.packaging.git import of_store
    from nemo_run.packaging.store import CodeStore

    where = {}
    for tree in (old, new):
        if len(tree) != _HASH or set(tree) - set("0123456789abcdef"):
            raise PackagingError(f"{tree!r} is no git tree. The record is damaged.")
        where[tree] = next((place for place in places if CodeStore(place).has(tree)), "")
        if not where[tree]:
            looked = ", ".join(places) or "no repository"
            raise PackagingError(
                f"The code {tree[:12]} is not kept any more (looked for in {looked})."
            )
    git = of_store(where[old])
    if where[old] == where[new]:
        return git
    more = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.path.join(where[new], "objects")}  # noqa: PTH118
    return dataclasses.replace(git, variables={**git.variables, **more})


def _files(status: bytes, numbers: bytes) -> list[FileChange]:
    lines = _numbers(numbers)
    words = iter(status.split(b"\0"))
    found = []
    for kind in words:
        if not kind:
            break
        letter = kind[:1].decode()
        old_path = _text(next(words)) if letter in "RC" else ""
        path = _text(next(words))
        added, removed = lines.get(path, (None, None))
        if letter == "R" and not (added or removed) and old_path == path:
            continue
        found.append(FileChange(path, _KINDS.get(letter, "changed"), added, removed, old_path))
    return found


def _numbers(out: bytes) -> dict[str, tuple[int | None, int | None]]:
    """Return added and removed lines by path; git writes ``-`` for binary files."""
    found = {}
    words = iter(out.split(b"\0"))
    for word in words:
        added, _, rest = word.partition(b"\t")
        removed, _, path = rest.partition(b"\t")
        if not added:
            break
        if not path:  # moved: the old path and the new one follow
            next(words)
            path = next(words)
        found[_text(path)] = _count(added), _count(removed)
    return found


def _count(word: bytes) -> int | None:
    return int(word) if word.isdigit() else None


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")


def _patch(git: Git, arguments: Sequence[str], most: int | None) -> tuple[str, bool]:
    """Return the first part of what git writes, to the end of a line, and whether it goes on."""
    process = git.start(*arguments, stderr=-3)  # subprocess.DEVNULL
    if process.stdin is None or process.stdout is None:
        raise PackagingError("git has no streams.")
    with process:
        process.stdin.close()
        if most is None:
            return _masked(process.stdout.read()), False
        out = process.stdout.read(most + 1)
        cut = len(out) > most
        if cut:
            process.kill()
            out = out[: out.rfind(b"\n", 0, most) + 1]
    return _masked(out), cut


def _masked(patch: bytes) -> str:
    """Return a patch as text, with passwords of addresses and known secrets covered."""
    from nemo_run.masking import mask

    return mask("", patch.decode("utf-8", "backslashreplace"))
