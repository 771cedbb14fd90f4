"""The runs that are killed, and what must hold of each one afterwards."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

from nemo_run.execution.observation import State

# Each job says, outside of the home, that it began and that it came to its end.
_SCRIPT = 'echo "begin $NEMORUN_TOKEN" >> {marks}; echo "end $NEMORUN_TOKEN" >> {marks}'

_TASK = """\
import os

def work(marks, answer):
    token = os.environ["NEMORUN_TOKEN"]
    for word in ("begin", "end"):
        with open(marks, "a") as file:
            file.write(f"{word} {token}\\n")
    return {"answer": answer}
"""

_PROGRAM = """\
import nemo_run as run
import own_work

if __name__ == "__main__":
    with run.Experiment("killed") as experiment:
        first = experiment.add(
            run.Script(inline={script!r}, entrypoint="sh"), {executor}, name="a"
        )
        experiment.add(
            run.Partial(own_work.work, marks={marks!r}, answer=42),
            {executor}, name="b", dependencies=[first],
        )
        experiment.run()
"""

_EXECUTORS = {
    "local": "run.LocalExecutor()",
    # The code travels, through the repository of the home.
    "code": 'run.LocalExecutor(packager=run.GitArchivePackager(subpath=""))',
    "slurm": 'run.SlurmExecutor(account="a", partition="main", packager=run.Packager())',
}

JOBS = ("a", "b")
_TOO_LONG = 60.0
_A_DAY = 26 * 3600


class Place:
    """The folders of one run.

    Attributes:
        root: All of it.
        home: Its ``NEMORUN_HOME``.
        work: The user's files: the program, and the marks of the jobs.
        environment: Of the programs.
    """

    def __init__(self, root: Path, scenario: str, environment: dict[str, str]) -> None:
        self.root = root
        self.home, self.work = root / "home", root / "work"
        self.home.mkdir(parents=True, mode=0o700)
        self.work.mkdir()
        self.marks = root / "marks"
        self.program = self.work / "program.py"
        program = _PROGRAM.format(
            script=_SCRIPT.format(marks=self.marks),
            marks=str(self.marks),
            executor=_EXECUTORS[scenario],
        )
        self.program.write_text(program)
        (self.work / "own_work.py").write_text(_TASK)
        self.environment = {
            **{n: v for n, v in environment.items() if not n.startswith("NEMORUN_")},
            "NEMORUN_HOME": str(self.home),
            "NEMORUN_SITE_CONFIG": "",
            "XDG_CONFIG_HOME": str(root / "config"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(root),
        }
        if scenario == "code":
            self._commit()

    @property
    def command(self) -> list[str]:
        """The program, as the user starts it."""
        return [sys.executable, str(self.program)]

    def _commit(self) -> None:
        git = ["git", "-c", "user.name=n", "-c", "user.email=e@x"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"]):
            subprocess.run([*git, *words], cwd=self.work, check=True, env=self.environment)


def recover(place: Place) -> None:
    """Do what a user does after a crash: look, and resume; or start again what is not there."""
    from nemo_run.management import store

    if not list(store.records()):
        # Nothing was promised.
        assert not place.marks.exists(), "a job ran of which there is no record"
        done = subprocess.run(
            place.command,
            env=place.environment,
            cwd=place.work,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"started again, the program failed: {done.stderr[-2000:]}"
        return
    for record in store.records():
        said = cli("experiment", "status", record.id, codes=(0, 1))
        assert "Traceback" not in said, said
        check_shown(place, record)
        if record.status().ended is None:
            cli("experiment", "resume", record.id, codes=(0, 1))
            _wait(record)


def check_shown(place: Place, record) -> None:
    """What is shown before anybody resumes is true."""
    from nemo_run.management import operations

    ended = marks_of(place)["end"]
    for job, status in operations.status(record).jobs.items():
        token = f"{record.id}/{job}/{status.attempt}"
        if status.state is State.SUCCEEDED:
            assert ended[token], f"{job} is shown SUCCEEDED and did not come to its end"


def check(
    place: Place,
    *,
    undisturbed: bool,
    jobs: tuple[str, ...] = JOBS,
    may_begin_again: bool = False,
) -> None:
    """Check all that is promised.

    Args:
        place: The run, recovered.
        undisturbed: Whether no job was killed, so that each ran once and succeeded.
        jobs: The jobs of the experiment.
        may_begin_again: Whether the disk may have forgotten that a job began, in the moment
            before the journal says that it was handed over (docs/reliability.md).
    """
    from nemo_run.management import store

    marks = marks_of(place)
    twice = [token for token, count in marks["begin"].items() if count > 1 + may_begin_again]
    assert not twice, f"started twice: {twice}"
    records = list(store.records())
    assert len(records) == 1, f"{len(records)} experiments"
    record = records[0]
    status = record.status()
    assert status.ended is not None, f"not over: {dict(status.states)}"
    for job in jobs:
        found = status.jobs[job]
        token = f"{record.id}/{job}/{found.attempt}"
        assert found.state.terminal, f"{job} is {found.state}"
        if found.state is State.SUCCEEDED:
            assert marks["end"][token], f"{job} SUCCEEDED without its end"
        if found.state is State.SKIPPED:
            assert not marks["begin"][token], f"{job} SKIPPED, and ran"
        if undisturbed:
            assert found.state is State.SUCCEEDED, f"{job} is {found.state}: {found.message}"
    if undisturbed:
        expected = Counter(f"{record.id}/{job}/1" for job in jobs)
        assert marks["begin"] == expected, f"ran: {marks['begin']}"
        assert marks["end"] == expected, f"ended: {marks['end']}"
    _check_files(place)
    _check_commands(record)
    _check_swept(place)


def marks_of(place: Place) -> dict[str, Counter[str]]:
    """Return what the jobs wrote: how often each token began, and came to its end."""
    found: dict[str, Counter[str]] = {"begin": Counter(), "end": Counter()}
    if place.marks.exists():
        for line in place.marks.read_text().splitlines():
            word, token = line.split()
            found[word][token] += 1
    return found


def _check_files(place: Place) -> None:
    """Every file that is not hidden can be read as what it is."""
    for path in place.home.rglob("*.json"):
        if any(part.startswith(".") for part in path.relative_to(place.home).parts):
            continue
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            raise AssertionError(f"{path} is no JSON: {error}") from None
    for code in place.home.glob("code.git"):
        done = subprocess.run(
            ["git", "--git-dir", code, "fsck", "--strict", "--no-dangling"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"git fsck: {done.stderr}{done.stdout}"


def _check_commands(record) -> None:
    listed = json.loads(cli("experiment", "list", "--json"))
    assert [row["id"] for row in _rows(listed)] == [record.id], listed
    shown = json.loads(cli("experiment", "show", record.id, "--json"))
    assert shown["id"] == record.id
    cli("experiment", "status", record.id, codes=(0, 1))
    cli("experiment", "logs", record.id, codes=(0, 1))


def _rows(document) -> list:
    return document if isinstance(document, list) else document["experiments"]


def _check_swept(place: Place) -> None:
    """What killed processes left is cleared away: a day later, by the command for it."""
    before = time.time() - _A_DAY
    for folder, folders, files in os.walk(place.home):
        for name in (*folders, *files):
            os.utime(Path(folder, name), (before, before), follow_symlinks=False)
    cli("experiment", "reindex")
    left = [
        str(path.relative_to(place.home))
        for path in place.home.rglob("*")
        if (path.name.startswith(".") or path.name.startswith("code.git."))
        and "outputs" not in path.parts
    ]
    assert not left, f"never swept: {left}"


def cli(*words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run a command of nemo-run here, and return what it writes to standard output."""
    from nemo_run.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(words))
    said = err.getvalue()
    assert code in codes, f"nemo-run {' '.join(words)} ended with {code}: {said[-1500:]}"
    assert "Traceback" not in said, said
    return out.getvalue()


def _wait(record) -> None:
    from nemo_run.management import operations

    deadline = time.monotonic() + _TOO_LONG
    # Of one that its engine finishes alone, whoever looks writes it down.
    while operations.status(record).ended is None:
        assert time.monotonic() < deadline, f"resumed, never over: {dict(record.status().states)}"
        time.sleep(0.05)


def remove(place: Place) -> None:
    """Remove a run that went well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shutil.rmtree(place.root, ignore_errors=True)
