"""``nemo-run experiment tag``."""

from __future__ import annotations

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json


@click.command("tag", context_settings={"ignore_unknown_options": True})
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="[+]TAG|-TAG…", shell_complete=hooks.tags
)
@click.option("--remove", multiple=True, metavar="TAG", help="Take a tag away, as -TAG does.")
@json_option
@common_options
def command(
    experiment: str, words: tuple[str, ...], remove: tuple[str, ...], as_json: bool
) -> None:
    """Tag an experiment, or take tags away: tag ID +best -draft.

    Without tags, it prints those that there are. What is tagged `keep`, gc never deletes.
    """
    from nemo_run.management import marks

    for word in words:
        if word.startswith("--"):
            raise click.NoSuchOption(word)
    record = record_of(experiment)
    removed = [*remove, *(word[1:] for word in words if word.startswith("-"))]
    added = [word.removeprefix("+") for word in words if not word.startswith("-")]
    found = marks.change(record, added, removed) if added or removed else marks.read(record)
    if as_json:
        print_json({"id": record.id, "tags": list(found.tags)})
    elif found.tags:
        print(" ".join(found.tags))
