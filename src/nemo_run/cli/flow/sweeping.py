"""``--sweep``, ``--sweep-zip`` and ``--sweep-list``: one command, many points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.cli.entrypoints.entrypoint import Entrypoint
    from nemo_run.config.overrides.grammar import Override
    from nemo_run.config.sweeps.sweep import Mode, Sweep

    from .context import RunContext
    from .options import Asked

_MOST_SHOWN = 24
_LOOKS = ("choice", "range")


def is_wanted(asked: Asked) -> bool:
    """Whether a sweep was asked for.

    Raises:
        OverrideError: ``--max-parallel`` stands without one.
    """
    wanted = asked.sweep or asked.sweep_zip or asked.sweep_list is not None
    if asked.max_parallel is not None and not wanted:
        raise OverrideError(
            "--max-parallel says how many points of a sweep run at once, and this is no sweep. "
            "Add --sweep, or leave it out."
        )
    return wanted


def sweep_of(entry: Entrypoint, base: Any, overrides: Sequence[Override], asked: Asked) -> Sweep:
    """Return the points that a command asks for.

    Args:
        entry: The entrypoint.
        base: The task before the overrides.
        overrides: Those of files and of the command line, in their order.
        asked: What was asked for.

    Raises:
        OverrideError: A key or a value cannot be used.
        SweepError: Nothing varies, or the values cannot be combined.
    """
    from nemo_run.config.sweeps.text import is_varied, points_of, points_of_rows

    if entry.type == "experiment":
        raise OverrideError(
            f"{entry.name} describes an experiment, and --sweep varies a task. Give the function "
            "several values itself, and write experiment.add_sweep(run.sweep(task, ...))."
        )
    if asked.lazy:
        raise OverrideError(
            "--sweep checks each point here, and --lazy checks nothing here. Leave one of the two "
            "out."
        )
    if asked.sweep_list is None:
        mode: Mode = "zip" if asked.sweep_zip else "grid"
        return points_of(base, overrides, mode, max_parallel=asked.max_parallel)
    from nemo_run.config.sweeps.rows import rows_of

    varied = next(filter(is_varied, overrides), None)
    if varied is not None or asked.sweep or asked.sweep_zip:
        given = varied.key + "=" + str(varied.text) if varied else "--sweep"
        raise OverrideError(
            f"--sweep-list gives whole points, and {given} gives values to combine. Leave one of "
            "the two out."
        )
    rows = rows_of(asked.sweep_list)
    return points_of_rows(base, overrides, rows, max_parallel=asked.max_parallel)


def refuse_unasked(base: Any, overrides: Sequence[Override], *, quiet: bool = False) -> None:
    """Refuse ``choice(…)`` and ``range(…)`` where no sweep was asked for; warn of such texts.

    Raises:
        OverrideError: There is one, for something that is no text.
    """
    texts = (o.text if o.text is not None else o.data for o in overrides)
    if not any(isinstance(text, str) and text.lstrip().startswith(_LOOKS) for text in texts):
        return
    from nemo_run.cli.shared.settings import note
    from nemo_run.config.sweeps.text import refuse_unasked

    kept = refuse_unasked(base, overrides)
    if kept and not quiet:
        are = "is a text here, one value" if len(kept) == 1 else "are texts here, one value each"
        note(f"Warning: {' and '.join(kept)} {are}. Add --sweep to run each of several.")


def summary_of(sweep: Sweep, executor: Any = None) -> str:
    """Return the points, and where they would run, to be read before anything does."""
    from nemo_run.management.capture.executor_text import text_of

    text = sweep.text(most=_MOST_SHOWN)
    return text if executor is None else f"{text}\non {text_of(executor)}"


def run_points(sweep: Sweep, run: RunContext) -> Any:
    """Run the points as one experiment.

    Returns:
        The results by job; None for a dry run and with ``--detach``.

    Raises:
        PlanError: What was asked for together cannot be.
        JobFailedError: Some points did not succeed.
    """
    from nemo_run.management import Experiment
    from nemo_run.management.describe.sweeping import title_of

    title = run.name or title_of(sweep)
    run.tail_logs = _shows_logs(run)
    with Experiment(title, executor=run.executor) as experiment:
        experiment.add_sweep(sweep, plugins=run.plugins, tail_logs=run.tail_logs)
        run.launch(experiment)
    return None if run.dryrun or run.detach else experiment.results()


def _shows_logs(run: RunContext) -> bool:
    """Tell whether all the points' output is shown: with ``--quiet`` only where that was said."""
    if not run.quiet or run.said is None:
        return run.tail_logs
    said = run.said.__argument_history__.get("tail_logs", ())
    return run.tail_logs and any(entry.kind != "default" for entry in said)
