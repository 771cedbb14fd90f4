"""Kills a run at each of its calls that change the disk or start a program, and recovers it.

    python tests/faults/campaign.py [--every N] [--jobs N] [--only local/conductor]

A first, clean run counts the calls of each part; then one run for each of them is killed as it is
about to make that call, which is the moment after the one before.
"""

from __future__ import annotations

import argparse
import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import ptrace
import scenarios
from disk import Disk

from nemo_run.testing.slurm import FakeSlurm

LIMIT = 90.0


class Kind(NamedTuple):
    """A way to die.

    Attributes:
        scenario: Which run.
        name: What to call it.
        counted: Whose calls are counted; empty for all.
        killed: Who dies; empty for all.
        world: What a power cut leaves; empty where the page cache survives.
    """

    scenario: str
    name: str
    counted: tuple[str, ...]
    killed: tuple[str, ...]
    world: str = ""

    @property
    def undisturbed(self) -> bool:
        """Whether the jobs are left alone."""
        return bool(self.killed) and "worker" not in self.killed

    def __str__(self) -> str:
        return f"{self.scenario}/{self.name}"


KINDS = (
    Kind("local", "launcher", ("launcher",), ("launcher",)),
    # Whoever waits replaces it; where nobody does, the user resumes.
    Kind("local", "conductor", ("conductor",), ("conductor",)),
    Kind("local", "both", ("conductor",), ("launcher", "conductor")),
    Kind("local", "worker", ("worker",), ("worker",)),
    Kind("local", "everything", (), ()),
    Kind("local", "power, names kept", (), (), "names"),
    Kind("local", "power, nothing kept", (), (), "nothing"),
    Kind("code", "launcher", ("launcher",), ("launcher",)),
    Kind("code", "power, names kept", ("launcher",), (), "names"),
    Kind("code", "power, nothing kept", ("launcher",), (), "nothing"),
    Kind("slurm", "launcher", ("launcher",), ("launcher",)),
    Kind("slurm", "conductor", ("conductor",), ("conductor",)),
    Kind("slurm", "both", ("conductor",), ("launcher", "conductor")),
    Kind("slurm", "worker", ("worker",), ("worker",)),
)


class Point(NamedTuple):
    """One run: it dies at the call of this number, from 1; 0 is the clean run."""

    kind: Kind
    number: int


class Outcome(NamedTuple):
    """What became of it.

    Attributes:
        point: The point.
        calls: How many calls were seen of each part.
        at: The call at which it died; empty if it was not reached.
        error: What was wrong.
    """

    point: Point
    calls: dict[str, int]
    at: str
    error: str


def role_of(words: list[str]) -> str | None:
    """Return what a process is, by its command line; None if the same as its parent."""
    if any("nemo_run.management.conductor.process" in word for word in words):
        return "conductor"
    if "nemo_run.testing.slurm" in words[:4]:
        return "cluster"
    if words[-1:] and words[-1].endswith("program.py"):
        return "launcher"
    if any(word.endswith(("/launch.sh", "/slurm_script")) for word in words[:3]):
        return "worker"
    return None


def attempt(point: Point, root: Path) -> Outcome:
    """Run, die, recover and check; in a process of its own."""
    kind = point.kind
    place = scenarios.Place(root, kind.scenario, dict(os.environ))
    disk = Disk(place.home)
    calls: Counter[str] = Counter()
    died: list[str] = []

    def seen(tree: ptrace.Tree, call: ptrace.Call) -> None:
        calls[call.role] += 1
        counted = call.role != "cluster" and (not kind.counted or call.role in kind.counted)
        mine = sum(calls[r] for r in kind.counted or ("launcher", "conductor", "worker"))
        if counted and mine == point.number and not died:
            died.append(f"{call.role}: {call.name} {call.path} {' '.join(call.words[:3])}")
            tree.kill(set(kind.killed) or set(tree.roles.values()))
        elif kind.world and not (died and not kind.killed):
            disk.seen(call)

    tree = ptrace.Tree([place.home, place.marks.parent], role_of, seen)
    try:
        os.environ.clear()
        os.environ.update(place.environment)
        if kind.scenario == "slurm":
            _on_slurm(place, tree, point)
        else:
            ended = tree.run(place.command, "launcher", place.environment, place.work, LIMIT)
            assert ended, f"it did not end within {LIMIT:.0f} s"
            _recovered(place, kind, disk, died=bool(died))
    except Exception:
        return Outcome(point, dict(calls), "".join(died), traceback.format_exc())
    scenarios.remove(place)
    return Outcome(point, dict(calls), "".join(died), "")


def _on_slurm(place: scenarios.Place, tree: ptrace.Tree, point: Point) -> None:
    """The cluster outlives the programs; its jobs are watched if they are to be killed."""
    slurm = FakeSlurm(place.root / "slurm")
    if point.kind.name != "worker":
        with slurm:
            place.environment.update(slurm.environment())
            os.environ.update(place.environment)
            ended = tree.run(place.command, "launcher", place.environment, place.work, LIMIT)
            assert ended, f"it did not end within {LIMIT:.0f} s"
            _recovered(place, point.kind, None, died=True)
        return
    command = [sys.executable, "-m", "nemo_run.testing.slurm", str(place.root / "slurm"), "--"]
    ended = tree.run([*command, *place.command], "cluster", place.environment, place.work, LIMIT)
    assert ended, f"it did not end within {LIMIT:.0f} s"
    _recovered(place, point.kind, None, died=True)


def _recovered(place: scenarios.Place, kind: Kind, disk: Disk | None, *, died: bool) -> None:
    if disk is not None and kind.world and died:
        disk.lose(kind.world)
        _let_a_minute_pass(place)
    elif not kind.killed and died:
        _let_a_minute_pass(place)
    scenarios.recover(place)
    scenarios.check(
        place,
        undisturbed=kind.undisturbed or not died,
        may_begin_again=kind.world == "nothing",
    )


def _let_a_minute_pass(place: scenarios.Place) -> None:
    """A machine takes its time to start anew."""
    then = time.time() - 120
    for path in place.home.rglob("launch.sh"):
        os.utime(path, (then, then))
        os.utime(path.parent, (then, then))


def alone(task: tuple[Point, str]) -> Outcome:
    """Do one attempt, and leave no process behind."""
    point, folder = task
    adopt_orphans = 36  # PR_SET_CHILD_SUBREAPER
    ctypes.CDLL(None).prctl(adopt_orphans, 1, 0, 0, 0)
    root = Path(tempfile.mkdtemp(prefix=f"{point.kind.scenario}-{point.number}-", dir=folder))
    try:
        return attempt(point, root)
    finally:
        _end_children()


def _end_children() -> None:
    for _ in range(50):
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            try:
                os.kill(int(child), signal.SIGKILL)
                os.waitpid(int(child), 0)
            except (ProcessLookupError, ChildProcessError):
                continue
        if not children:
            return


def points(kind: Kind, counted: dict[str, int], every: int) -> list[Point]:
    """Return the points of a kind: each call, or one of ``every``, and the last ones."""
    roles = kind.counted or ("launcher", "conductor", "worker")
    total = sum(counted.get(role, 0) for role in roles)
    offset = KINDS.index(kind) % every
    return [Point(kind, number) for number in range(1 + offset, total + 1, every)]


def campaign(every: int, jobs: int, only: str, say=print) -> list[Outcome]:
    """Try the points of all kinds and return what became of each."""
    wanted = [kind for kind in KINDS if str(kind).startswith(only)]
    outcomes: list[Outcome] = []
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory(prefix="nemo-run-faults-", ignore_cleanup_errors=True) as where,
        context.Pool(jobs, maxtasksperchild=1) as pool,
    ):
        clean = {kind.scenario: kind for kind in reversed(wanted)}
        if any(str(kind) == "slurm/worker" for kind in wanted):
            clean["slurm/worker"] = next(k for k in wanted if str(k) == "slurm/worker")
        counted = dict(
            zip(clean, pool.map(alone, [(Point(k, 0), where) for k in clean.values()], 1))
        )
        for name, outcome in counted.items():
            say(f"{name}: undisturbed, it makes {_told(outcome.calls)}")
            if outcome.error:
                outcomes.append(outcome)
                say(outcome.error)
        found: list[Outcome] = []
        todo = [
            (kind, points(kind, counted[_clean_of(kind, counted)].calls, every)) for kind in wanted
        ]
        coming = pool.imap(alone, [(point, where) for _, some in todo for point in some], 1)
        for kind, some in todo:
            mine = [next(coming) for _ in some]
            reached = sum(bool(outcome.at) for outcome in mine)
            wrong = sum(bool(outcome.error) for outcome in mine)
            say(f"{kind}: {len(mine)} points, {reached} reached, {wrong} wrong", flush=True)
            for outcome in mine:
                if outcome.error:
                    say(f"\n{kind}, call {outcome.point.number}, at {outcome.at}\n{outcome.error}")
            found += mine
    return outcomes + found


def _clean_of(kind: Kind, counted: dict[str, Outcome]) -> str:
    return str(kind) if str(kind) in counted else kind.scenario


def _told(calls: dict[str, int]) -> str:
    return ", ".join(f"{n} calls ({role})" for role, n in sorted(calls.items()))


def main() -> int:
    """Print what was tried and what was wrong; 1 if anything was."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="one of so many points (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="runs at once")
    parser.add_argument("--only", default="", help="kinds that begin so, as local/power")
    chosen = parser.parse_args()
    why = ptrace.possible()
    if why:
        print(f"The campaign cannot run here: it {why}.")
        return 0
    begun = time.monotonic()
    outcomes = campaign(chosen.every, chosen.jobs, chosen.only)
    wrong = [outcome for outcome in outcomes if outcome.error]
    tried = sum(bool(outcome.at) for outcome in outcomes)
    print(f"{tried} points tried in {time.monotonic() - begun:.0f} s, {len(wrong)} wrong.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
