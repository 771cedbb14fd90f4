"""What the engines need on this machine, and what happens where it is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

from .processes import PATH

# Debian package → a file that it brings; the name of a program is looked for in the PATH.
SLURM = {
    "munge": "munged",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "slurm-client": "sbatch",
    "slurm-wlm-basic-plugins": "/usr/lib/*/slurm-wlm/auth_munge.so",
    # Not python3-minimal, whose standard library is not all of it.
    "python3": "/usr/lib/python3.*/concurrent/futures/__init__.py",
    "util-linux": "unshare",
}
ACCOUNTING = {
    "slurmdbd": "slurmdbd",
    "slurm-wlm-mysql-plugin": "/usr/lib/*/slurm-wlm/accounting_storage_mysql.so",
    "mariadb-server": "mariadb-install-db",
}
CONTAINERS = {
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdlib.h",
    "libslurm-dev": "/usr/include/slurm/spank.h",
    "busybox": "busybox",
}
SSH = {"openssh-server": "/usr/sbin/sshd", "openssh-client": "ssh", "rsync": "rsync"}
ALL = {**SLURM, **ACCOUNTING, **CONTAINERS, **SSH}


def missing(packages: dict[str, str]) -> list[str]:
    """Return those Debian packages of which nothing is found."""
    return [name for name, sign in packages.items() if not _found(sign)]


def need(packages: dict[str, str], *, root: bool = True) -> None:
    """Skip the test where these packages are missing, or fail where they have to be there.

    Args:
        packages: The packages, as :data:`ALL`.
        root: Whether the engine can only be started by root.
    """
    reason = ""
    if root and os.geteuid() != 0:
        reason = "root is needed: its daemons start jobs as other users"
    elif lacking := missing(packages):
        reason = f"these Debian packages are missing: {' '.join(lacking)}"
    elif root and (said := _refused()):
        reason = f"root may not make namespaces here: {said}"
    if not reason:
        return
    import pytest

    if os.environ.get("CI") == "true" or os.environ.get("ENGINES") == "install":
        pytest.fail(f"A test needs a real engine, and {reason}.", pytrace=False)
    pytest.skip(f"a real engine is needed, and {reason} (ENGINES=install make test installs them)")


@lru_cache
def _refused() -> str:
    """Say why nodes and hosts cannot be made; nothing where they can."""
    command = ["unshare", "--mount", "--uts", "--pid", "--fork", "mount", "--make-rprivate", "/"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else ""


def _found(sign: str) -> bool:
    if not sign.startswith("/"):
        return shutil.which(sign, path=PATH) is not None
    return any(Path("/").glob(sign[1:]))
