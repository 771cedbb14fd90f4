"""The code of experiments as packs of git: out of the store of one machine, into that of another.

What arrives is unpacked by git beside the store, looked at, and moved in when it is whole. The name
of every object is the sum of its bytes, so nothing that arrives can stand for anything else.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.atomic import sync_file, sync_folder
from nemo_run.exceptions import PackagingError, StoreError
from nemo_run.management.store import layout
from nemo_run.packaging.git import GitError, of_store
from nemo_run.packaging.store import CodeStore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from typing_extensions import Self

    from nemo_run.management.store.record import Record

STORE = "code.git"
_TREE = re.compile(r"[0-9a-f]{40}")
_PIECE = 1 << 20
_GITLINK = b"160000"


def store() -> CodeStore:
    """Return where the code of this user's experiments is kept."""
    return CodeStore(layout.home() / STORE)


def trees_of(record: Record) -> list[str]:
    """Return the ids of the code trees that the jobs of an experiment ran with."""
    named = [job["code"].get("tree") for job in record.jobs if isinstance(job.get("code"), dict)]
    return list(dict.fromkeys(tree for tree in named if is_tree(tree)))


def is_tree(text: object) -> bool:
    """Whether a text can be the id of a tree."""
    return isinstance(text, str) and _TREE.fullmatch(text) is not None


def pack(code: CodeStore, trees: Sequence[str]) -> Iterator[bytes]:
    """Yield one pack with everything that some trees hold.

    Raises:
        PackagingError: One is not there.
    """
    git = of_store(code.path)
    objects = git.run("rev-list", "--objects", *trees)
    with tempfile.TemporaryFile() as question:
        question.write(objects)
        question.seek(0)
        process = git.start("pack-objects", "--stdout", "--quiet", "--delta-base-offset")
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            try:
                shutil.copyfileobj(question, process.stdin)
                process.stdin.close()
                while piece := process.stdout.read(_PIECE):
                    yield piece
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        raise PackagingError(f"git could not pack the code in {code.path}.")


class Arriving:
    """Code that arrives, beside the store until it is kept. Used in a ``with`` statement.

    Args:
        code: The store that it is for.
    """

    def __init__(self, code: CodeStore) -> None:
        self._code = code
        code.make()
        place = Path(code.path)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{place.name}.", dir=place.parent))
        self._git = of_store(str(self._folder))
        self._git.run("init", "--quiet", "--bare", "--template=")
        objects = str(place / "objects").replace("\\", "\\\\").replace('"', '\\"')
        info = self._folder / "objects" / "info"
        info.mkdir(exist_ok=True)
        (info / "alternates").write_text(f'"{objects}"\n')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def take(self, pieces: Iterable[bytes]) -> None:
        """Take a pack; its bytes are checked, and named by their sums.

        Raises:
            StoreError: It is none, or damaged, or builds on what is not here.
        """
        process = self._git.start("index-pack", "--stdin", "--fix-thin")
        assert process.stdin is not None
        try:
            for piece in pieces:
                process.stdin.write(piece)
        except BrokenPipeError:
            pass  # git says below why
        except BaseException:
            process.kill()
            process.communicate()
            raise
        _, said = process.communicate()
        if process.returncode:
            why = said.decode("utf-8", "replace").strip().splitlines()
            raise StoreError(
                f"The code that came with it is damaged: git says {(why or ['nothing'])[-1]!r}."
            )

    def keep(self, trees: Sequence[str], message: str) -> None:
        """Move what arrived into the store, when each tree is whole and holds nothing odd.

        Raises:
            StoreError: One is not whole, or no tree of code.
        """
        for tree in trees:
            self._check(tree)
        target = Path(self._code.path, "objects", "pack")
        target.mkdir(mode=0o700, exist_ok=True)
        for one in sorted((self._folder / "objects" / "pack").glob("*.pack")):
            # Readers find a pack by its index, which therefore comes last.
            for file in (one, one.with_suffix(".idx")):
                sync_file(file)
                file.replace(target / file.name)
        sync_folder(target)
        for tree in trees:
            if not self._code.has(tree):
                self._code.record(tree, message)

    def _check(self, tree: str) -> None:
        try:
            self._git.run("rev-list", "--objects", "--quiet", f"{tree}^{{tree}}")
            listed = self._git.run("ls-tree", "-r", "-t", "-z", "--full-tree", tree)
        except GitError as error:
            raise StoreError(
                f"The code {tree} that came with it is not whole ({error})."
            ) from error
        for line in listed.split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            steps = path.split(b"/")
            if about.startswith(_GITLINK) or {b"", b".", b".."} & set(steps):
                raise StoreError(
                    f"The code {tree} that came with it holds {path!r:.100}, which no code of a "
                    "job has. It is refused."
                )
