"""From the name of a function to the function."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nemo_run.config.graph.reference import Reference
from nemo_run.exceptions import ConfigError, nearest

from .names import LazyTarget


def function_of(target: Any) -> Any:
    """Return the function of a name; imports it.

    Args:
        target: ``package.module.function``, ``module:function``, ``path/to/file.py:function``, or
            the words of a command, such as ``llm pretrain``. What is no text is returned as it is.

    Raises:
        ConfigError: There is none of that name.
    """
    if isinstance(target, LazyTarget):
        return target.target
    if isinstance(target, Reference):
        return target.resolve()
    if not isinstance(target, str):
        return target
    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    if place.endswith(".py"):
        return _of_script(Path(place), name)
    if " " in target.strip():
        return _of_command(target.split())
    module, _, attribute = (place, "", name) if name else place.rpartition(".")
    if not module:
        raise ConfigError(
            f"{target!r} names no function: write module.function, module:function or "
            "path/to/file.py:function."
        )
    return Reference(module, attribute).resolve()


def _of_script(path: Path, name: str) -> Any:
    from nemo_run.cli.entrypoints.loading import function_of as member_of
    from nemo_run.cli.entrypoints.loading import run_file

    if not path.is_file():
        raise ConfigError(f"There is no file {str(path)!r}; this is {Path.cwd()}.")
    folder = str(path.absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as when it is started: it imports what lies beside it
    module = run_file(path)
    if not name:
        raise ConfigError(f"Which function of {path}? Write {path}:function.")
    return member_of(module, name, str(path))


def _of_command(words: list[str]) -> Any:
    from nemo_run.cli.entrypoints.packages import load_installed
    from nemo_run.cli.entrypoints.registry import entrypoints, find_entrypoint

    load_installed(words[0])
    found = find_entrypoint(".".join(words))
    if found is None:
        known = [entry.path.replace(".", " ") for entry in entrypoints()]
        command = " ".join(words)
        raise ConfigError(
            f"There is no command {command!r}.{nearest(command, known)} Commands: "
            f"{', '.join(known) or 'none'}."
        )
    return found.fn
