"""A disk that is full at each stage of a run: what the user is told, and what is true afterwards.

    unshare -rm python tests/faults/full_disk.py [--every N]

Needs to be allowed to mount: the home is a small disk in memory that is filled up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

import scenarios

from nemo_run.testing.slurm import FakeSlurm

SIZE = 2 << 20
PAGE = 4096
ROOMS = [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 33, 36, 40]
"""How many pages are left when the program starts."""

_PATIENCE = 5.0

# Fills the disk while the first job runs, or in the second, just before its result is written.
_GATED = """\
import os, time

def work(marks, gate, size):
    token = os.environ["NEMORUN_TOKEN"]
    def mark(word):
        with open(marks, "a") as file:
            file.write(f"{word} {token}\\n")
    mark("begin")
    while not os.path.exists(gate):
        time.sleep(0.02)
    print("x" * size, flush=True)
    mark("end")
    return {"answer": "y" * size}
"""
_GATED_PROGRAM = """\
import nemo_run as run
import own_work

if __name__ == "__main__":
    with run.Experiment("killed") as experiment:
        for name in ("a", "b"):
            task = run.Partial(own_work.work, marks={marks!r}, gate={gate!r}, size={size})
            experiment.add(task, run.LocalExecutor(), name=name, dependencies={edges})
        experiment.run()
"""


_SLURM_PROGRAM = """\
import nemo_run as run
import own_work

if __name__ == "__main__":
    target = run.LocalTunnel(job_dir={target!r})
    executor = run.SlurmExecutor(
        account="a", partition="main", packager=run.Packager(), tunnel=target
    )
    with run.Experiment("killed") as experiment:
        task = run.Partial(own_work.work, marks={marks!r}, gate={gate!r}, size={size})
        experiment.add(task, executor, name="a")
        experiment.run(detach=True)
"""


class Told(NamedTuple):
    """What a case came to.

    Attributes:
        case: Which.
        said: The last thing that the user was told while the disk was full.
        wrong: What was not as promised.
    """

    case: str
    said: str
    wrong: str


@contextlib.contextmanager
def small_disk(place: scenarios.Place) -> Iterator[Path]:
    """Make the home a small disk, and yield the file that fills it."""
    size = f"size={SIZE},mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", place.home], check=True)
    try:
        yield place.home.parent / "home" / "ballast"
    finally:
        subprocess.run(["umount", "-l", place.home], check=True)


def fill(ballast: Path, left: int) -> None:
    """Leave ``left`` bytes of the disk free."""
    info = os.statvfs(ballast.parent)
    wanted = info.f_bavail * info.f_frsize - left
    with ballast.open("ab") as file:
        while wanted > 0:
            wanted -= file.write(b"\0" * min(wanted, 1 << 16))


def at_the_start(root: Path, pages: int) -> Told:
    """Start a program when only so many pages are free; then make room and go on."""
    place = scenarios.Place(root, "local", dict(os.environ))
    with small_disk(place) as ballast:
        fill(ballast, pages * PAGE)
        return _gone_through(f"{pages} pages left", place, ballast)


def while_it_runs(root: Path, size: int) -> Told:
    """Fill the disk while a job runs, which then writes to its log and returns a result."""
    place = scenarios.Place(root, "local", dict(os.environ))
    gate = root / "gate"
    (place.work / "own_work.py").write_text(_GATED)
    place.program.write_text(
        _GATED_PROGRAM.format(
            marks=str(place.marks),
            gate=str(gate),
            size=size,
            edges='["a"] if name == "b" else None',
        )
    )
    with small_disk(place) as ballast:
        case = f"full while a job runs that writes {size} bytes"
        return _gone_through(case, place, ballast, gate=gate)


def while_slurm_runs(root: Path, size: int) -> Told:
    """Fill the disk of the launching machine while a job runs elsewhere, and look at it."""
    place = scenarios.Place(root, "local", dict(os.environ))
    gate = root / "gate"
    (place.work / "own_work.py").write_text(_GATED)
    place.program.write_text(
        _SLURM_PROGRAM.format(
            marks=str(place.marks), gate=str(gate), size=size, target=str(root / "target")
        )
    )
    said = ""
    with FakeSlurm(root / "slurm") as slurm, small_disk(place) as ballast:
        place.environment.update(slurm.environment())
        os.environ.clear()
        os.environ.update(place.environment)
        try:
            subprocess.run(
                place.command, env=place.environment, cwd=place.work, check=True, timeout=60,
                capture_output=True,
            )  # fmt: skip
            _until(place.marks.exists)
            fill(ballast, PAGE)
            gate.touch()
            _until(lambda: scenarios.marks_of(place)["end"])
            for _ in range(3):
                said = _check_commands(place)
                time.sleep(0.5)
            ballast.unlink()
            scenarios.recover(place)
            scenarios.check(place, undisturbed=True, jobs=("a",))
        except (AssertionError, subprocess.SubprocessError) as error:
            return Told("full while Slurm runs a job", said, f"{type(error).__name__}: {error}")
    return Told("full while Slurm runs a job", said, "")


def _gone_through(
    case: str, place: scenarios.Place, ballast: Path, gate: Path | None = None
) -> Told:
    os.environ.clear()
    os.environ.update(place.environment)
    said = place.root / "said"
    with said.open("wb") as file:
        program = subprocess.Popen(
            place.command, env=place.environment, cwd=place.work, stdout=file, stderr=file
        )
    text = ""
    try:
        if gate is not None:
            _until(place.marks.exists)
            fill(ballast, 0)
            gate.touch()
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(_PATIENCE)
        text = said.read_text()
        _check_told(place, program, text)
        _check_commands(place)
        ballast.unlink()
        program.wait(60)
        scenarios.recover(place)
        scenarios.check(place, undisturbed=False)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return Told(case, _last(text), f"{type(error).__name__}: {error}")
    finally:
        program.kill()
        program.wait()
    return Told(case, _last(text), "")


def _until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def _check_told(place: scenarios.Place, program: subprocess.Popen, text: str) -> None:
    """Whoever could not go on was told why; what runs is written down."""
    from nemo_run.management import store

    ended = [r.status().ended for r in store.records()]
    if program.poll() == 0 or (ended and None not in ended):
        return
    full = ("No space left", "disk is full", "full")
    assert any(words in text for words in full), f"nothing was said of the disk: {text[-1500:]!r}"
    intents = {
        event["token"]
        for record in store.records()
        for event in record.journal.read()[0]
        if event["event"] == "job.intent"
    }
    begun = scenarios.marks_of(place)["begin"]
    assert set(begun) <= intents, f"started without a record: {set(begun) - intents}"


def _check_commands(place: scenarios.Place) -> str:
    """In a full home, everything can be looked at; return what is said of it."""
    from nemo_run.management import store

    words = [("list",), *(("status", r.id) for r in store.records())]
    for one in words:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("nemo-run")), "experiment", *one],
            env=place.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for noise in ("Traceback", "Exception ignored"):
            assert noise not in done.stderr, f"{one}: {done.stderr[-1500:]}"
        assert done.returncode in (0, 1), f"{one} ended with {done.returncode}"
    return _last(done.stdout + done.stderr)


def _last(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if "pace left" in line or "full" in line]
    return (wanted or lines or [""])[-1][:200]


def main() -> int:
    """Print each case; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="one of so many cases")
    parser.add_argument("--only", default="", help="cases of this function")
    chosen = parser.parse_args()
    cases = [(at_the_start, pages) for pages in ROOMS]
    cases += [(while_it_runs, size) for size in (10, 10_000)]
    cases += [(while_slurm_runs, 1_000_000)]
    cases = [case for case in cases if case[0].__name__.startswith(chosen.only)]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="nemo-run-full-", ignore_cleanup_errors=True) as where:
        for number, (case, amount) in enumerate(cases[:: chosen.every]):
            root = Path(where, str(number))
            root.mkdir()
            told = case(root, amount)
            outcomes.append(told)
            print(f"{told.case}: {told.wrong or 'right'}\n    said: {told.said}", flush=True)
    wrong = sum(bool(told.wrong) for told in outcomes)
    print(f"{len(outcomes)} cases of a full disk, {wrong} wrong.")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
