"""What ``--json`` prints about a run."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management import Experiment

    from .execute import Ready


@contextmanager
def on_standard_error() -> Iterator[None]:
    """Send to standard error what is written to standard output, also by programs started."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        kept = os.dup(1)
    except OSError:  # somebody closed it
        with redirect_stdout(sys.stderr):
            yield
        return
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def document_of(ready: Ready, value: Any, error: BaseException | None = None) -> Any:
    """Return the document about a run that has ended, or goes on by itself.

    Args:
        ready: The command.
        value: What the task, or the experiment's function, returned.
        error: What it raised instead.
    """
    from nemo_run.management.describe.jobs import task_name

    launched = [_experiment(experiment) for experiment in ready.run.launched if experiment.started]
    if len(launched) == 1:
        return launched[0]
    if launched or ready.entry.type == "experiment":
        return {"experiments": launched}
    name = ready.run.name or task_name(ready.task)
    state = "FAILED" if error else "SUCCEEDED"
    job: dict[str, Any] = {"id": name, "state": state}
    if error:
        job["message"] = f"{type(error).__name__}: {error}"
    return {
        "id": None,
        "title": name,
        "state": state,
        "jobs": [job],
        "results": {} if error else {name: plain(value)},
    }


def dryrun_document(ready: Ready) -> Any:
    """Return the document about what a dry run would do."""
    planned = [
        {
            "id": plan.experiment,
            "title": plan.title,
            "dryrun": True,
            "plan": plan.hash,
            "warnings": list(plan.warnings),
            "jobs": [job.document for job in plan.jobs],
        }
        for plan in ready.run.planned
    ]
    if len(planned) == 1:
        return planned[0]
    if planned or ready.entry.type == "experiment":
        return {"dryrun": True, "experiments": planned}
    import json

    from nemo_run.config.files.written_forms import text_of
    from nemo_run.management.describe.jobs import task_name

    name = ready.run.name or task_name(ready.task)
    configuration = json.loads(text_of(ready.task, "json", to_show=True))
    return {"id": None, "title": name, "dryrun": True, "configuration": configuration}


def _experiment(experiment: Experiment) -> dict[str, Any]:
    from nemo_run.cli.experiment.shared.documents import status_document
    from nemo_run.execution.observation import State
    from nemo_run.management.results import Results
    from nemo_run.management.store import find
    from nemo_run.management.sweep_table import has_sweep, table_of

    record = find(experiment.id)
    status = record.status()
    results = Results(record, status)
    done = [job.id for job in status.jobs.values() if job.state is State.SUCCEEDED]
    return {
        **status_document(record, status),
        "results": {job: plain(results[job]) for job in done},
        **({"table": table_of(record, status).documents()} if has_sweep(record) else {}),
    }


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; what it cannot is told in text."""
    import json

    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
