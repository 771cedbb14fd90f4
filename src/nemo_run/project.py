"""Where the project begins in which somebody works, with its profiles and its workspace file."""

from __future__ import annotations

import os
from itertools import takewhile
from pathlib import Path

PYPROJECT = "pyproject.toml"
PROFILES = "nemo-run.toml"

# The first of these that there is anywhere tells where the project begins: a repository holds
# packages, each with a pyproject.toml of its own.
_BEGINS = (".git", PYPROJECT)


def project_folders(here: Path) -> list[Path]:
    """Return the folders of the project around ``here``, the nearest first.

    Nothing above the project is among them, for /tmp and the like belong to everybody. Neither
    the home of this user nor what is around it is a project, whatever lies there. Outside of a
    project it is the current folder alone.
    """
    end = _no_projects(here)
    around = list(takewhile(lambda place: place not in end, (here, *here.parents)))
    for marker in _BEGINS:
        for index, place in enumerate(around):
            if is_there(place / marker):
                return around[: index + 1]
    return [here]


def is_marked(folder: Path) -> bool:
    """Tell whether a project, or a part of it such as a package, begins in a folder."""
    marked = any(is_there(folder / marker) for marker in (*_BEGINS, PROFILES))
    return marked and folder not in _no_projects(folder)


def is_there(path: Path) -> bool:
    """Tell whether a file exists; a folder that one may not look into is no error."""
    return os.path.exists(path)  # noqa: PTH110


def home_of_user() -> Path | None:
    """Return the home of this user; None where there is neither $HOME nor an entry of the user."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def _no_projects(here: Path) -> set[Path]:
    home = home_of_user()
    homes = () if home is None else (home, home.resolve())
    return {Path(here.anchor), *homes, *(above for each in homes for above in each.parents)}
