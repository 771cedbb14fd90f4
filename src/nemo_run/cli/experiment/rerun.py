"""``nemo-run experiment rerun``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.config.overrides.grammar import Override
    from nemo_run.execution.executor import Executor

_MOST_NAMED = 5


@click.command("rerun")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("words", metavar="[JOB:]KEY=VALUE", nargs=-1)
@click.option("--executor", metavar="NAME", help="Run it there: a profile, or KIND(field=value).")
@click.option("--failed", is_flag=True, help="Only the jobs that did not succeed.")
@click.option("--dryrun", is_flag=True, help="Print what would be sent; start nothing.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    experiment: str,
    words: tuple[str, ...],
    executor: str | None,
    failed: bool,
    dryrun: bool,
    as_json: bool,
) -> None:
    """Run the stored tasks once more as a new experiment, with the code and values of then.

    Prints the new id and returns; the jobs go on by themselves. KEY=VALUE changes a value in all
    jobs that have it, JOB:KEY=VALUE in one, run.executor.FIELD=VALUE where they run. With
    --failed, what succeeded is not run again; its results stay with the experiment that is named.

    \b
    nemo-run experiment rerun digits
    nemo-run experiment rerun digits model.lr=1e-3 train:steps=500
    nemo-run experiment rerun digits --failed --executor 'slurm(account=research)'
    """  # noqa: D301 - click reads the character
    from nemo_run.cli.flow.errors import refusing
    from nemo_run.console.progress import Progress
    from nemo_run.management.rerunning.preparing import prepared

    if dryrun and as_json:
        raise click.UsageError("A plan is text: leave out --json, or --dryrun.", context)
    record = record_of(experiment)
    with refusing(), Progress() as progress:
        if words:
            progress.show("asking the code of then which keys there are")
        again = prepared(
            record,
            overrides=words,
            executor=_named(executor) if executor else None,
            choose=_choose,
            called=_covered(executor or ""),
            failed=failed,
        )
    _tell(again.applied, [job.id for job in again.experiment.jobs])
    if dryrun:
        again.experiment.dryrun()
        return
    again.experiment.run(detach=True)
    new = again.experiment
    if as_json:
        print_json(
            {
                "id": new.id,
                "of": record.id,
                "jobs": [job.id for job in new.jobs],
                "overrides": {job: list(applied) for job, applied in again.applied.items()},
                "executor": _covered(executor or "") or None,
            }
        )
    else:
        print(new.id)


def _named(text: str) -> Executor:
    """Return the executor that a name stands for, as ``run.executor=NAME`` does."""
    from nemo_run.cli.run_overrides.executors import choose_executor
    from nemo_run.config import build
    from nemo_run.config.overrides.grammar import Override
    from nemo_run.exceptions import OverrideError

    chosen = choose_executor([Override("executor", ("executor",), "=", text)])
    if chosen.config is None:
        raise OverrideError(f"--executor {text}: jobs that are run again need an executor.")
    for sentence in chosen.notes:
        note(sentence)
    made: Any = build(chosen.config)
    return made  # type: ignore[no-any-return]


def _choose(overrides: Sequence[Override], begun: Executor) -> Executor:
    from nemo_run.cli.run_overrides.executors import executor_of
    from nemo_run.exceptions import OverrideError

    made = executor_of(overrides, begun)
    if made is None:
        raise OverrideError(
            f"{overrides[-1].label}: jobs that are run again need an executor; name one."
        )
    return made


def _covered(text: str) -> str:
    from nemo_run.masking import mask_text

    return mask_text(text)


def _tell(applied: Mapping[str, Sequence[str]], jobs: Sequence[str]) -> None:
    """Say which words were applied to which jobs, where that is not clear by itself."""
    if len(jobs) < 2:
        return
    by_word: dict[str, list[str]] = {}
    for job, words in applied.items():
        for word in words:
            by_word.setdefault(word, []).append(job)
    for word, its in by_word.items():
        if len(its) == len(jobs):
            note(f"{word}: in all {len(jobs)} jobs")
            continue
        more = f" and {len(its) - _MOST_NAMED} more" if len(its) > _MOST_NAMED else ""
        note(f"{word}: in {', '.join(its[:_MOST_NAMED])}{more}")
