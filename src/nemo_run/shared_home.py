"""A home that several users share: each has a folder in it that nobody else may write.

The owner of the home shares it with a group, as by ``chgrp team HOME; chmod 3770 HOME``. The group
may then make folders there, which belong to the group, and only owners may remove or rename them.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "user-"
_READABLE = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP
_EXECUTE = 0o100


def own_folder(home: str, mode: int) -> str:
    """Return this user's folder in a shared home; it is made if need be.

    Args:
        home: The shared home.
        mode: Its mode.

    Raises:
        StoreError: Others could rename it, or somebody else has taken its name.
    """
    if not mode & stat.S_ISVTX:
        raise StoreError(
            f"{home} is shared with a group whose members could rename each other's folders. Its "
            f"owner corrects that with: chmod +t {home}"
        )
    folder = Path(home, f"{PREFIX}{_user()}")
    try:
        folder.mkdir(mode=0o700)
        folder.chmod(0o2750)
    except FileExistsError:
        pass  # the usual case
    except OSError as error:
        raise StoreError(
            f"Your folder {folder} in the shared home could not be made: {error.strerror}. Are you "
            "in the group of that home?"
        ) from error
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StoreError(
            f"{folder} should be your folder in the shared home, and is a link or belongs to "
            "somebody else. Ask the owner of that home to remove it."
        )
    return str(folder)


def others(own: str) -> Iterator[str]:
    """Yield the other folders of the shared home in which a folder is one user's; else nothing."""
    home, name = str(Path(own).parent), Path(own).name
    if not name.startswith(PREFIX):
        return
    try:
        with os.scandir(home) as entries:
            found = [e for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return
    # Experiments from before it was shared lie in the home itself.
    yield from [home] if any(e.name == "experiments" for e in found) else []
    yield from sorted(e.path for e in found if e.name.startswith(PREFIX) and e.name != name)


def is_readable_by_group(folder: str | os.PathLike[str]) -> bool:
    """Whether what is made in a folder of the home is for its group to read.

    A folder of the home says so itself (``chmod g+rxs``); that the home lies in a folder of a group
    opens nothing.
    """
    from nemo_run.config.home import HOME, default_home

    place = Path(folder)
    home = os.path.abspath(os.path.expanduser(os.environ.get(HOME) or default_home()))  # noqa: PTH100, PTH111
    if place.name == "secrets" or not f"{place}/".startswith(f"{home}/"):
        return False
    try:
        return place.stat().st_mode & _READABLE == _READABLE
    except OSError:
        return False


def mode_in(folder: str | os.PathLike[str], mode: int) -> int:
    """Return the mode that a new file in a folder gets, where it alone counts who may read it.

    Args:
        folder: Where it is made.
        mode: What its owner may do.
    """
    if not is_readable_by_group(folder):
        return mode
    return mode | (0o050 if mode & _EXECUTE else 0o040)


def open_up(folder: str | os.PathLike[str]) -> None:
    """Let the group read what lies in a folder, where that folder's parent says so.

    Secrets stay closed, and what belongs to somebody else is left as it is.
    """
    if not is_readable_by_group(Path(folder).parent):
        return
    for inside, below, names in os.walk(folder):
        below[:] = [name for name in below if name != "secrets"]
        _add(Path(inside), _READABLE)
        for name in names:
            _add(Path(inside, name), stat.S_IRGRP)


def _add(path: Path, bits: int) -> None:
    try:
        found = path.lstat()
        if found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode):
            more = stat.S_IXGRP if found.st_mode & _EXECUTE else 0
            path.chmod(stat.S_IMODE(found.st_mode) | bits | more)
    except OSError:
        return  # gone again


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
