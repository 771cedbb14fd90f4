"""Looks at a cluster from its login node: runs there, Python 3.6, without any packages.

``main`` gives facts only; what they mean is decided where they arrive.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_SECONDS = 30

# Python 3.6 has no dict[str, Any] yet.
Facts = Any
Answer = Any


def said(*words: str, text: str = "") -> Answer:
    """Return how a program ended and what it said; rc 127 where there is none."""
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        return {"rc": 127, "out": "", "err": str(error)}
    try:
        out, err = process.communicate(text.encode(), timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return {"rc": 124, "out": "", "err": f"no answer within {_SECONDS} seconds"}
    return {
        "rc": process.returncode,
        "out": out.decode("utf-8", "replace"),
        "err": err.decode("utf-8", "replace"),
    }


def folder_facts(path: str) -> Facts:
    """Return whether experiments can be written to a folder, and on what kind of disk."""
    facts: Facts = {"path": path}
    try:
        Path(path).mkdir(0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".nemo-run-doctor-"):
            facts["writable"] = True
        disk = os.statvfs(path)
        facts["free"] = disk.f_bavail * disk.f_frsize
    except OSError as error:
        facts["error"] = str(error)
        return facts
    kind = said("stat", "-f", "-c", "%T", path)
    facts["kind"] = kind["out"].strip() if kind["rc"] == 0 else ""
    return facts


def test_submission(script: str) -> Answer:
    """Ask Slurm whether it would take a job, without giving it one (sbatch(1), --test-only)."""
    descriptor, path = tempfile.mkstemp(prefix="nemo-run-doctor-", suffix=".sh")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(script)
        return said("sbatch", "--test-only", path)
    finally:
        Path(path).unlink()


def main(request: Facts, _stdin: object, _emit: object) -> Facts:
    """Return the facts.

    The request has ``folder``, where experiments go, and ``script``, a job like the user's.
    """
    user = pwd.getpwuid(os.getuid()).pw_name
    return {
        "host": os.uname().nodename,
        "user": user,
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "programs": {name: shutil.which(name) for name in ("sbatch", "srun", "git", "tar", "bash")},
        "version": said("sbatch", "--version"),
        "ping": said("scontrol", "ping"),
        "config": said("scontrol", "show", "config"),
        "partitions": said("sinfo", "-h", "-o", "%P|%a|%l|%D|%G|%T"),
        "accounting": said("sacct", "-n", "-X", "-P", "-S", "now-1days", "-o", "JobID", "-u", user),
        "associations": said(
            "sacctmgr",
            "-n",
            "-P",
            "show",
            "associations",
            "user=" + user,
            "format=Account,Partition",
        ),
        "srun_options": said("srun", "--help")["out"],
        "folder": folder_facts(str(Path(request["folder"]).expanduser())),
        "test": test_submission(request["script"]),
    }
