"""Tasks in this process: no experiment for one, the same record for several."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nemo_run.config.secret import looked_up
from nemo_run.exceptions import JobFailedError, PlanError
from nemo_run.execution.environment import checked
from nemo_run.execution.folders import METRICS, OUTPUTS
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.execution.secret_plans import split
from nemo_run.execution.secrets import source_of, value

from . import results
from .conductor.charge import charge
from .describe import dag
from .direct_handles import own_handle
from .hooks.launch import start as tell_hooks
from .store import events
from .store.status import replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nemo_run.config import Script, Secret
    from nemo_run.execution import Executor

    from .describe.jobs import Job
    from .store.events import Event
    from .store.record import Record
    from .store.status import ExperimentStatus

_PYTHONS = ("python", "python3")


def call(task: Any, executor: Executor | None = None) -> Any:
    """Run a task in this process and return its result.

    Args:
        task: A ``Partial``, ``Config`` or ``Script``; a script is a process of its own, whose
            output goes where ours goes.
        executor: Gives environment variables; nothing else of it counts here.

    Raises:
        ConfigError: The task is wrong.
        PlanError: The executor has a variable that no environment can hold.
        JobFailedError: A script ended with another exit code than 0.
        Exception: What the task raised.
    """
    from nemo_run.config.script import Script

    given = {} if executor is None else _variables(executor.env_vars, "env_vars of the executor")
    if isinstance(task, Script):
        return _run_script(task, given)
    from nemo_run.config.checks.check import check_task
    from nemo_run.config.graph.build import build

    check_task(task)
    with _environment(given):
        with looked_up(_value):
            made = build(task)
        return made() if _is_partial(task) else made


def _variables(variables: Mapping[str, Any], where: str) -> dict[str, str]:
    """Return variables as text, secrets as they are now."""
    plain, secret = split(variables, where)
    return {**checked(plain, where), **{name: _value(one) for name, one in secret.items()}}


def _value(secret: Secret) -> str:
    return value(secret.name, source_of(secret, os.getcwd()))  # noqa: PTH109


def _is_partial(task: Any) -> bool:
    # By name, as fiddle's own Partial counts too.
    return any(kind.__name__ == "Partial" for kind in type(task).__mro__)


def _run_script(script: Script, given: Mapping[str, str]) -> None:
    import subprocess

    command = command_of(script)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    own = _variables(script.env, f"Script.env of {script.get_name()!r}")
    done = subprocess.run(command, env={**os.environ, **given, **own}, check=False)
    if done.returncode:
        code = done.returncode if done.returncode > 0 else 128 - done.returncode
        raise JobFailedError(f"The script {script.get_name()!r} ended with exit code {code}.")


def command_of(script: Script) -> list[str]:
    """Return the argument list of a script, with this interpreter as Python."""
    command: list[str] = script.to_command(with_entrypoint=True)
    return [sys.executable if command[0] in _PYTHONS else command[0], *command[1:]]


@contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def dryrun_text(task: Any, executor: Executor | None = None) -> str:
    """Return what a task would do, to be read."""
    from nemo_run.config.script import Script
    from nemo_run.config.show.printing import tree

    from .capture.executor_text import text_of

    lines = [shlex.join(command_of(task)) if isinstance(task, Script) else tree(task)]
    if executor is not None:
        lines.append(f"on {text_of(executor)}")
    return "\n".join(lines)


def refuse_groups(jobs: Sequence[Job]) -> None:
    """Refuse what one process cannot do.

    Raises:
        PlanError: A job is a group.
    """
    groups = [job.id for job in jobs if len(job.members) > 1]
    if groups:
        raise PlanError(
            f"direct=True runs one task after the other, and the members of {groups[0]!r} run "
            "together. Leave direct out, or add them as jobs of their own."
        )


def run_directly(record: Record, jobs: Sequence[Job]) -> dict[str, Any]:
    """Run the jobs of an experiment in this process, each after its dependencies.

    Args:
        record: The experiment.
        jobs: Its jobs.

    Returns:
        What each job returned, as it is.

    Raises:
        Exception: What a job raised; the jobs after it do not run.
        JobFailedError: Points of a sweep did not succeed; the others were run.
    """
    with charge(record):
        tell_hooks(record)
        return _Running(record, jobs).run()


class _Running:
    """An experiment being run in this process."""

    def __init__(self, record: Record, jobs: Sequence[Job]) -> None:
        self._record = record
        self._jobs = {job.id: job for job in jobs}
        self._nodes = [dag.Node(job.id, tuple(job.edges)) for job in jobs]
        self._results: dict[str, Any] = {}
        self._failed: Exception | None = None

    def run(self) -> dict[str, Any]:
        self._note(
            events.conductor_started(os.getpid(), platform.node(), ""), events.experiment_started()
        )
        try:
            for node in dag.ordered(self._nodes):
                status = self._status()
                if node.id not in dag.skips(self._nodes, status.jobs):
                    self._run_or_note(self._jobs[node.id])
        finally:
            self._end()
        if self._failed is not None:
            raise results.failure(self._record, self._status()) from self._failed
        return self._results

    def _run_or_note(self, job: Job) -> None:
        try:
            self._run_job(job)
        except Exception as error:
            if job.varied is None:
                raise
            # No point of a sweep needs another one.
            self._failed = self._failed or error

    def _run_job(self, job: Job) -> None:
        started = time.time()
        self._note(
            events.job_submitted(job.id, 1, own_handle()),
            events.job_observed(job.id, Observation(State.RUNNING, started=started)),
        )
        try:
            with _environment(self._places(job.id)):
                self._results[job.id] = call(job.task, job.executor)
        except BaseException as error:
            message = f"{type(error).__name__}: {error}".splitlines()[0]
            self._note_end(job.id, State.FAILED, Reason.EXIT_CODE, message)
            raise
        results.write(self._record, job.id, self._results[job.id])
        self._note_end(job.id, State.SUCCEEDED)

    def _places(self, job: str) -> dict[str, str]:
        """Return where a job leaves files and metrics, as it finds them elsewhere."""
        folder = self._record.job_dir(job)
        (folder / OUTPUTS).mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            "NEMORUN_OUTPUT_DIR": str(folder / OUTPUTS),
            "NEMORUN_METRICS_FILE": str(folder / METRICS),
        }

    def _note_end(
        self, job: str, state: State, reason: Reason = Reason.NONE, message: str = ""
    ) -> None:
        code = int(state is not State.SUCCEEDED)
        seen = Observation(state, reason, exit_code=code, message=message, ended=time.time())
        self._note(events.job_observed(job, seen))

    def _end(self) -> None:
        status = self._status()
        left = dag.skips(self._nodes, status.jobs)
        self._note(*(events.job_skipped(job, why) for job, why in left.items()))
        stopped = Observation(
            State.CANCELLED, Reason.CANCELLED, message="the run ended before it started"
        )
        open_jobs = [job.id for job in self._status().jobs.values() if not job.state.terminal]
        self._note(*(events.job_observed(job, stopped) for job in open_jobs))
        self._note(events.experiment_ended(self._status().state))

    def _status(self) -> ExperimentStatus:
        return replay(self._record.journal.read()[0])

    def _note(self, *happened: Event) -> None:
        self._record.journal.append(happened)
