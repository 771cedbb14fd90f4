"""Workspace files: a project's own factories and entrypoints, known to every command there.

``workspace.py`` (or ``workspace_private.py``, which goes first and is kept out of version control)
is run where it is certain whose it is: where ``$NEMORUN_WORKSPACE`` names it, where
``$INCLUDE_WORKSPACE_FILE`` is true, or where the project around the current folder begins, or a
package of it, if that belongs to this user. That it is used is said once on standard error.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import OverrideError
from nemo_run.project import is_marked, project_folders

from .shared.settings import COMPLETE, note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NAMED = "NEMORUN_WORKSPACE"
INCLUDED = "INCLUDE_WORKSPACE_FILE"
FILES = ("workspace_private.py", "workspace.py")

_NO = frozenset({"0", "false", "no", "off", "none"})
_YES = frozenset({"1", "true", "yes", "on"})

# The folders that were looked at in this process, each with what was found there.
_known: dict[tuple[str, str, str], Path | None] = {}


def load_workspace(script: str | None = None) -> Path | None:
    """Run the workspace file of the current folder, once for each process.

    Args:
        script: The script that is started. A project's workspace is for its own scripts only.

    Returns:
        The file, or None where there is none.

    Raises:
        OverrideError: It was named and is not there, or it cannot be run; the traceback is
            printed.
    """
    try:
        here = Path.cwd()
    except OSError:  # somebody removed it
        return None
    asked = (str(here), os.environ.get(NAMED, ""), os.environ.get(INCLUDED, ""))
    if asked not in _known:
        _known[asked] = None
        found = _find(here, script)
        if found is not None and not _is_running(found):
            _run(found)
            _known[asked] = found
    return _known[asked]


def _find(here: Path, script: str | None) -> Path | None:
    named, included = os.environ.get(NAMED, ""), os.environ.get(INCLUDED, "").lower()
    if named:
        return None if named.lower() in _NO else _named(Path(named).expanduser())
    if included in _NO:
        return None
    if included in _YES:
        return next(_included(here), None)
    if COMPLETE in os.environ:
        return None  # nobody could hear that it is used
    found = next(_in_project(here), None)
    if found is None or (script is not None and not _is_inside(Path(script), found.parent)):
        return None
    return found if _is_ours(found) else None


def _named(path: Path) -> Path:
    found = next(_in_folders([path]), None) if path.is_dir() else path
    if found is None or not found.is_file():
        what = "workspace.py in it" if path.is_dir() else "such file"
        raise OverrideError(
            f"${NAMED} names {path}, and there is no {what}. Unset it, or set it to off for none."
        )
    return found.absolute()


def _included(here: Path) -> Iterator[Path]:
    from nemo_run.config.home import get_nemorun_home

    yield from _in_folders([here])
    yield from _in_project(here)
    yield from _in_folders([Path(get_nemorun_home())])


def _in_folders(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for name in FILES:
            if os.path.isfile(folder / name):  # noqa: PTH113 - no error where one may not look
                yield folder / name


def _in_project(here: Path) -> Iterator[Path]:
    """Yield the workspace files of the project around ``here``, of a package before the whole."""
    return _in_folders([folder for folder in project_folders(here) if is_marked(folder)])


def _is_inside(script: Path, root: Path) -> bool:
    return root.resolve() in script.resolve().parents


def _is_ours(file: Path) -> bool:
    """Tell whether nobody else can have put the file there; say so where somebody can."""
    if sys.platform == "win32":
        return True
    real = file.resolve()
    # A link is as good as the folder that it is in, and as the file that it leads to.
    for path in dict.fromkeys((real, file.parent, real.parent)):
        seen = path.stat()
        if seen.st_uid != os.geteuid():
            why = f"{path} belongs to another user"
        elif seen.st_mode & 0o002:
            why = f"everybody may write to {path}"
        else:
            continue
        note(f"{file} is not used: {why}. To use it all the same: {NAMED}={file}")
        return False
    return True


def _is_running(file: Path) -> bool:
    """Tell whether the file is the very program that runs."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    return main is not None and os.path.abspath(main) == str(file)  # noqa: PTH100


def _run(file: Path) -> None:
    from .entrypoints.loading import run_file

    note(f"Using {file} ({NAMED}=off leaves it out)")
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.append(folder)
    if file.suffix != ".py":
        raise OverrideError(f"{file} is no Python file. Its name must end in .py.")
    try:
        run_file(file)
    except (Exception, SystemExit) as error:
        _print_traceback(error)
        raise OverrideError(
            f"{file} cannot be run: {type(error).__name__}: {error}. Mend it, or leave it out with "
            f"{NAMED}=off."
        ) from error


def _print_traceback(error: BaseException) -> None:
    import traceback

    frames = error.__traceback__
    # From the file's own lines on.
    while frames is not None and frames.tb_frame.f_code.co_name != "<module>":
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)
