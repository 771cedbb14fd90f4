"""Whether the code of then is there: snapshots, and what tasks import that did not travel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.script import Script
from nemo_run.exceptions import CorruptRecordError, NemoRunError
from nemo_run.management.capture.environment import git_state
from nemo_run.management.capture.stored import task_of
from nemo_run.management.store import layout

from . import stored
from .check import Check, count, is_there, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management.store.record import Record

_STORE = "code.git"


def snapshots(record: Record) -> Check:
    """Say whether the code that traveled with the jobs is kept, with all of its files."""
    trees = {tree for job in record.jobs if (tree := _tree(job))}
    if not trees:
        return Check("code", "green", "No code traveled with the jobs.")
    store = layout.home() / _STORE
    try:
        missing = sorted(tree for tree in trees if not _has(store, tree))
    except NemoRunError as error:
        return Check("code", "red", str(error), "Install git, or make it work.")
    if missing:
        return Check(
            "code",
            "red",
            f"The git tree {some(missing)} is not in {store}, or some of its files are not.",
            "Get it from where the experiment was made: export it there and import it here.",
        )
    says = f"{count(len(trees), 'git tree')} in {store}: {some(sorted(trees))}."
    return Check("code", "green", says)


def _tree(job: dict[str, Any]) -> str:
    code = job.get("code")
    return str(code.get("tree") or "") if isinstance(code, dict) else ""


def _has(store: Path, tree: str) -> bool:
    from nemo_run.packaging.store import CodeStore

    return CodeStore(store).has(tree)


def modules(record: Record) -> Iterator[Check]:
    """Say whether files that no snapshot holds are there, and may have changed since."""
    names: set[str] = set()
    scripts: set[str] = set()
    for folder in _without_code(record):
        try:
            task = task_of(folder / "task.json")
        except CorruptRecordError:
            continue  # which is told of already
        if isinstance(task, Script):
            scripts |= {task.path} if task.path and not task.m else set()
        else:
            names |= stored.imported(task)
    folder = Path(str(record.meta.get("cwd") or ""))
    gone = sorted(path for path in scripts if not is_there(folder / path))
    if gone:
        says = f"{some(gone)} did not travel with the jobs and is not in {folder} any more."
        yield Check("scripts", "red", says, "Put it there again.")
    if names:
        yield _modules(record, sorted(names))


def _without_code(record: Record) -> Iterator[Path]:
    """Yield the folders of the tasks whose job has no snapshot."""
    with_code = {str(job["id"]) for job in record.jobs if _tree(job)}
    for job, folder in stored.members(record):
        if job not in with_code:
            yield folder


def _modules(record: Record, names: list[str]) -> Check:
    what, folder = "modules", str(record.meta.get("cwd") or "")
    own = [name for name in names if name != "__main__"]
    told = (
        f"{some(own)} did not travel" if own else "What the launching script imports did not travel"
    )
    if not is_there(folder, os.path.isdir):
        return Check(
            what,
            "amber",
            f"{told}, and the folder that it was started in, {folder}, is not there.",
            "Make it importable under the same names.",
        )
    then, now = record.meta.get("git"), git_state(folder)
    if not isinstance(then, dict) or now is None:
        why = f"{folder} is in no git repository, or was in none"
    elif then.get("commit") != now["commit"]:
        why = f"{folder} was at commit {_commit(then)} and is at {_commit(now)}"
    elif then.get("dirty") or now["dirty"]:
        why = f"files in {folder} differ from commit {_commit(now)}, then or now"
    else:
        return Check(what, "green", f"{told}; {folder} is at the same commit, {_commit(now)}.")
    advice = "Check out what was there; with a packager the code travels and is kept."
    return Check(what, "amber", f"{told}, and may have changed: {why}.", advice)


def _commit(state: dict[str, Any]) -> str:
    return str(state.get("commit") or "no commit")[:12]
