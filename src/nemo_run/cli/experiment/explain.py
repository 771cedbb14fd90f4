"""``nemo-run experiment explain``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.exceptions import CorruptRecordError, NotFoundError, OverrideError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nemo_run.config.overrides.explaining import Said
    from nemo_run.management.store.record import Record

_MOST_JOBS = 20
_NOTHING = "the value is stored, and the record does not say what set it."


@dataclass(frozen=True)
class _Told:
    """What was said of a value in the task of one member of a job."""

    job: str
    member: str
    chain: list[Said]

    def to_json(self, key: str) -> dict[str, Any]:
        """Return it for ``--json``."""
        from nemo_run.cli.flow.showing import said_document

        chain = [said_document(said) for said in self.chain]
        return {"job": self.job, "member": self.member, "key": key, "chain": chain}


@click.command("explain")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("words", metavar="[JOB] KEY", nargs=-1, required=True, shell_complete=hooks.jobs)
@json_option
@common_options
@click.pass_context
def command(context: click.Context, experiment: str, words: tuple[str, ...], as_json: bool) -> None:
    """Say where a stored value came from: what set it, in which line of which file.

    KEY is as on the command line: lr, model.layers[0].width. Without JOB all jobs that have such
    a value are told of. None of the experiment's own code is imported.

    \b
    nemo-run experiment explain digits model.lr
    nemo-run experiment explain digits train model.lr
    """  # noqa: D301 - click reads the character
    if len(words) > 2:
        raise click.UsageError("Give one KEY, and before it a JOB if one is meant.", context)
    record = record_of(experiment)
    key = words[-1]
    jobs = [str(job["id"]) for job in record.jobs]
    told = _all_told(record, [job_of(record, words[0])] if len(words) > 1 else jobs, key)
    if as_json:
        print_json([one.to_json(key) for one in told])
        return
    from nemo_run.cli.flow.showing import chain_table

    blocks = []
    for one in told[:_MOST_JOBS]:
        named = one.job if one.member == one.job else f"{one.job}/{one.member}"
        heading = [settings_of(context).look.paint(f"Job {named}", "bold")] if len(jobs) > 1 else []
        chain = chain_table(key, one.chain) if one.chain else [f"{key}: {_NOTHING}"]
        blocks.append("\n".join([*heading, *chain]))
    print("\n\n".join(blocks))
    if len(told) > _MOST_JOBS:
        note(f"{len(told) - _MOST_JOBS} more jobs have such a value; name one, or use --json.")


def _all_told(record: Record, jobs: list[str], key: str) -> list[_Told]:
    """Return what was said in each of the jobs that have such a value.

    Raises:
        NotFoundError: None has.
        CorruptRecordError: The only task that was asked for cannot be read.
    """
    told: list[_Told] = []
    errors: list[Exception] = []
    for job in jobs:
        for member, path in _tasks(record, job):
            try:
                told.append(_Told(job, member, _chain(path, key)))
            except (OverrideError, CorruptRecordError) as error:
                errors.append(error)
    if told or not errors:
        return told
    first = errors[0]
    if isinstance(first, CorruptRecordError):
        raise first
    raise NotFoundError(f"{record.id}: {first}")


def _tasks(record: Record, job: str) -> Iterator[tuple[str, Path]]:
    """Yield the members of a job, and where the task of each lies."""
    from nemo_run.management.plans import holds

    document, folder = record.job(job), record.job_dir(job)
    members = [str(m["name"]) for m in document.get("members", ()) if "name" in m]
    for name in members or [job]:
        path = (folder / name if document.get("group") else folder) / "task.json"
        if holds(record, path):
            yield name, path


def _chain(path: Path, key: str) -> list[Said]:
    from nemo_run.config.overrides.explaining import stored_chain
    from nemo_run.config.script import Script
    from nemo_run.management.capture.stored import task_of

    task = task_of(path)
    if isinstance(task, Script):
        raise OverrideError("the task is a Script, whose values have no history; `show` has them.")
    return stored_chain(task, key)
