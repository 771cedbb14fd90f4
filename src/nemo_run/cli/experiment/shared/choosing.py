"""The options by which commands choose among experiments, and the question that they make."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.exceptions import nearest
from nemo_run.execution.observation import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.index import Answer, Question

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_WILD = frozenset("*?[")
# So many are read in less than a second.
_QUICK = 1000


def states_of(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> list[State]:
    """Return the states that were named."""
    names = [name.strip().upper() for text in texts for name in text.split(",")]
    for name in names:
        if name not in State.__members__:
            known = ", ".join(State.__members__)
            raise click.BadParameter(
                f"{name!r} is no state.{nearest(name, State.__members__)} States: {known}."
            )
    return [State(name) for name in names]


def seconds_of(text: str) -> int | None:
    """Return the seconds of a span, as ``3d``; None where it is none."""
    if text[:-1].isdecimal() and text[-1] in _UNITS:
        return int(text[:-1]) * _UNITS[text[-1]]
    return None


def moment_of(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> float | None:
    """Return a moment in seconds since the epoch: that of a date, or a span before now."""
    if text is None:
        return None
    span = seconds_of(text)
    if span is not None:
        return time.time() - span
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is neither a span (90s, 30m, 12h, 3d, 2w) nor a date (2026-03-01 or "
            "2026-03-01T14:05)."
        ) from None


def choosing_options(command: Any) -> Any:
    """Give a command the options that choose among experiments."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--title", "titles", metavar="TITLE", shell_complete=hooks.titles,
        help="Only those with this title, or one that fits a pattern: 'llm-*'.",
    ),
    click.option(
        "--state", "states", multiple=True, callback=states_of, metavar="STATE",
        shell_complete=hooks.states, help="Only these: RUNNING, or FAILED,LOST.",
    ),
    click.option(
        "--where", metavar="CONDITION", shell_complete=hooks.facts,
        help="Only those with a job that this is true of: 'lr < 1e-3 and accuracy > 0.9'.",
    ),
    click.option(
        "--tag", "tags", multiple=True, metavar="TAG", shell_complete=hooks.tags,
        help="Only those with this tag; several times: with all of them.",
    ),
    click.option("--user", metavar="NAME", help="Only those of this user."),
    click.option(
        "--executor", metavar="KIND", help="Only those with a job on such an executor: slurm.",
    ),
    click.option(
        "--since", callback=moment_of, metavar="WHEN",
        help="Only those made since: 12h, 3d or 2026-03-01.",
    ),
    click.option(
        "--until", callback=moment_of, metavar="WHEN",
        help="Only those made before: 30d or 2026-03-01.",
    ),
)  # fmt: skip

NAMES = ("titles", "states", "where", "tags", "user", "executor", "since", "until")


def chosen(options: dict[str, Any]) -> bool:
    """Tell whether any of the options was given."""
    return any(options[name] not in (None, (), []) for name in NAMES)


def question(
    options: dict[str, Any],
    *,
    sort: Sequence[str] = (),
    columns: Sequence[str] = (),
    limit: int | None = None,
) -> Question:
    """Return the question that the options ask."""
    from nemo_run.management.index import Question

    titles = options["titles"]
    wild = titles is not None and not _WILD.isdisjoint(titles)
    return Question(
        states=[str(state) for state in options["states"]] or None,
        title=None if wild else titles,
        titles=titles if wild else None,
        tags=options["tags"],
        user=options["user"],
        executor=options["executor"],
        since=options["since"],
        until=options["until"],
        where=options["where"],
        sort=sort,
        columns=columns,
        limit=limit,
    )


def answered(asked: Question) -> Answer:
    """Return the answer to a question; a line at a terminal tells while many are read.

    Raises:
        PlanError: The condition or a name cannot be used.
    """
    from nemo_run.console.progress import Progress
    from nemo_run.management.index import ask

    with Progress() as progress:

        def told(done: int, of: int) -> None:
            if of > _QUICK:
                progress.show(f"Reading what changed: {done:,} of {of:,} experiments")

        return ask(asked, told)
