"""What the tasks of an experiment import, and which of it does not travel with them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.execution.planning import TaskRequest
    from nemo_run.packaging.snapshot import Snapshot

_PLACE = re.compile(r"([A-Za-z_][\w.]*):[\w.]+", re.ASCII)


class Imported:
    """Looks at the imports of tasks; those of equal tasks, as in a sweep, once.

    Args:
        sys_path: What the launching process imports from.
    """

    def __init__(self, sys_path: Sequence[str]) -> None:
        self._sys_path = tuple(sys_path)
        self._seen: set[object] = set()

    def missing(self, snapshot: Snapshot, tasks: Sequence[TaskRequest]) -> list[str]:
        """Return a new sentence for each import of the tasks that the code does not hold.

        Args:
            snapshot: The code that travels with them.
            tasks: The tasks, planned.
        """
        from nemo_run.packaging.imports import missing_imports

        modules: dict[str, None] = {}
        scripts: dict[str, str | None] = {}
        for task in tasks:
            _note(task, snapshot.root, modules, scripts)
        key = (snapshot.tree, tuple(modules), tuple(scripts.items()))
        if key in self._seen:
            return []
        self._seen.add(key)
        # A program imports from its own folder first.
        own = [str(Path(file).parent) for file in scripts]
        return missing_imports(snapshot, modules, scripts, [*own, *self._sys_path])


def _note(
    task: TaskRequest, root: str, modules: dict[str, None], scripts: dict[str, str | None]
) -> None:
    if isinstance(task.task, Script):
        _note_script(task.task, root, modules, scripts)
        return
    modules.update(dict.fromkeys(_modules(json.loads(task.task_json)["value"])))
    script = task.launching_script
    if script is not None and script.original_path:
        scripts[script.original_path] = script.text


def _note_script(
    script: Script, root: str, modules: dict[str, None], scripts: dict[str, str | None]
) -> None:
    if script.m:
        modules[script.path] = None
    elif script.path.endswith(".py"):
        scripts[str(Path(root, script.path))] = None


def _modules(value: Any) -> Iterator[str]:
    """Yield the modules of the functions and classes in a task's document."""
    if isinstance(value, str):
        found = _PLACE.fullmatch(value)
        # Any text may look like that; what the task needs was imported to describe it.
        if found and found[1] != "__main__" and found[1] in sys.modules:
            yield found[1]
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _modules(part)
