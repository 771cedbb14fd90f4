"""Starting what a command describes, and what is printed at its end."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ConfigError, PlanError

if TYPE_CHECKING:
    from .execute import Ready


def start(ready: Ready) -> int:
    """Run a task or an experiment, and return the exit code.

    Raises:
        ConfigError: The task is wrong; nothing was started.
        PlanError: It cannot run as it was asked for; nothing was started.
        JobFailedError: A job did not succeed.
    """
    from nemo_run.management.watch.manner import hushed

    from .afterwards import tell_end

    run, process = ready.run, os.getpid()
    with hushed() if run.quiet or run.json else nullcontext():
        if run.json:
            _with_document(ready)
            return 0
        value = value_of(ready)
    if os.getpid() == process:
        tell_end(ready, value)
    return 0


def _with_document(ready: Ready) -> None:
    from nemo_run.cli.shared.settings import mark_answered, print_json

    from .json_output import document_of, dryrun_document, on_standard_error

    value, error, process = None, None, os.getpid()
    with on_standard_error():
        try:
            value = value_of(ready)
        except (ConfigError, PlanError):
            raise
        except BaseException as raised:  # noqa: BLE001 - raised once more below
            error = raised
    if os.getpid() != process:
        # The task forked it, and it came back here: the document is its parent's.
        mark_answered()
    elif not ready.run.dryrun:
        failure = None if isinstance(error, SystemExit) and not error.code else error
        print_json(document_of(ready, value, failure))
    elif error is None:
        print_json(dryrun_document(ready))
    if error is not None:
        raise error


def value_of(ready: Ready) -> Any:
    """Run a task or an experiment, and return what it returned."""
    if ready.entry.type == "experiment":
        return _described(ready)
    run = ready.run
    if run.detach and run.direct:
        raise PlanError(
            "--detach needs a process of its own, and --direct runs the task in this one. Leave "
            "one of the two out."
        )
    if ready.sweep is not None:
        from nemo_run.cli.flow.sweeping import run_points

        return run_points(ready.sweep, run)
    if run.direct or (run.executor is None and not run.detach):
        return _here(ready)
    return _recorded(ready)


def _here(ready: Ready) -> Any:
    from nemo_run.management.run_task import run

    if ready.run.dryrun and ready.run.json:
        return None
    return run(
        ready.task,
        ready.run.executor,
        plugins=ready.run.plugins,
        dryrun=ready.run.dryrun,
        direct=True,
    )


def _recorded(ready: Ready) -> Any:
    from nemo_run.management import Experiment
    from nemo_run.management.describe.jobs import task_name

    run = ready.run
    title = run.name or task_name(ready.task)
    with Experiment(title, executor=run.executor) as experiment:
        job = experiment.add(
            ready.task, name=run.name or "", plugins=run.plugins, tail_logs=run.tail_logs
        )
        results = run.launch(experiment)
    return None if run.dryrun or run.detach else results.get(job)


def _described(ready: Ready) -> Any:
    """Call the function that describes an experiment and launches it."""
    from nemo_run.config import build

    return build(ready.task)()
