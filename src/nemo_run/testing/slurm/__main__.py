"""``python -m nemo_run.testing.slurm [FOLDER] [-- COMMAND …]``: a fake Slurm to try things on.

Starts a shell, or the command, whose ``sbatch`` and ``squeue`` are the fake's; with its end
everything ends.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nemo_run.testing.slurm import FakeSlurm


def main() -> int:
    """Run a command on a fake Slurm and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m nemo_run.testing.slurm",
        description="A shell, or a command, in which sbatch and squeue are those of a fake Slurm.",
    )
    parser.add_argument("folder", nargs="?", help="where it lives; temporary when not given")
    parser.add_argument("--nodes", type=int, default=4, help="how many nodes (4)")
    parser.add_argument("--gpus-per-node", type=int, default=8, help="GPUs of each (8)")
    parser.add_argument("--time-scale", type=float, default=1.0, help="how fast time limits pass")
    words = sys.argv[1:]
    at = words.index("--") if "--" in words else len(words)
    chosen = parser.parse_args(words[:at])
    command = words[at + 1 :] or [os.environ.get("SHELL", "/bin/sh")]
    with tempfile.TemporaryDirectory(prefix="fake-slurm-", ignore_cleanup_errors=True) as own:
        slurm = FakeSlurm(
            Path(chosen.folder or own),
            nodes=chosen.nodes,
            gpus_per_node=chosen.gpus_per_node,
            time_scale=chosen.time_scale,
        )
        with slurm:
            done = subprocess.run(command, env={**os.environ, **slurm.environment()}, check=False)
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
