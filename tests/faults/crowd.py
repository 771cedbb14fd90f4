"""Many programs that submit into one home at once, some of them killed on the way.

python tests/faults/crowd.py [--programs 50] [--each 20] [--seed 5]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from scenarios import cli

# What it prints after run() was promised to it.
_PROGRAM = """\
import sys
import nemo_run as run

marks, code, each = sys.argv[1], sys.argv[2], int(sys.argv[3])
packager = run.PatternPackager(include_pattern=f"{code}/*.txt", relative_path=code)
here = run.LocalExecutor(packager=packager)
for number in range(each):
    with open(f"{code}/number.txt", "w") as file:
        file.write(f"{code} {number // 3}")
    with run.Experiment("crowd", skip_status_at_exit=True, log_level="WARN") as experiment:
        script = f'[ -s number.txt ] && echo "$NEMORUN_TOKEN" >> {marks}'
        experiment.add(run.Script(inline=script, entrypoint="sh"), here, name="a")
        experiment.run(detach=True)
    print("promised", experiment.id, flush=True)
"""
_KILLED = 0.3


class Figures(NamedTuple):
    """What was counted.

    Attributes:
        programs: How many programs were started.
        killed: How many of them were killed.
        promised: Submissions that a program was told of.
        found: Experiments in the home; more than promised by those that died in between.
        trees: Snapshots of code.
        lists: How often the list was read meanwhile.
        seconds: How long all took.
    """

    programs: int
    killed: int
    promised: int
    found: int
    trees: int
    lists: int
    seconds: float


def crowd(root: Path, programs: int, each: int, seed: int) -> Figures:
    """Let them all submit, and check what must hold.

    Args:
        root: An empty folder; ``NEMORUN_HOME`` must be ``root/home``.
        programs: How many at once.
        each: How many submissions each.
        seed: Decides who is killed, and when.
    """
    begun = time.monotonic()
    chance = random.Random(seed)
    marks = root / "marks"
    (root / "program.py").write_text(_PROGRAM)
    running = []
    for number in range(programs):
        code = root / f"code{number}"
        code.mkdir()
        with (root / f"out{number}").open("wb") as out, (root / f"err{number}").open("wb") as err:
            command = [sys.executable, root / "program.py", marks, code, str(each)]
            running.append(subprocess.Popen(command, stdout=out, stderr=err))
    unlucky = chance.sample(range(programs), round(programs * _KILLED))
    doomed = {number: chance.randrange(each) for number in unlucky}
    killed, lists = _until_all_ended(root, running, doomed, chance)
    promised = [i for n in range(programs) for i in _promised(root, n)]
    for number, process in enumerate(running):
        said = (root / f"err{number}").read_text()
        assert number in killed or process.returncode == 0, said[-2000:]
        assert number in killed or len(_promised(root, number)) == each
    found = _settle()
    _check(root, marks, promised, found, len(killed))
    trees = subprocess.run(
        ["git", "--git-dir", root / "home" / "code.git", "for-each-ref", "refs/snapshots"],
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    seconds = time.monotonic() - begun
    return Figures(
        programs, len(killed), len(promised), len(found), len(trees), lists, round(seconds, 1)
    )


def _promised(root: Path, number: int) -> list[str]:
    lines = (root / f"out{number}").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("promised ")]


def _until_all_ended(
    root: Path, running: list, doomed: dict[int, int], chance: random.Random
) -> tuple[set[int], int]:
    killed: set[int] = set()
    lists = 0
    deadline = time.monotonic() + 900
    while any(process.poll() is None for process in running):
        assert time.monotonic() < deadline, "they do not come to an end"
        for number, after in doomed.items():
            ready = len(_promised(root, number)) >= after
            if number not in killed and ready and running[number].poll() is None:
                time.sleep(chance.random() * 0.03)
                running[number].kill()
                killed.add(number)
        # Somebody looks all the time; what is listed was promised or is being so.
        json.loads(cli("experiment", "list", "--json"))
        lists += 1
    return killed, lists


def _settle() -> list:
    """Wait for all that runs, resume what nobody drives, and return the experiments."""
    from nemo_run.management import operations, store

    found = list(store.records())
    deadline = time.monotonic() + 600
    for record in found:
        if record.status().ended is None and not operations.taken(record):
            # It began meanwhile, or the launcher died before it was.
            cli("experiment", "resume", record.id, codes=(0, 1))
        while record.status().ended is None:
            assert time.monotonic() < deadline, f"{record.id} never ends"
            time.sleep(0.02)
    return found


def _check(root: Path, marks: Path, promised: list[str], found: list, killed: int) -> None:
    ids = [record.id for record in found]
    assert len(set(ids)) == len(ids), "two experiments have one id"
    assert len(set(promised)) == len(promised), "one id was promised twice"
    assert set(promised) <= set(ids), f"lost: {set(promised) - set(ids)}"
    assert len(ids) - len(promised) <= killed, "more experiments than submissions"
    states = Counter(str(record.status().state) for record in found)
    assert set(states) == {"SUCCEEDED"}, states
    ran = Counter(marks.read_text().split())
    assert ran == Counter(f"{one}/a/1" for one in ids), "a job ran twice, or not at all"
    for _ in range(2):
        listed = json.loads(cli("experiment", "list", "--json"))
        rows = listed if isinstance(listed, list) else listed["experiments"]
        assert sorted(row["id"] for row in rows) == sorted(ids), "the list is not right"
        assert {row["state"] for row in rows} == {"SUCCEEDED"}
        cli("experiment", "reindex")
    done = subprocess.run(
        ["git", "--git-dir", root / "home" / "code.git", "fsck", "--strict", "--connectivity-only"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--programs", type=int, default=50)
    parser.add_argument("--each", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nemo-run-crowd-", ignore_cleanup_errors=True) as root:
        os.environ["NEMORUN_HOME"] = f"{root}/home"
        figures = crowd(Path(root), chosen.programs, chosen.each, chosen.seed)
    told = (
        f"{figures.programs} programs with {chosen.each} submissions each, {figures.killed} killed",
        f"{figures.promised} promised, {figures.found} found and succeeded, each ran once",
        f"{figures.trees} snapshots whole; the list read {figures.lists} times meanwhile",
        f"{figures.seconds} s",
    )
    print("; ".join(told))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
