"""Where an experiment came from: who started it, how, and with which code around it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any

_GIT_SECONDS = 5.0


def provenance() -> dict[str, Any]:
    """Return what ``experiment.json`` says about the launching process."""
    import nemo_run

    cwd = Path.cwd()
    return {
        "version": nemo_run.__version__,
        "user": _user(),
        "host": platform.node(),
        "cwd": str(cwd),
        "argv": sys.argv,
        "python": {"executable": sys.executable, "version": platform.python_version()},
        "packages": installed_packages(),
        "git": git_state(cwd),
    }


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # A container may run as a number that nobody has.
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def installed_packages() -> list[str]:
    """Return ``name==version`` of what is installed, by the names of its metadata folders.

    Reading each one's metadata gives the same names and takes fifty times as long.
    """
    found: dict[str, str] = {}
    for entry in sys.path:
        for name in _listed(entry):
            if name.endswith(".dist-info") and "-" in name:
                package, _, version = name.removesuffix(".dist-info").rpartition("-")
                found.setdefault(package.lower().replace("_", "-"), version)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")  # noqa: PTH208 - names are enough, and quick
    except OSError:
        return []


def git_state(folder: Path) -> dict[str, Any] | None:
    """Return commit, branch and changed files of the repository around ``folder``, if any."""
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return None
    import subprocess

    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=normal"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=_GIT_SECONDS,
            check=True,
            # Only a look: it must not wait for, or hold, the lock of the user's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"unknown": f"git status failed: {error}"}
    return _parsed(done.stdout.splitlines())


def _parsed(lines: list[str]) -> dict[str, Any]:
    head = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    return {
        "commit": head.get("branch.oid", ""),
        "branch": head.get("branch.head", ""),
        "changed": sum(line[:1] in {"1", "2", "u"} for line in lines),
        "untracked": sum(line[:1] == "?" for line in lines),
    }
