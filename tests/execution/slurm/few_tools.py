"""As much of srun, scontrol and scancel as batch scripts need, as programs on PATH.

srun(1) starts its tasks here, gives each its variables, writes the file of ``--output``, and on a
failure ends the others and exits with the highest code, as Slurm does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_SRUN = r"""#!@python@
import json, os, signal, subprocess, sys, time
folder = "@folder@"
words, options = sys.argv[1:], {}
while words and words[0].startswith("--"):
    name, _, value = words.pop(0)[2:].partition("=")
    options[name] = value
with open(folder + "/sruns", "a") as file:
    file.write(json.dumps([options, words]) + "\n")
tasks, nodes = int(options.get("ntasks", 1)), int(options.get("nodes", 1))
number = 0
while True:
    try:
        os.mkdir(f"{folder}/step.{number}")
        break
    except FileExistsError:
        number += 1
output = options["output"].replace("%N", "n1").replace("%%", "%")
file = open(output, "ab")
errors = file
if "error" in options:
    errors = open(options["error"].replace("%%", "%"), "ab")
running, asked = {}, []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
open(f"{folder}/step.{number}/pid", "w").write(str(os.getpid()))
for rank in range(tasks):
    environment = {
        **os.environ, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % (tasks // nodes)),
        "SLURM_NODEID": str(rank // (tasks // nodes)), "SLURM_STEP_ID": str(number),
    }
    started = subprocess.Popen(
        words, env=environment, stdout=file, stderr=errors, stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    running[rank] = started
worst = ending = 0
while running:
    for rank, process in list(running.items()):
        code = process.poll()
        if code is None:
            continue
        del running[rank]
        if code:
            how = f"Exited with exit code {code}" if code > 0 else signal.strsignal(-code)
            print(f"srun: error: n1: task {rank}: {how}", file=sys.stderr, flush=True)
            ending = 1
        worst = max(worst, code if code >= 0 else 128 - code)
    if asked or ending:
        for process in running.values():
            os.killpg(process.pid, signal.SIGTERM)
        asked.clear()
    time.sleep(0.02)
sys.exit(worst)
"""

_SCONTROL = """#!/bin/sh
[ "$1 $2" = 'show hostnames' ] && echo "$3" | tr ',' '\\n' && exit
echo "$@" >>@folder@/scontrol
"""

_SCANCEL = """#!/bin/sh
kill "-${1#--signal=}" "$(cat "@folder@/step.${2#*.}/pid")"
"""


class Tools:
    """A folder of programs, and what they have noted down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tools"
        self.folder.mkdir()
        for name, text in (("srun", _SRUN), ("scontrol", _SCONTROL), ("scancel", _SCANCEL)):
            file = self.folder / name
            filled = text.replace("@folder@", str(self.folder)).replace("@python@", sys.executable)
            file.write_text(filled)
            file.chmod(0o700)

    def run(self, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a batch script as slurmd does."""
        environment = {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "USER": "me",
            "SLURM_JOB_ID": "4242",
            "SLURM_JOB_NODELIST": "n1,n2",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURMD_NODENAME": "n1",
            **variables,
        }
        return subprocess.run(
            ["bash", script], env=environment, capture_output=True, text=True, timeout=60
        )
