"""``run.run``: one task, here or on an executor, and its result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.sweeps.sweep import Sweep
from nemo_run.exceptions import JobFailedError, PlanError

from .describe.jobs import check_kind, task_name
from .describe.plugin import checked_plugins
from .direct import call, dryrun_text
from .run_sweep import run_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution import Executor

    from .describe.plugin import Plugin


def run(
    fn_or_script: Any,
    executor: Executor | None = None,
    plugins: Plugin | Sequence[Plugin] | None = None,
    name: str = "",
    dryrun: bool = False,
    direct: bool = False,
    detach: bool = False,
    tail_logs: bool = True,
    log_level: str = "INFO",
    *,
    outputs: Sequence[str] | None = None,
) -> Any:
    """Run one task and return its result; of a sweep, run every point.

    Args:
        fn_or_script: A ``Partial``, ``Config`` or ``Script``, or what ``run.sweep`` returned.
        executor: Where and how; without one the task runs in this process and nothing is kept. A
            sweep without one runs on a ``LocalExecutor``.
        plugins: Edit a copy of task and executor.
        name: What to call the experiment; by default made from the task.
        dryrun: Print what would be done and return None.
        direct: Run it in this process, with the executor's environment.
        detach: Return at once; the task goes on.
        tail_logs: Show its output.
        log_level: From ``WARNING`` on, nothing of ours is said.
        outputs: Which files of ``$NEMORUN_OUTPUT_DIR`` count as what the task leaves; see
            :meth:`Experiment.add`.

    Returns:
        What the task returned; None for a script, and with ``detach``. For a value that cannot
        be kept, a placeholder and a warning. For a sweep the results of all points, with their
        table.

    Raises:
        TypeError: What was given is no task.
        ConfigError: The task is wrong or cannot travel.
        PlanError: ``detach`` without an executor.
        JobFailedError: It failed; the message holds its traceback or last lines. For a sweep it
            holds the table, and ``results`` those of the points that succeeded.
    """
    if isinstance(fn_or_script, Sweep):
        return run_sweep(
            fn_or_script,
            executor,
            checked_plugins(plugins),
            name=name,
            dryrun=dryrun,
            direct=direct,
            detach=detach,
            tail_logs=tail_logs,
            log_level=log_level,
            outputs=outputs,
        )
    check_kind(fn_or_script)
    if detach and (executor is None or direct):
        why = "direct=True runs it" if direct else "without an executor it runs"
        raise PlanError(
            f"detach=True needs a process of its own for the task, and {why} in this one. Write "
            "executor=run.LocalExecutor()."
        )
    if outputs and (executor is None or direct):
        raise PlanError(
            "outputs=... names files that a job leaves, and without an executor there is no job. "
            "Write executor=run.LocalExecutor()."
        )
    if executor is None or direct:
        return _here(fn_or_script, executor, checked_plugins(plugins), dryrun=dryrun)
    from .experiment import Experiment

    title = name or task_name(fn_or_script)
    with Experiment(
        title, executor=executor, log_level=log_level, enable_goodbye_message=detach
    ) as experiment:
        job = experiment.add(
            fn_or_script,
            name=name,
            plugins=checked_plugins(plugins),
            tail_logs=tail_logs,
            outputs=outputs,
        )
        if dryrun:
            experiment.dryrun()
            return None
        try:
            results = experiment.run(detach=detach)
        except JobFailedError as error:
            raise error.with_traceback(None) from None
    return None if detach else _returned(job, results.get(job))


def _returned(job: str, value: Any) -> Any:
    """Return the result of a job; warn where it is a placeholder only."""
    from nemo_run.worker.worker import Unavailable

    if isinstance(value, Unavailable):
        import warnings

        warnings.warn(
            f"{job} succeeded, and what it returned is not kept: {value.text} ({value.why}). "
            "Return plain values, or write files.",
            stacklevel=_depth_of_caller(),
        )
    return value


def _depth_of_caller() -> int:
    """Return how many frames of ours lie above the one that is to be warned, for ``stacklevel``."""
    import sys

    depth, frame = 1, sys._getframe(1)  # noqa: SLF001 - what warnings itself does
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == "nemo_run":
        depth, frame = depth + 1, frame.f_back
    return depth


def _here(task: Any, executor: Executor | None, plugins: list[Plugin], *, dryrun: bool) -> Any:
    if plugins or executor is not None:
        from .describe.adding import job_alone

        job = job_alone(task, executor, plugins)
        task, executor = job.task, job.executor
    if dryrun:
        print(dryrun_text(task, executor))  # noqa: T201
        return None
    return call(task, executor)


def direct_run_fn(fn_or_script: Any, dryrun: bool = False) -> Any:
    """Run a task in this process and return its result; with ``dryrun`` print it only."""
    check_kind(fn_or_script)
    return _here(fn_or_script, None, [], dryrun=dryrun)


def dryrun_fn(configured_fn: Any, executor: Executor | None = None, build: bool = False) -> Any:
    """Print what a task would do.

    Args:
        configured_fn: The task.
        executor: Where and how it would run.
        build: Build its arguments too, to see that this works; the task is not called.

    Raises:
        TypeError: What was given is no task.
        ConfigError: The task is wrong.
    """
    from nemo_run.config.checks.check import check_task

    check_kind(configured_fn)
    check_task(configured_fn)
    print(dryrun_text(configured_fn, executor))  # noqa: T201
    if build:
        from nemo_run.config import Partial
        from nemo_run.config.graph.build import build as build_task

        return build_task(configured_fn) if isinstance(configured_fn, Partial) else None
    return None
