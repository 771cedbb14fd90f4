"""From a :class:`~nemo_run.Script` to an argument list and the files it needs."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.config.script import Script

_PYTHONS = frozenset({"python", "python3"})


@dataclass(frozen=True)
class Program:
    """What a script runs as.

    Attributes:
        command: The argument list.
        files: Texts that it reads, by their path in the member's folder.
    """

    command: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a script will run.

    Attributes:
        name: The member's name.
        directory: The member's folder.
        working_directory: Where its processes start.
        python: What ``python`` means.
        path: ``PATH`` of the job.
        python_path: ``PYTHONPATH`` of the job.
    """

    name: str
    directory: str
    working_directory: str
    python: str
    path: str
    python_path: tuple[str, ...] = ()


def program(script: Script, place: Place) -> Program:
    """Return what a script runs as.

    Args:
        script: The script.
        place: Where it runs.

    Raises:
        PlanError: The file or the program that it names is not there.
    """
    start = _entrypoint(script.entrypoint, place)
    arguments = tuple(str(a) for a in script.args or ())
    if script.inline:
        relative = f"scripts/{place.name}{_suffix(start, place)}"
        file = str(Path(place.directory, relative))
        return Program((*start, file, *arguments), {relative: script.file_text()})
    if script.m:
        _check_module(script.path, start[0], place)
        return Program((*start, "-m", script.path, *arguments))
    _check_file(script.path, place.working_directory)
    return Program((*start, script.path, *arguments))


def _entrypoint(text: str, place: Place) -> tuple[str, ...]:
    words = shlex.split(text)
    if not words:
        raise PlanError("A Script needs an entrypoint such as 'bash' or 'python'.")
    if words[0] in _PYTHONS:
        return (place.python, *words[1:])
    if words[0] == "torchrun":
        return (place.python, "-m", "torch.distributed.run", *words[1:])
    check_program(words[0], place.path, place.working_directory)
    return tuple(words)


def _suffix(start: tuple[str, ...], place: Place) -> str:
    return ".py" if start[0] == place.python else ".sh"


def check_program(name: str, path: str, working_directory: str) -> None:
    """Refuse a program that is not there.

    Args:
        name: A program's name, or its path.
        path: The folders to look in, as ``PATH`` has them.
        working_directory: What a relative path starts from.

    Raises:
        PlanError: There is none, or it cannot be run.
    """
    if "/" not in name:
        if shutil.which(name, path=path) is None:
            raise PlanError(f"The program {name!r} is in no folder of PATH ({path}).")
        return
    if not os.access(Path(working_directory, name), os.X_OK):
        raise PlanError(f"{Path(working_directory, name)} is no program that can be run.")


def _check_module(name: str, python: str, place: Place) -> None:
    """Refuse a module that is not there; looks at files, imports nothing."""
    if python != sys.executable:
        return
    from importlib.machinery import PathFinder

    path: list[str] | None = [place.working_directory, *place.python_path, *sys.path]
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), path) if path else None
        if spec is None:
            missing = ".".join(parts[:count])
            raise PlanError(
                f"There is no module {missing!r} for 'python -m {name}': neither in "
                f"{place.working_directory} nor installed for {python}."
            )
        locations = spec.submodule_search_locations
        path = list(locations) if locations is not None else None


def _check_file(name: str, working_directory: str) -> None:
    file = Path(working_directory, name)
    if file.is_file():
        return
    if file.is_dir():
        raise PlanError(f"{file} is a folder; a Script's path must be a file.")
    neighbours = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
    raise PlanError(
        f"There is no script {name!r} in {working_directory}.{nearest(file.name, neighbours)}"
    )
