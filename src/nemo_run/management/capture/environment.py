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
    import subprocess
    from collections.abc import Mapping

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
        ``devices``, ``environment`` and ``nemo_run``, all of them JSON data.
    """
    from nemo_run import __version__

    from . import packages
    from .devices import devices

    cwd = _cwd()
    git = _begun_status(cwd)  # it looks while we do
    return {
        "nemo_run": __version__,
        "user": _user(),
        "host": platform.node(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": {"version": platform.python_version(), "executable": sys.executable},
        "argv": mask_arguments(_command()),
        "cwd": cwd,
        "packages": packages.kept(packages.installed(sys.path)),
        "devices": devices(),
        "environment": chosen(os.environ),
        "git": _ended_status(git, _GIT_SECONDS),
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


def git_state(folder: str, seconds: float = _GIT_SECONDS) -> dict[str, Any] | None:
    """Return ``commit``, ``branch`` and ``dirty`` of the repository around a folder.

    Args:
        folder: Any folder in it.
        seconds: How long git may take.

    Returns:
        None outside of a repository, without git, and when git takes too long. ``dirty`` counts
        changes of tracked files only: looking for others takes long in large trees.
    """
    return _ended_status(_begun_status(folder), seconds)


def _begun_status(folder: str) -> subprocess.Popen[bytes] | None:
    import subprocess

    if not folder:
        return None
    try:
        return subprocess.Popen(
            ["git", "status", "--porcelain=v2", "--branch", "--untracked-files=no"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Without it `status` writes the user's index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
    except (OSError, ValueError):
        return None


def _ended_status(git: subprocess.Popen[bytes] | None, seconds: float) -> dict[str, Any] | None:
    import subprocess

    if git is None:
        return None
    with git:
        try:
            said, _ = git.communicate(timeout=seconds)
        except BaseException as error:
            git.kill()
            if not isinstance(error, (OSError, subprocess.SubprocessError)):
                raise
            return None
    if git.returncode != 0:
        return None
    return _read_status(said.decode("utf-8", "replace").splitlines())


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
