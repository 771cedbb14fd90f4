"""Where this library keeps its files, and names with a meaning inside a job."""

from __future__ import annotations

import os
import stat

RUNDIR_NAME = "nemo_run"
RUNDIR_SPECIAL_NAME = "/$nemo_run"
SCRIPTS_DIR = "scripts"
USE_WITH_RAY_CLUSTER_KEY = "use_with_ray_cluster"

HOME = "NEMORUN_HOME"
_DEFAULT = "~/.nemo_run"
# Made for a group: its members may make folders, which belong to the group (chmod 3770).
_SHARED = stat.S_ISGID | stat.S_IWGRP | stat.S_IXGRP


def get_nemorun_home() -> str:
    """Return the home folder: ``$NEMORUN_HOME`` as it is now, else ``~/.nemo_run``.

    In a folder that its owner shares with a group, it is this user's own folder there.

    Raises:
        StoreError: It is shared in a way that would let others change what is ours.
    """
    home = os.path.expanduser(os.environ.get(HOME) or _DEFAULT)  # noqa: PTH111
    try:
        mode = os.stat(home).st_mode  # noqa: PTH116 - asked for often
    except OSError:
        return home
    if mode & _SHARED != _SHARED:
        return home
    from nemo_run.shared_home import own_folder

    return own_folder(home, mode)


def default_home() -> str:
    """Return the home folder of those who name none."""
    return _DEFAULT


def set_nemorun_home(path: str | os.PathLike[str]) -> None:
    """Use another home folder from now on, here and in the programs that this one starts."""
    os.environ["NEMORUN_HOME"] = os.path.expanduser(os.fspath(path))  # noqa: PTH111
