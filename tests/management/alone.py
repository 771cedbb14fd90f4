"""An engine in a folder that finishes graphs alone, for tests with several processes.

Every job is a file that says how it stands, and leaves a result and a log in its folder on the
target, which is another one than that in the record. The name of a job says how it goes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import Artifact, Capabilities, LogFile, Rendered, Wanted
from nemo_run.execution.folders import log_file
from nemo_run.execution.jobspec import Handle, JobSpec, Token
from nemo_run.execution.observation import Observation, Reason, State

_HANDLE = "alone://here/"


class Alone:
    """Reads its folder from ``$ALONE``; while ``down`` is in there, nothing answers.

    While ``slow`` is there, it takes its time to start jobs, and while ``cut`` is there nothing can
    be copied from it. A job called ``fails…`` fails, one called ``again…`` is begun anew once. Jobs
    run while a file ``hold`` is there.
    """

    name = "alone"
    executor = ""
    capabilities = Capabilities(dependencies=True, detach=True, requeue=True, batch=100)

    @property
    def folder(self) -> Path:
        return Path(os.environ["ALONE"])

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        return [Artifact(f"{spec.directory}/script", spec.token.encode())]

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        self._ask()
        while (self.folder / "slow").exists():
            time.sleep(0.05)
        return {job.spec.token: self._take(job) for job in jobs}

    def _take(self, job: Rendered) -> Handle:
        path = self._path(job.spec.token)
        after = [(one.kind, one.job.removeprefix(_HANDLE)) for one in job.after]
        assert all(self._path(token).exists() for _, token in after), after
        with (self.folder / "asked").open("a") as asked:
            asked.write(f"{job.spec.token}\n")
        if not path.exists():
            path.write_text(json.dumps({"spec": job.spec.to_json(), "after": after, "looks": 0}))
        return Handle(f"{_HANDLE}{job.spec.token}")

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        self._ask()
        known = [spec.token for spec in specs if self._path(spec.token).exists()]
        return {token: Handle(f"{_HANDLE}{token}") for token in known}

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        return {spec.token for spec, handle in jobs if handle == f"{_HANDLE}{spec.token}"}

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        self._ask()
        with (self.folder / "polls").open("a") as polls:
            polls.write("poll\n")
        return {handle: self._look(handle.removeprefix(_HANDLE)) for handle in handles}

    def _look(self, token: str) -> Observation:
        if not self._path(token).exists():
            return Observation(State.LOST, Reason.PROCESS_LOST, message="nobody knows it")
        job = json.loads(self._path(token).read_text())
        if "cancelled" in job:
            return Observation(State.CANCELLED, Reason.CANCELLED)
        before = [(kind, self._look(other).state) for kind, other in job["after"]]
        if not all(state.terminal for _, state in before):
            return Observation(State.PENDING)
        if any(kind == "afterok" and state is not State.SUCCEEDED for kind, state in before):
            return Observation(State.SKIPPED, Reason.DEPENDENCY, message="it can never start")
        if (self.folder / "hold").exists():
            return Observation(State.RUNNING, started=1.0)
        return self._end(token, job)

    def _end(self, token: str, job: dict) -> Observation:
        spec = JobSpec.from_json(job["spec"])
        again = int(spec.job.startswith("again"))
        job["looks"] += 1
        self._path(token).write_text(json.dumps(job))
        if again and job["looks"] == 1:
            return Observation(State.PENDING, Reason.PREEMPTED, attempt=spec.attempt + 1)
        attempt = spec.attempt + again
        target = Path(spec.directory, "attempts", str(attempt))
        target.mkdir(parents=True, exist_ok=True)
        log = Path(spec.directory, "logs", str(attempt), "rank-0.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"this is {spec.job}\n")
        if spec.job.startswith("fails"):
            error = {"type": "ValueError", "message": "no", "rank": 0, "traceback": "no", "time": 1}
            (target / "error.0.json").write_text(json.dumps(error))
            return Observation(State.FAILED, Reason.EXIT_CODE, 1, attempt, "", 1.0, 2.0)
        (target / "result.json").write_text(json.dumps({"value": spec.job}))
        return Observation(State.SUCCEEDED, Reason.NONE, 0, attempt, "", 1.0, 2.0)

    def cancel(self, handles: Collection[Handle]) -> None:
        self._ask()
        for handle in handles:
            path = self._path(handle.removeprefix(_HANDLE))
            path.write_text(json.dumps({**json.loads(path.read_text()), "cancelled": True}))

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        return [LogFile(m.name, spec.attempt, 0, log_file(spec, m, 0)) for m in spec.members]

    def bring(self, wanted: Sequence[Wanted]) -> Mapping[Token, Exception]:
        self._ask()
        if (self.folder / "cut").exists():
            cut = BackendError("The connection broke while something was copied.")
            return {one.spec.token: cut for one in wanted}
        for one in wanted:
            with (self.folder / "brought").open("a") as brought:
                brought.write(f"{one.spec.token} {one.logs}\n")
            kind = "attempts" if one.logs is None else "logs"
            below = f"{kind}/{one.spec.attempt}"
            source = Path(one.spec.directory, below)
            if source.exists():
                shutil.copytree(source, Path(one.folder, below), dirs_exist_ok=True)
        return {}

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        return

    def _ask(self) -> None:
        if (self.folder / "down").exists():
            raise BackendError("The engine does not answer.")

    def _path(self, token: str) -> Path:
        return self.folder / f"{token.replace('/', '~')}.json"

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().split() if path.exists() else []

    def count(self, what: str) -> int:
        path = self.folder / what
        return len(path.read_text().splitlines()) if path.exists() else 0


def install(folder: Path, monkeypatch) -> Alone:
    """Make the engine one that this process and those it starts find by its name."""
    from nemo_run.execution.registry import get_backend

    engine, packages = folder / "alone", folder / "packages"
    info = packages / "alone-1.0.dist-info"
    engine.mkdir()
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: alone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nemo_run.backends]\nalone = alone:Alone\n")
    monkeypatch.setenv("ALONE", str(engine))
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), here]))
    monkeypatch.syspath_prepend(here)
    monkeypatch.syspath_prepend(packages)
    get_backend.cache_clear()
    return Alone()
