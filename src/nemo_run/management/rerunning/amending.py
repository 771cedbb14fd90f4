"""Overrides applied to stored tasks, with the code of then: what runs inside a process of its own.

Which keys a task has, and what a value may be, only its own code knows. So that code is imported
here, from the folder that its snapshot was laid into, and never in the process of the person.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.config.overrides.grammar import Override


def amended(text: str, words: Sequence[str]) -> dict[str, Any]:
    """Return a stored task with overrides applied.

    Args:
        text: ``task.json``.
        words: ``key OP value``, in the order given.

    Returns:
        ``task``, the new text; ``applied``, which words concern a key that it has; ``unknown``,
        for each other word why. ``refused`` instead of ``task`` where a value cannot be used.
    """
    from nemo_run.config.checks.check import check_task
    from nemo_run.config.files import codec
    from nemo_run.config.graph.reference import resolved
    from nemo_run.config.overrides.apply import apply
    from nemo_run.config.overrides.grammar import parse_override
    from nemo_run.config.overrides.unset import filled
    from nemo_run.exceptions import ConfigError

    task = resolved(codec.loads(text))
    overrides = [parse_override(word) for word in words]
    unknown: dict[int, str] = {}
    known: list[int] = []
    for at, override in enumerate(overrides):
        why = _unknown(task, override)
        # A key inside of what an earlier word sets is there when that one is applied.
        if why and not any(_is_inside(override, overrides[other]) for other in known):
            unknown[at] = why
        else:
            known.append(at)
    told = {"applied": known, "unknown": {str(at): why for at, why in unknown.items()}}
    if not known:
        return {**told, "task": text}
    try:
        new = _applied(task, [overrides[at] for at in known], apply, filled)
        check_task(new)
        return {**told, "task": codec.dumps(new)}
    except ConfigError as error:
        return {**told, "refused": str(error)}


def _applied(task: Any, overrides: list[Override], apply: Any, filled: Any) -> Any:
    from nemo_run.config import build
    from nemo_run.config.graph.node import is_node

    if is_node(task):
        return filled(apply(task, overrides))
    return build(apply(_as_node(task), overrides))


def _as_node(task: Any) -> Any:
    """Return a script as the configuration that makes it: overrides are of arguments."""
    import dataclasses

    from nemo_run.config import Config

    return Config(type(task), **{f.name: getattr(task, f.name) for f in dataclasses.fields(task)})


def _unknown(task: Any, override: Override) -> str:
    """Return why a task has no such key; empty where it has."""
    from nemo_run.config.graph.node import is_node
    from nemo_run.config.overrides.apply import hint_at
    from nemo_run.exceptions import ConfigError

    try:
        hint_at(task if is_node(task) else _as_node(task), override.steps)
    except ConfigError as error:
        return str(error)
    return ""


def _is_inside(override: Override, around: Override) -> bool:
    steps = around.steps
    return len(steps) < len(override.steps) and override.steps[: len(steps)] == steps


def main(file: str) -> int:
    """Read what is asked in a file, and write the answer over it.

    ``sys_path`` and the launching script are set up as in the job; see
    :class:`nemo_run.worker.worker.LaunchingScript`.
    """
    asked = json.loads(Path(file).read_text("utf-8"))
    sys.path[:0] = asked["sys_path"]
    try:
        _load(asked)
        answers = [amended(one["task"], one["words"]) for one in asked["tasks"]]
        answer: dict[str, Any] = {"answers": answers}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's code raises
        answer = {"error": f"{type(error).__name__}: {error}"}
    Path(file).write_text(json.dumps(answer), "utf-8")
    return 0


def _load(asked: dict[str, Any]) -> None:
    """Make the launching script's copy the module ``__main__``, as the worker does."""
    if not asked["main"]:
        return
    from nemo_run.worker.worker import SCRIPT_VARIABLE, LaunchingScript

    sys.argv[:] = asked["argv"] or [asked["main_file"] or asked["main"]]
    LaunchingScript(asked["main"], asked["main_file"], asked["package"]).load()
    os.environ.pop(SCRIPT_VARIABLE, None)
