"""The process that applies overrides, with the code that a stored task ran with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ConfigError, NemoRunError, PackagingError
from nemo_run.execution.code import moved
from nemo_run.management.store import layout
from nemo_run.packaging.laying import lay
from nemo_run.packaging.store import CodeStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.code import Code
    from nemo_run.management.describe.jobs import Origin

# With -m, Python would put the current folder first on the module path.
_PROGRAM = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[1]]; "
    "from nemo_run.management.rerunning.amending import main; sys.exit(main(sys.argv[2]))"
)
_LAST_LINES = 10


@dataclass(frozen=True)
class Asked:
    """One stored task, and the overrides that are meant for it.

    Attributes:
        task: ``task.json``.
        words: ``key OP value``.
        origin: What surrounded it when it was planned; None for a task without code.
    """

    task: str
    words: tuple[str, ...]
    origin: Origin | None = None


def store() -> CodeStore:
    """Return the store of this home."""
    return CodeStore(layout.home() / "code.git")


def answers(asked: Sequence[Asked]) -> list[dict[str, Any]]:
    """Return what :func:`.amending.amended` says of each task, in processes of their own.

    Tasks that had the same code and the same surroundings share a process.

    Raises:
        ConfigError: The code cannot be imported, so that nobody knows which keys there are.
        PackagingError: The code is not kept any more.
    """
    together: dict[Any, list[int]] = {}
    for at, one in enumerate(asked):
        together.setdefault(_surroundings(one.origin), []).append(at)
    found: dict[int, dict[str, Any]] = {}
    for places in together.values():
        tasks = [asked[at] for at in places]
        found.update(zip(places, _answered(tasks[0].origin, tasks), strict=True))
    return [found[at] for at in range(len(asked))]


def _surroundings(origin: Origin | None) -> Any:
    if origin is None:
        return None
    tree = origin.code.tree if origin.code else ""
    return tree, origin.sys_path, origin.python, origin.working_directory, origin.launching_script


def _answered(origin: Origin | None, tasks: Sequence[Asked]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="nemo-run-rerun-") as folder:
        code = origin.code if origin else None
        there = str(Path(folder, "code"))
        if code is not None:
            lay(store(), code.tree, there)
        settings = _settings(origin, code, there, Path(folder, "main.py"))
        file = Path(folder, "asked.json")
        listed = [{"task": one.task, "words": list(one.words)} for one in tasks]
        file.write_text(json.dumps({**settings, "tasks": listed}), "utf-8")
        cwd = there if code is not None else (origin.working_directory if origin else folder)
        said = _run(origin, file, cwd if Path(cwd).is_dir() else folder)
        try:
            answer = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            answer = {}
    if "answers" in answer:
        return list(answer["answers"])
    why = answer.get("error") or f"the process ended without an answer. It said: {said}"
    raise ConfigError(
        "The code of the stored tasks cannot be loaded, so nobody can tell which keys they have: "
        f"{why}"
    )


def _settings(origin: Origin | None, code: Code | None, there: str, copy: Path) -> dict[str, Any]:
    def now(path: str) -> str:
        return (moved(path, code.root, there) if code is not None else None) or path

    path = [now(entry) for entry in (origin.sys_path if origin else ())]
    settings: dict[str, Any] = {"sys_path": [*([there] if code else []), *path], "main": None}
    script = origin.launching_script if origin else None
    if script is None:
        return settings
    copy.write_text(script.text, "utf-8", errors="surrogateescape")
    file = script.original_path
    return {
        **settings,
        "main": str(copy),
        "main_file": now(file) if file else None,
        "package": script.package,
        "argv": list(script.argv),
    }


def _run(origin: Origin | None, file: Path, cwd: str) -> str:
    """Run the process; return the last of what it wrote."""
    python = origin.python if origin else sys.executable
    words = [python, "-c", _PROGRAM, str(Path(__file__).absolute().parents[3]), str(file)]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        raise ConfigError(f"{python} cannot be started: {error.strerror or error}.") from error
    said = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return " | ".join(said[-_LAST_LINES:])


def ensure_kept(trees: Sequence[str], elsewhere: Sequence[str]) -> None:
    """Make sure that the code is in this home's store; copy it from another one if need be.

    Args:
        trees: The ids of the git trees.
        elsewhere: Other repositories that may have them.

    Raises:
        PackagingError: Nobody has one of them.
    """
    own = store()
    for tree in dict.fromkeys(trees):
        if own.has(tree):
            continue
        source = next((one for one in map(CodeStore, elsewhere) if one.has(tree)), None)
        if source is None:
            raise PackagingError(
                f"The code {tree[:12]} that the jobs ran with is not in {own.path} any more, so "
                "they cannot be run again as they were."
            )
        _copy(source, own, tree)


def _copy(source: CodeStore, own: CodeStore, tree: str) -> None:
    from nemo_run.packaging.git import of_store

    own.make()
    try:
        pack = b"".join(source.pack_for(tree))
        of_store(own.path).run("index-pack", "--stdin", "--fix-thin", input=pack)
        own.record(tree, f"copied from {source.path}\n")
    except NemoRunError as error:
        raise PackagingError(f"The code {tree[:12]} cannot be copied: {error}") from error
