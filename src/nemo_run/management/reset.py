"""The jobs of an experiment on disk, as they were, to be run again."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node
from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.execution.code import Code, moved
from nemo_run.execution.executor import Executor
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command

from .artifacts import patterns
from .capture.environment import git_state
from .describe import dag
from .describe.jobs import Job, JobGroup, Member, Origin
from .describe.varied import Varied

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.packaging.launching_script import LaunchingScript

    from .store.record import Record


def stored_jobs(record: Record) -> list[Job]:
    """Return the jobs of ``record`` with the tasks and executors that were stored.

    What plugins changed is in the stored tasks; they are not applied again. Functions of the
    launching script are read from the copy that was kept, when they are needed.

    Raises:
        CorruptRecordError: A file is missing or cannot be read.
        ConfigError: The class of an executor cannot be imported here.
    """
    return [_stored(record, document) for document in record.jobs]


def only_failed(record: Record, jobs: Sequence[Job]) -> list[Job]:
    """Return those of the jobs that did not succeed, with the dependencies among them.

    What a job waited for and has succeeded need not be waited for again. A job whose turn comes
    only when another one fails is left out where that one has succeeded.

    Raises:
        StoreError: There is no such job, or the experiment is not over.
    """
    status = record.status()
    if status.ended is None:
        raise StoreError(
            f"Experiment {record.id} is not over, so nobody knows yet what fails. Wait for it, or "
            f"end it: {experiment_command('cancel', record.id)}."
        )
    succeeded = {job.id for job in status.jobs.values() if job.state is State.SUCCEEDED}
    nodes = [dag.Node(job.id, tuple(job.edges)) for job in jobs]
    never = dag.skips(nodes, {job: status.jobs[job] for job in succeeded})
    kept = [job for job in jobs if job.id not in succeeded and job.id not in never]
    if not kept:
        raise StoreError(
            f"Every job of {record.id} has succeeded; there is nothing to run again. To run all "
            f"of it once more: {experiment_command('rerun', record.id)}"
        )
    names = {job.id for job in kept}
    for job in kept:
        job.edges = [edge for edge in job.edges if edge.job in names]
    return kept


def _stored(record: Record, document: dict[str, Any]) -> Job:
    folder = record.job_dir(document["id"])
    grouped, code = bool(document.get("group")), _code(document)
    kind = JobGroup if document.get("group") else Job
    return kind(
        document["id"],
        [
            _member(record, folder / member["name"] if grouped else folder, member, code)
            for member in document["members"]
        ],
        edges=list(dag.node(document["id"], document.get("dependencies", ())).edges),
        tail_logs=bool(document.get("tail_logs")),
        name=str(document.get("name") or ""),
        policy=document.get("policy", "all"),
        varied=Varied.from_json(document.get("sweep")),
    )


def _code(document: Mapping[str, Any]) -> Code | None:
    """Return the code that traveled with a job."""
    code = document.get("code")
    if not isinstance(code, dict):
        return None
    tree, root, commit, summary = (
        str(code.get(name) or "") for name in ("tree", "root", "commit", "summary")
    )
    return Code(tree, root, commit=commit, summary=summary)


def _member(record: Record, folder: Path, document: dict[str, Any], code: Code | None) -> Member:
    task = _read(folder / "task.json")
    executor = _read(folder / "executor.json")
    if not isinstance(executor, Executor):
        raise CorruptRecordError(f"{folder / 'executor.json'} holds no executor.")
    return Member(
        document["name"],
        task,
        executor,
        document.get("role", "main"),
        patterns.stored(document.get("outputs")),
        _origin(folder, record, code),
    )


def _read(path: Path) -> Any:
    from nemo_run.config.files import codec
    from nemo_run.config.graph.reference import resolved

    try:
        return resolved(codec.loads(path.read_text("utf-8")))
    except OSError as error:
        raise CorruptRecordError(f"{path} cannot be read: {error.strerror}.") from error


def _origin(folder: Path, record: Record, code: Code | None) -> Origin:
    """Return what surrounded a task when it was planned."""
    meta = record.meta
    origin = Origin(
        working_directory=str(meta.get("cwd") or Path.cwd()),
        python=_interpreter(meta),
        sys_path=(),
        code=code,
    )
    settings_file = folder / "worker.json"
    if not settings_file.exists():
        return origin
    settings = json.loads(settings_file.read_text("utf-8"))
    path = settings.get("sys_path") or []
    # The first entry is the folder of the code in the job.
    there = path[0] if code is not None and path else ""
    root = code.root if code is not None else ""
    return dataclasses.replace(
        origin,
        sys_path=tuple(_back(entry, there, root) for entry in path),
        launching_script=_launching_script(folder, settings, there, root),
    )


def _back(path: str, there: str, root: str) -> str:
    """Return a path of a job's code as the launching process called it; any other as it is."""
    return (moved(path, there, root) if there else None) or path


def _interpreter(meta: Mapping[str, Any]) -> str:
    stored = str(meta.get("python", {}).get("executable") or "")
    # An environment that was removed, or is closed to us, cannot run anything; ours may.
    return stored if stored and os.access(stored, os.X_OK) else sys.executable


def _launching_script(
    folder: Path, settings: Mapping[str, Any], there: str, root: str
) -> LaunchingScript | None:
    if not settings.get("main"):
        return None
    from nemo_run.packaging.launching_script import LaunchingScript

    file = settings.get("main_file")
    return LaunchingScript(
        text=(folder / settings["main"]).read_text("utf-8"),
        original_path=_back(file, there, root) if file else None,
        package=settings.get("main_package"),
        names=(),
        argv=tuple(settings.get("argv") or ()),
    )


def doubts_of_code(record: Record, jobs: Sequence[Job]) -> str:
    """Return why the modules that tasks import may not be those of then; empty if they are.

    Args:
        record: The experiment that was run.
        jobs: Its jobs.
    """
    members = [member for job in jobs for member in job.members]
    # Code that traveled is run again as it was.
    if not any(is_node(m.task) and not (m.origin and m.origin.code) for m in members):
        return ""
    folder = str(record.meta.get("cwd") or "")
    then, now = record.meta.get("git"), git_state(folder)
    if not isinstance(then, dict) or now is None:
        why = f"{folder} was in no git repository" if now else f"{folder} is in no git repository"
    elif then.get("commit") != now["commit"]:
        why = f"then git was at {_commit(then)}, now it is at {_commit(now)}"
    elif then.get("dirty") or now["dirty"]:
        when = "then and now" if then.get("dirty") and now["dirty"] else "now"
        why = f"files differ from commit {_commit(now)} {'then' if not now['dirty'] else when}"
    else:
        return ""
    return (
        f"modules that the tasks of {record.id} import are not stored with it, and may have "
        f"changed since: {why}. What runs is the code as it is now."
    )


def _commit(state: Mapping[str, Any]) -> str:
    return str(state.get("commit") or "no commit")[:12]
