"""Who launched an experiment, where, and with what: what ``experiment.json`` remembers of it."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

from nemo_run.masking import mask_all, mask_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VARIABLES = frozenset(
    {
        *("PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "LANG"),
        *("CUDA_HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "TMPDIR"),
        *("LC_ALL", "TZ", "SHELL", "HOSTNAME", "KUBECONFIG", "DOCKER_HOST"),
    }
)
_PREFIXES = ("NEMO", "SLURM_", "HF_", "TORCH_", "NCCL_", "WANDB_", "MLFLOW_")
_GIT_SECONDS = 2.0


def describe() -> dict[str, Any]:
    """Return who and where we are, for people who look at the experiment later.

    Secret values are covered. Nothing here can fail: what cannot be told is left out.

    Returns:
        ``user``, ``host``, ``platform``, ``python``, ``argv``, ``cwd``, ``git``, ``packages``,
        ``environment`` and ``nemo_run``, all of them JSON data.
    """
    from nemo_run import __version__

    cwd = _cwd()
    return {
        "nemo_run": __version__,
        "user": _user(),
        "host": platform.node(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "argv": mask_arguments(_command()),
        "cwd": cwd,
        "git": git_state(cwd),
        "packages": packages(sys.path),
        "environment": chosen(os.environ),
    }


def _command() -> list[str]:
    """Return the command as it can be typed again.

    ``sys.argv`` has no interpreter, and is another one in scripts that ``nemo-run run`` loads.
    """
    if not sys.orig_argv or sys.argv[:1] == ["-c"]:  # the code may be long, and hold anything
        return sys.argv
    interpreter, *words = sys.orig_argv
    if words and Path(words[0]).parent == Path(interpreter).parent != Path():
        program = Path(words[0]).name  # one of those that are installed beside the interpreter
        return [program if which(program) else words[0], *words[1:]]
    return [interpreter, *words]


def chosen(environment: Mapping[str, str]) -> dict[str, str]:
    """Return those variables that tell how programs were set up, secret values covered."""
    names = [n for n in environment if n in _VARIABLES or n.startswith(_PREFIXES)]
    return mask_all({name: environment[name] for name in sorted(names)})


def packages(folders: Iterable[str]) -> dict[str, str]:
    """Return the version of each installed package.

    The names of the ``*.dist-info`` folders say both, so that no file is opened
    (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).

    Args:
        folders: Where to look, first come first served; ``sys.path``.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for entry in _names(folder):
            stem, dot, kind = entry.rpartition(".")
            name, dash, version = stem.partition("-")
            if dot and dash and kind in {"dist-info", "egg-info"}:
                # An egg's version is followed by that of Python: old-0.1-py3.11.egg-info.
                found.setdefault(name.replace("_", "-").lower(), version.partition("-")[0])
    return dict(sorted(found.items()))


def git_state(folder: str, seconds: float = _GIT_SECONDS) -> dict[str, Any] | None:
    """Return ``commit``, ``branch`` and ``dirty`` of the repository around a folder.

    Args:
        folder: Any folder in it.
        seconds: How long git may take.

    Returns:
        None outside of a repository, without git, and when git takes too long. ``dirty`` counts
        changes of tracked files only: looking for others takes long in large trees.
    """
    import subprocess

    if not folder:
        return None
    command = ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            # Without it `status` writes the user's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if done.returncode != 0:
        return None
    return _read_status(done.stdout.decode("utf-8", "replace").splitlines())


def _read_status(lines: list[str]) -> dict[str, Any]:
    # https://git-scm.com/docs/git-status#_branch_headers
    headers = dict(
        line.removeprefix("# ").split(" ", 1) for line in lines if line.startswith("# branch.")
    )
    commit = headers.get("branch.oid", "")
    branch = headers.get("branch.head", "")
    return {
        "commit": None if commit == "(initial)" else commit,
        "branch": None if branch == "(detached)" else branch,
        "dirty": any(not line.startswith("#") for line in lines),
    }


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        # The folder was removed under our feet.
        return ""


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        # A container whose user has no name.
        return str(os.getuid()) if hasattr(os, "getuid") else ""
