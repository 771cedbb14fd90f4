"""``nemo-run experiment``: one command a module, imported when it is called."""

from __future__ import annotations

import click

from nemo_run.cli.shared.groups import LazyGroup, modules_of
from nemo_run.cli.shared.settings import common_options

_COMMANDS = {
    "list": "List experiments, newest first.",
    "show": "Show all that is known of an experiment: jobs, configuration, results.",
    "explain": "Say where a stored value came from.",
    "report": "Write all that is known of experiments as one web page.",
    "status": "Show where each job stands, and what to type next.",
    "logs": "Print the output of jobs, or follow it.",
    "metrics": "Show the numbers that jobs log while they run.",
    "artifacts": "List and copy the files that jobs leave.",
    "events": "Print what happened, or follow it: the journal.",
    "cancel": "End one job or all, with all their processes.",
    "shell": "Open a shell beside a running job, on its node.",
    "port-forward": "Reach a port of a running job's node from here.",
    "resume": "Go on with an experiment that stopped.",
    "verify": "Say whether an experiment can still be run again.",
    "diff": "Say what differs between two experiments.",
    "apply": "Bring the code of a run into a folder, as a git worktree.",
    "rerun": "Run the stored tasks once more, as a new experiment.",
    "export": "Write experiments into a file that opens on another machine.",
    "import": "Open experiments that were exported elsewhere.",
    "tag": "Tag an experiment, or take tags away.",
    "note": "Note something about an experiment.",
    "delete": "Remove experiments with all their files.",
    "gc": "Free space: old experiments, code that none needs, leftovers.",
    "reindex": "Rebuild the index that makes listing fast.",
}

_EPILOG = "ID is an experiment's id, the start of one, or a title (its newest experiment)."


@click.group(
    cls=LazyGroup,
    commands_of={
        **modules_of(__name__, _COMMANDS),
        # A module cannot have the name of a keyword.
        "import": (f"{__name__}.import_:command", _COMMANDS["import"]),
    },
    epilog=_EPILOG,
)
@common_options
def group() -> None:
    """List, show, follow, cancel, repeat and delete experiments."""
