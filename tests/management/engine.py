"""A small engine for tests of the conductor: it keeps its jobs in a folder, as a real one would."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from nemo_run.execution.backend import Artifact, Capabilities, LogFile, Rendered
from nemo_run.execution.jobspec import ArrayPlace, Handle, JobSpec, Member, Token
from nemo_run.execution.observation import Observation, State
from nemo_run.management import store
from nemo_run.management.store.record import Record


class Engine:
    """Runs nothing; each job is a file that says how it stands.

    Attributes:
        outcome: Returns the state of a job when it is looked at, from its token and the number of
            looks before.
        on_submit: Called before each batch is taken; may raise.
        on_poll: Called before each look; may raise.
    """

    name = "engine"
    executor = ""

    def __init__(self, folder: Path, *, max_running: int | None = None) -> None:
        self.folder = folder
        self.capabilities = Capabilities(groups=True, detach=True, max_running=max_running)
        self.outcome: Callable[[str, int], State] = lambda _token, _looks: State.SUCCEEDED
        self.on_submit: Callable[[Sequence[str]], None] = lambda _tokens: None
        self.on_poll: Callable[[], None] = lambda: None
        self.polls = 0
        self.most_running = 0
        self.cancelled: list[str] = []
        folder.mkdir(exist_ok=True)

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        return [Artifact(f"{spec.directory}/script", spec.token.encode())]

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        self.on_submit([job.spec.token for job in jobs])
        return {job.spec.token: self._take(job.spec.token) for job in jobs}

    def _take(self, token: Token) -> Handle:
        path = self._path(token)
        if path.exists():
            path.write_text(json.dumps({**json.loads(path.read_text()), "asked_again": True}))
        else:
            path.write_text(json.dumps({"token": token, "looks": 0, "state": "RUNNING"}))
        self.most_running = max(self.most_running, len(self.running()))
        return Handle(f"engine://here/{token}")

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        found = [spec.token for spec in specs if self._path(spec.token).exists()]
        return {token: Handle(f"engine://here/{token}") for token in found}

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        return {spec.token for spec, handle in jobs if handle == f"engine://here/{spec.token}"}

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        self.polls += 1
        self.on_poll()
        return {handle: self._look(handle.removeprefix("engine://here/")) for handle in handles}

    def _look(self, token: str) -> Observation:
        path = self._path(token)
        job = json.loads(path.read_text())
        if not State(job["state"]).terminal:
            job["state"] = str(self.outcome(token, job["looks"]))
            job["looks"] += 1
            path.write_text(json.dumps(job))
        state = State(job["state"])
        return Observation(
            state, exit_code=int(state is not State.SUCCEEDED) if state.terminal else None
        )

    def cancel(self, handles: Collection[Handle]) -> None:
        for handle in handles:
            token = handle.removeprefix("engine://here/")
            self.cancelled.append(token)
            job = json.loads(self._path(token).read_text())
            if not State(job["state"]).terminal:
                self._path(token).write_text(json.dumps({**job, "state": "CANCELLED"}))

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        return []

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        return

    def tokens(self) -> list[str]:
        return sorted(json.loads(path.read_text())["token"] for path in self.folder.iterdir())

    def running(self) -> list[str]:
        jobs = [json.loads(path.read_text()) for path in self.folder.iterdir()]
        return [job["token"] for job in jobs if job["state"] == "RUNNING"]

    def _path(self, token: str) -> Path:
        return self.folder / token.replace("/", "~")


def experiment(
    jobs: Mapping[str, Sequence[str | Mapping[str, str]]],
    *,
    retries: int = 0,
    title: str = "conducted",
    backend: str | Mapping[str, str] = "engine",
    target: str = "",
    max_parallel: int | None = None,
    options: Mapping[str, object] | None = None,
) -> Record:
    """Make an experiment on disk.

    Args:
        jobs: Their ids, and the ids or edges that each depends on.
        retries: Of each.
        title: Its title.
        backend: The backend of all jobs, or of each.
        target: Where the jobs' folders are, if not in the record.
        max_parallel: The jobs are an array, of which so many may run at once.
        options: Of each.
    """
    with store.draft(title) as draft:
        for index, job in enumerate(jobs):
            here = str(draft.job_dir(job))
            folder = here.replace(str(draft.path.parents[1]), target) if target else here
            array = None
            if max_parallel is not None:
                array = ArrayPlace("sweep", index, len(jobs), max_parallel)
            spec = JobSpec(
                experiment=draft.id,
                job=job,
                backend=backend if isinstance(backend, str) else backend[job],
                directory=folder,
                members=(Member(job, folder, ("true",)),),
                retries=retries,
                array=array,
                options={**({"tunnel": {"job_dir": target}} if target else {}), **(options or {})},
            )
            draft.write(f"{here}/spec.json", json.dumps(spec.to_json()))
            if target:
                draft.write(f"{here}/task.json", "{}")
        sweep = {"sweep": {"name": "sweep", "values": {}, "max_parallel": max_parallel}}
        documents = [
            {
                "id": job,
                "dependencies": list(after),
                "members": [{"name": job}],
                **(sweep if max_parallel else {}),
            }
            for job, after in jobs.items()
        ]
        return draft.publish({"jobs": documents, "folder": str(draft.path)})
