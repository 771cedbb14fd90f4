"""Where this library keeps its files, and names with a meaning inside a job."""

from __future__ import annotations

import os

RUNDIR_NAME = "nemo_run"
RUNDIR_SPECIAL_NAME = "/$nemo_run"
SCRIPTS_DIR = "scripts"
USE_WITH_RAY_CLUSTER_KEY = "use_with_ray_cluster"

_DEFAULT = "~/.nemo_run"


def get_nemorun_home() -> str:
    """Return the home folder: ``$NEMORUN_HOME`` as it is now, else ``~/.nemo_run``."""
    return os.path.expanduser(os.environ.get("NEMORUN_HOME") or _DEFAULT)  # noqa: PTH111


def set_nemorun_home(path: str | os.PathLike[str]) -> None:
    """Use another home folder from now on, here and in the programs that this one starts."""
    os.environ["NEMORUN_HOME"] = os.path.expanduser(os.fspath(path))  # noqa: PTH111
