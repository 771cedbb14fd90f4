"""Where executor profiles lie: a site's file, a user's, a project's."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError
from nemo_run.project import PROFILES as FILE
from nemo_run.project import PYPROJECT, home_of_user, is_there, project_folders
from nemo_run.saying import say

from .profiles import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nemo_run.config.files.source import Source

SITE = "/etc/nemo-run/nemo-run.toml"
SITE_VARIABLE = "NEMORUN_SITE_CONFIG"
_TABLE = ("tool", "nemo-run")


@dataclass(frozen=True)
class Place:
    """A file that may hold profiles.

    Attributes:
        layer: Whose it is: ``site``, ``user`` or ``project``.
        path: The file.
        required: Whether it has to be there, as somebody named it.
    """

    layer: str
    path: Path
    required: bool = False


def read_layers(
    folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[Layer]:
    """Read the files with profiles that there are; what comes later wins.

    Args:
        folder: Where the project is looked for; by default the current folder.
        environment: By default that of this process.

    Raises:
        OverrideError: A file cannot be read, is no TOML, or is not to be trusted.
    """
    layers = (_read(place) for place in places(folder, environment))
    return [layer for layer in layers if layer is not None]


def places(folder: Path | None = None, environment: Mapping[str, str] | None = None) -> list[Place]:
    """Return where profiles are looked for, in the order in which they are layered."""
    environment = os.environ if environment is None else environment
    found = list(_site(environment))
    user = _user_folder(environment)
    if user is not None:
        found.append(Place("user", user / "nemo-run" / FILE))
    folder = _current() if folder is None else folder.absolute()
    return [*found, *_project(folder)] if folder is not None else found


def _current() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # somebody removed it
        return None


def _site(environment: Mapping[str, str]) -> Iterator[Place]:
    named = environment.get(SITE_VARIABLE)
    if named is None:
        yield Place("site", Path(SITE))
    elif named:
        yield Place("site", Path(named).expanduser(), required=True)


def _user_folder(environment: Mapping[str, str]) -> Path | None:
    # https://specifications.freedesktop.org/basedir-spec: a relative path counts as none.
    named = environment.get("XDG_CONFIG_HOME", "")
    if named and Path(named).is_absolute():
        return Path(named)
    home = home_of_user()
    return None if home is None else home / ".config"


def _project(folder: Path) -> Iterator[Place]:
    for place in project_folders(folder):
        own, shared = place / FILE, place / PYPROJECT
        has_own = is_there(own) and not _skipped(own)
        if has_own:
            yield Place("project", own)
        if is_there(shared) and not _skipped(shared) and _has_table(shared):
            if has_own:
                raise OverrideError(
                    f"Both {own} and [tool.nemo-run] of {shared} are there; keep one of them."
                )
            yield Place("project", shared)
            return
        if has_own:
            return


# What was said to be skipped already, in this process.
_told: set[Path] = set()


def _skipped(path: Path) -> bool:
    """Tell whether a stranger may have put a file there; that it is skipped is said once."""
    try:
        foreign = is_foreign(path, path.stat())
    except OSError:  # read later, and told then
        return False
    if foreign and path not in _told:
        _told.add(path)
        say(
            f"{path} is skipped: it belongs to another user, and it lies where everybody can "
            "write; a profile says what runs in your name. Copy it to use it."
        )
    return foreign


def is_foreign(path: Path, seen: os.stat_result) -> bool:
    """Return whether a file belongs to somebody else, and lies where everybody can write."""
    if sys.platform == "win32" or seen.st_uid in (0, os.geteuid()):
        return False
    return bool((seen.st_mode | path.parent.stat().st_mode) & stat.S_IWOTH)


def _has_table(path: Path) -> bool:
    # Most projects have none, and then nobody has to pay for reading the whole file.
    text = _text(path)
    return "nemo-run" in text and _section(_parsed(text, path)) is not None


def _read(place: Place) -> Layer | None:
    try:
        text = _text(place.path)
    except FileNotFoundError:
        if not place.required:
            return None
        raise OverrideError(
            f"${SITE_VARIABLE} names {place.path}, and there is no such file. Unset it, or set it "
            "to nothing for no site file."
        ) from None
    source = _parsed(text, place.path)
    if place.path.name == PYPROJECT:
        section = _section(source) or {}
        return Layer(place.layer, str(place.path), section, source.lines, _TABLE)
    return Layer(place.layer, str(place.path), source.data, source.lines)


def _text(path: Path) -> str:
    try:
        # Not to wait for a writer, should it be a pipe.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, encoding="utf-8-sig") as file:
            _check(path, os.fstat(descriptor))
            return file.read()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError) and not is_there(path):
            # The home of somebody else, as in a container: nothing there is this user's.
            raise FileNotFoundError from error
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise OverrideError(f"{path} cannot be read: {why}.") from error


def _check(path: Path, seen: os.stat_result) -> None:
    """Refuse what a stranger may have put there, and what has no end."""
    if is_foreign(path, seen):
        raise OverrideError(
            f"{path} is not read: it belongs to another user, and it lies where everybody can "
            "write; a profile says what runs in your name. Copy it, or work in another folder."
        )
    if not stat.S_ISREG(seen.st_mode):
        raise OverrideError(f"{path} is no regular file, so it holds no profiles. Move it away.")


def _parsed(text: str, path: Path) -> Source:
    # Imported where there is a file: most commands read none.
    from nemo_run.config.files.toml_text import read

    return read(text, str(path))


def _section(source: Source) -> dict[str, Any] | None:
    here: Any = source.data
    for name in _TABLE:
        if not isinstance(here, dict) or name not in here:
            return None
        here = here[name]
    if not isinstance(here, dict):
        raise source.fault(f"tool.nemo-run is {here!r}; it must be a table.", _TABLE)
    return here
