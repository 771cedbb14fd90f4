"""The jobs of an experiment on disk, as they were, to be run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import CorruptRecordError
from nemo_run.execution.executor import Executor

from . import dag
from .jobs import Job, JobGroup, Member

if TYPE_CHECKING:
    from pathlib import Path

    from .record import Record


def stored_jobs(record: Record) -> list[Job]:
    """Return the jobs of ``record`` with the tasks and executors that were stored.

    What plugins changed is in the stored tasks; they are not applied again. Functions of the
    launching script are read from the copy that was kept, when they are needed.

    Raises:
        CorruptRecordError: A file is missing or cannot be read.
        ConfigError: The class of an executor cannot be imported here.
    """
    return [_stored(record, document) for document in record.jobs]


def _stored(record: Record, document: dict[str, Any]) -> Job:
    folder = record.job_dir(document["id"])
    kind = JobGroup if document.get("group") else Job
    return kind(
        document["id"],
        [
            _member(folder / member["name"] if document.get("group") else folder, member)
            for member in document["members"]
        ],
        edges=list(dag.node(document["id"], document.get("dependencies", ())).edges),
        tail_logs=bool(document.get("tail_logs")),
        name=str(document.get("name") or ""),
        policy=document.get("policy", "all"),
    )


def _member(folder: Path, document: dict[str, Any]) -> Member:
    task = _read(folder / "task.json")
    executor = _read(folder / "executor.json")
    if not isinstance(executor, Executor):
        raise CorruptRecordError(f"{folder / 'executor.json'} holds no executor.")
    return Member(
        document["name"],
        task,
        executor,
        document.get("role", "main"),
        launching_script=_launching_script(folder),
    )


def _read(path: Path) -> Any:
    from nemo_run.config import codec
    from nemo_run.config.reference import resolved

    try:
        return resolved(codec.loads(path.read_text("utf-8")))
    except OSError as error:
        raise CorruptRecordError(f"{path} cannot be read: {error.strerror}.") from error


def _launching_script(folder: Path) -> Any:
    """Return the copy of the launching script that a task was stored with."""
    import json

    from nemo_run.packaging.launching_script import LaunchingScript

    path = folder / "configs" / "__main__.py"
    if not path.exists():
        return None
    settings = json.loads((folder / "worker.json").read_text("utf-8"))
    return LaunchingScript(
        text=path.read_text("utf-8"),
        original_path=settings.get("main_file"),
        package=settings.get("main_package"),
        names=(),
        argv=(),
    )
