"""``run.run`` of a sweep: an experiment with a job for each point, and the table of its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.exceptions import JobFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.config.sweeps.sweep import Sweep
    from nemo_run.execution import Executor

    from .describe.plugin import Plugin
    from .results import Results


def run_sweep(
    sweep: Sweep,
    executor: Executor | None,
    plugins: Sequence[Plugin],
    *,
    name: str,
    dryrun: bool,
    direct: bool,
    detach: bool,
    tail_logs: bool,
    log_level: str,
    outputs: Sequence[str] | None = None,
) -> Results | None:
    """Run the points of a sweep; see :func:`nemo_run.management.run_task.run`.

    Returns:
        The results by job, with their table; with ``detach`` those that are there when they are
        asked for. None with ``dryrun``.

    Raises:
        JobFailedError: Some points did not succeed; ``results`` has those that did.
    """
    from .describe.sweeping import title_of
    from .experiment import Experiment

    title = name or title_of(sweep)
    with Experiment(
        title, executor=executor, log_level=log_level, enable_goodbye_message=detach
    ) as experiment:
        experiment.add_sweep(sweep, plugins=plugins, tail_logs=tail_logs, outputs=outputs)
        if dryrun:
            experiment.dryrun()
            return None
        try:
            experiment.run(detach=detach, direct=direct)
        except JobFailedError as error:
            raise error.with_traceback(None) from error.__cause__
    return experiment.results()
