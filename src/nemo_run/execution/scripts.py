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

from .code import Code, relative
from .target import Target

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
        code: The code that travels with it, if any does.
        target: The place of the job.
    """

    name: str
    directory: str
    working_directory: str
    python: str
    path: str
    python_path: tuple[str, ...] = ()
    code: Code | None = None
    target: Target = field(default_factory=lambda: Target("", ""))

    @property
    def is_elsewhere(self) -> bool:
        """Whether the programs and files of this machine say nothing about those of the job."""
        return not self.target.here or self.target.container


def is_script(task: object) -> bool:
    """Return whether a task is a script, and no configuration."""
    from nemo_run.config.script import Script

    return isinstance(task, Script)


def program(script: Script, place: Place) -> Program:
    """Return what a script runs as.

    Args:
        script: The script.
        place: Where it runs.

    Raises:
        PlanError: The file or the program that it names is not there.
    """
    start = _entrypoint(script.entrypoint, place)
    localized = place.target.localized
    arguments = tuple(localized(str(a)) for a in script.args or ())
    if script.inline:
        name = f"scripts/{place.name}{_suffix(start, place)}"
        file = str(Path(place.directory, name))
        return Program((*start, file, *arguments), {name: localized(script.file_text())})
    if script.m:
        _check_module(script.path, start[0], place)
        return Program((*start, "-m", script.path, *arguments))
    path = localized(script.path)
    _check_file(path, place)
    return Program((*start, path, *arguments))


def _entrypoint(text: str, place: Place) -> tuple[str, ...]:
    words = shlex.split(text)
    if not words:
        raise PlanError("A Script needs an entrypoint such as 'bash' or 'python'.")
    if words[0] in _PYTHONS:
        return (place.python, *words[1:])
    if words[0] == "torchrun":
        return (place.python, "-m", "torch.distributed.run", *words[1:])
    words = [place.target.localized(word) for word in words]
    check_program(words[0], place)
    return tuple(words)


def _suffix(start: tuple[str, ...], place: Place) -> str:
    return ".py" if start[0] == place.python else ".sh"


def check_program(name: str, place: Place) -> None:
    """Refuse a program that is not there; of another machine nobody here can tell.

    Args:
        name: A program's name, or its path.
        place: Where it is to run.

    Raises:
        PlanError: There is none, or it cannot be run.
    """
    if place.is_elsewhere:
        return
    if "/" not in name:
        if shutil.which(name, path=place.path) is None:
            raise PlanError(f"The program {name!r} is in no folder of PATH ({place.path}).")
        return
    if _in_code(name, place) is not None:
        _check_file(name, place)
    elif not os.access(Path(place.working_directory, name), os.X_OK):
        raise PlanError(f"{Path(place.working_directory, name)} is no program that can be run.")


def _in_code(name: str, place: Place) -> str | None:
    """Return a path as seen from the code's root; None where it leads out of the code."""
    if place.code is None:
        return None
    path = os.path.normpath(Path(place.working_directory, name))
    return relative(path, place.target.code)


def _check_module(name: str, python: str, place: Place) -> None:
    """Refuse a module that is not there; looks at files, imports nothing."""
    if python != sys.executable or place.is_elsewhere or place.code is not None:
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


def _check_file(name: str, place: Place) -> None:
    inside = _in_code(name, place)
    if place.code is not None and inside is not None:
        _check_travels(name, inside, place.code)
        return
    if place.is_elsewhere:
        return
    file = Path(place.working_directory, name)
    if file.is_file():
        return
    if file.is_dir():
        raise PlanError(f"{file} is a folder; a Script's path must be a file.")
    raise PlanError(f"There is no script {name!r} in {place.working_directory}.{_similar(file)}")


def _check_travels(name: str, inside: str, code: Code) -> None:
    """Refuse a script that the code of the job does not hold."""
    if code.holds is None or code.holds(inside):
        return
    file = Path(code.root, inside)
    if not file.exists():
        raise PlanError(
            f"There is no script {name!r} in {code.root}, whose files travel with the job and in "
            f"which it starts.{_similar(file)}"
        )
    raise PlanError(
        f"The script {name!r} does not travel with the job: {file} exists, but the packager leaves "
        f"it out. Is it ignored by git, or outside of the packager's subpath?"
    )


def _similar(file: Path) -> str:
    neighbours = [p.name for p in file.parent.iterdir()] if file.parent.is_dir() else []
    return nearest(file.name, neighbours)
