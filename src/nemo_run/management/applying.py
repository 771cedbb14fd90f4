"""The code of a stored job as files: a worktree of the user's repository, or a plain folder.

The user's working tree, index, stash and branches are not touched: git makes a worktree without
checking anything out, and the files of the snapshot are written into it as they are, so that
``git diff`` shows in what the job's code differed from its commit.

What a call that was killed left is told by the file ``.<folder>.nemo-run-apply`` beside the folder,
which is written first and removed last. The same call finishes what it began.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NotFoundError, PackagingError, StoreError
from nemo_run.invocation import experiment_command
from nemo_run.packaging.git import GitError, of_user
from nemo_run.packaging.laying import lay
from nemo_run.packaging.store import CodeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nemo_run.management.store.record import Record
    from nemo_run.packaging.git import Git

_MARK = ".{}.nemo-run-apply"


@dataclass(frozen=True)
class Applied:
    """Where the code of a job lies now.

    Attributes:
        folder: The folder.
        tree: The id of the git tree.
        files: How many files there are.
        repository: The repository that it is a worktree of; empty for a plain folder.
        commit: The commit that it sits on; empty for a plain folder.
        why: Why it is a plain folder; empty for a worktree.
        stat: What ``git diff --stat`` says; empty where nothing differs, and for a plain folder.
    """

    folder: str
    tree: str
    files: int
    repository: str = ""
    commit: str = ""
    why: str = ""
    stat: str = ""


@dataclass(frozen=True)
class _Code:
    tree: str
    commit: str
    root: str


def apply(
    record: Record,
    job: str | None = None,
    folder: str | os.PathLike[str] | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Applied:
    """Lay the code that a job ran with into a folder.

    Args:
        record: The experiment.
        job: The job; not needed where all of them had the same code.
        folder: Where; by default a folder named after the experiment and the job, here, or
            beside the repository that this folder is in.
        told: Is told how many files are written, and how many there are.

    Raises:
        NotFoundError: There is no such job, or no code traveled with it.
        PackagingError: The code is not kept any more, or git refuses.
        StoreError: The folder is not empty, or cannot be written.
    """
    code = _code(record, job)
    named = folder or _beside(f"{record.id}-{job}" if job else record.id)
    target = Path(os.path.abspath(Path(named).expanduser()))  # noqa: PTH100 - links stay
    store = _store(record, code.tree)
    repository, why = _repository(code)
    with _marked(target, {"experiment": record.id, "tree": code.tree}) as begun:
        if repository is None:
            files = lay(store, code.tree, target, told)
            return Applied(str(target), code.tree, files, why=why)
        inside = _prefix(repository, code.root)
        _make_worktree(repository, code.commit, target, again=begun)
        own = of_user(str(target))
        own.run("read-tree", "HEAD")
        if inside:
            # The snapshot is a part of the repository; the rest is that of the commit.
            own.run("checkout-index", "--all", "--force", "--quiet")
            _clear(own, target, inside)
        files = lay(store, code.tree, target / inside, told)
    with suppress(GitError):  # the files of a submodule, which this worktree does not have
        # In the worktree's own index: new files are a part of `git diff`, too.
        own.run("add", "--intent-to-add", "--ignore-removal", ".")
    stat = own.run("diff", "HEAD", "--stat", "--no-ext-diff", "--no-textconv").decode(
        "utf-8", "replace"
    )
    return Applied(
        str(target), code.tree, files, _top(repository), code.commit, stat=stat.rstrip("\n")
    )


def _beside(name: str) -> Path:
    """Return where a new folder is in nobody's way: not in the user's working tree."""
    top = _top_of(os.curdir)
    return Path(top).parent / name.replace("/", "-") if top else Path(name.replace("/", "-"))


def _code(record: Record, job: str | None) -> _Code:
    """Return the code of a job; of all jobs where they had the same.

    Raises:
        NotFoundError: None is known, or several are.
    """
    documents = [record.job(job)] if job is not None else record.jobs
    kept: dict[str, tuple[str, _Code]] = {}
    for document in documents:
        said = document.get("code")
        if isinstance(said, dict) and said.get("tree"):
            words = (str(said.get(name) or "") for name in ("tree", "commit", "root"))
            kept.setdefault(str(said["tree"]), (str(document["id"]), _Code(*words)))
    if len(kept) == 1:
        return next(iter(kept.values()))[1]
    if kept:
        raise NotFoundError(
            f"The jobs of {record.id} had different code. Name one: "
            f"{', '.join(name for name, _ in kept.values())}."
        )
    whose = f"job {job!r} of {record.id}" if job is not None else f"the jobs of {record.id}"
    raise NotFoundError(f"No code traveled with {whose}.{_of_git(record)}")


def _of_git(record: Record) -> str:
    """Return what is known of the folder that an experiment was launched from."""
    git = record.meta.get("git")
    commit = str(git.get("commit") or "") if isinstance(git, dict) else ""
    if not commit or not isinstance(git, dict):
        return ""
    changed = ", with changed files that nobody kept" if git.get("dirty") else ""
    return (
        f" Git was at {commit[:12]} in {record.meta.get('cwd')}{changed}; that commit is brought "
        f"by: git worktree add --detach FOLDER {commit[:12]}"
    )


def _store(record: Record, tree: str) -> CodeStore:
    from nemo_run.management.compare.code import stores

    places = stores([record])
    found = next((one for one in map(CodeStore, places) if one.has(tree)), None)
    if found is None:
        looked = ", ".join(places) or "no repository"
        raise PackagingError(f"The code {tree[:12]} is not kept any more (looked for in {looked}).")
    return found


def _repository(code: _Code) -> tuple[Git | None, str]:
    """Return the user's repository that knows the commit of some code; else None, and why."""
    if not code.commit:
        return None, "the code was in no git repository"
    for folder in (os.curdir, code.root):
        if folder and _knows(folder, code.commit):
            return of_user(os.path.abspath(folder)), ""  # noqa: PTH100 - links stay as they are
    return None, f"no repository here or in {code.root} has the commit {code.commit[:12]}"


def _knows(folder: str, commit: str) -> bool:
    if not Path(folder).is_dir() or commit.startswith("-"):
        return False
    try:
        of_user(folder).run("cat-file", "-e", f"{commit}^{{commit}}")
    except GitError:
        return False
    return True


def _top(git: Git) -> str:
    try:
        return os.fsdecode(git.run("rev-parse", "--show-toplevel")).rstrip("\n")
    except GitError:  # a bare repository
        return os.fsdecode(git.run("rev-parse", "--absolute-git-dir")).rstrip("\n")


def _prefix(git: Git, root: str) -> str:
    """Return which folder of the repository the code was taken from; empty for all of it."""
    for top in (_top(git), _top_of(root)):
        inside = os.path.relpath(os.path.realpath(root), os.path.realpath(top)) if top else ".."
        if not inside.startswith(os.pardir):
            return "" if inside == os.curdir else inside
    return ""


def _top_of(folder: str) -> str:
    try:
        return _top(of_user(folder)) if Path(folder).is_dir() else ""
    except GitError:
        return ""


@contextmanager
def _marked(target: Path, said: dict[str, Any]) -> Iterator[bool]:
    """Hold the mark that says whose work in a folder is under way, and remove it at the end.

    Yields:
        Whether an earlier call was cut short in this folder.

    Raises:
        StoreError: The folder is not empty, or another call is at work there.
    """
    from nemo_run.management.store.locks import locked

    mark = target.parent / _MARK.format(target.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"{mark} cannot be written: {error.strerror or error}.") from error
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            with locked(file.fileno(), timeout=0.0):
                begun = _begun(file.read(), said, target, mark)
                file.seek(0)
                file.write(json.dumps(said))
                file.truncate()
                file.flush()
                os.fsync(file.fileno())
                yield begun
                mark.unlink(missing_ok=True)
        except TimeoutError:
            raise StoreError(f"Another process lays code into {target} now.") from None


def _begun(text: str, said: dict[str, Any], target: Path, mark: Path) -> bool:
    """Return whether a mark says that this very work was begun before."""
    try:
        before = json.loads(text) if text else None
    except ValueError:
        before = None
    filled = target.is_symlink() or (target.exists() and not _is_empty(target))
    if before == said:
        return True
    if not filled:
        return bool(text)
    if text:
        whose = before.get("experiment") if isinstance(before, dict) else None
        raise StoreError(
            f"{target} holds part of the code of {whose or 'another experiment'}: laying it there "
            f"was cut short. Finish that with `{experiment_command('apply', str(whose or 'ID'))} "
            f"--to {target}`, or remove the folder and {mark}."
        )
    mark.unlink(missing_ok=True)
    raise StoreError(
        f"{target} is not empty, and code is laid into an empty folder only. Name another one "
        "with --to."
    )


def _is_empty(folder: Path) -> bool:
    try:
        return not any(folder.iterdir())
    except NotADirectoryError:
        return False


def _make_worktree(git: Git, commit: str, target: Path, *, again: bool) -> None:
    """Make a worktree of a repository, with nothing in it; one that is there already stays."""
    if again:
        if _is_at(target, commit):
            return
        # git was killed while it made the worktree: nothing but its own file can be there.
        if target.is_dir() and [one.name for one in target.iterdir()] == [".git"]:
            (target / ".git").unlink()
        _forget_half_made(git, target)
    # Given twice it takes the place of one that is registered, locked, and not there.
    force = ("--force", "--force") if again else ()
    # The user's hook for checkouts is a program that may do anything.
    no_hooks = ("-c", f"core.hooksPath={os.devnull}")
    words = ("worktree", "add", *force, "--no-checkout", "--detach", str(target), commit)
    git.run(*no_hooks, *words)


def _forget_half_made(git: Git, target: Path) -> None:
    """Remove what git wrote down of a worktree that it was killed at: it hinders every later one.

    As long as git makes a worktree, ``locked`` says ``initializing``, and ``commondir`` comes last
    (``add_worktree`` in git's builtin/worktree.c).
    """
    common = os.fsdecode(git.run("rev-parse", "--git-common-dir")).rstrip("\n")
    base = Path(os.fsdecode(git.where[1]), common, "worktrees")
    for one in base.glob(f"{target.name}*"):
        locked, gitdir = one / "locked", one / "gitdir"
        if (one / "commondir").exists() or not _says(locked, "initializing"):
            continue
        if _says(gitdir, f"{target}/.git") or not gitdir.exists():
            shutil.rmtree(one, ignore_errors=True)


def _says(path: Path, text: str) -> bool:
    try:
        return path.read_text("utf-8", "surrogateescape").strip() == text
    except OSError:
        return False


def _is_at(target: Path, commit: str) -> bool:
    if not (target / ".git").is_file():
        return False
    try:
        at = of_user(str(target)).run("rev-parse", "--verify", "HEAD").decode().strip()
    except GitError:
        return False
    return at == commit


def _clear(git: Git, target: Path, inside: str) -> None:
    """Remove the commit's own files of the folder that the snapshot takes the place of."""
    listed = git.run("ls-files", "-z", "--", inside).split(b"\0")[:-1]
    for name in listed:
        Path(target, os.fsdecode(name)).unlink(missing_ok=True)
    for folder, _, _ in os.walk(target / inside, topdown=False):
        with suppress(OSError):  # something of the user's is in it
            os.rmdir(folder)  # noqa: PTH106
