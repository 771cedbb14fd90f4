"""What options and arguments of commands are completed with; click calls these.

Each is imported with every command, so it imports what it needs when it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    Items = list[CompletionItem[str]]


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def words(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer keys, values and factories of the entrypoint of a command."""
    from click.shell_completion import CompletionItem

    from .words import candidates, is_file

    entry = context.command.entry  # type: ignore[attr-defined]
    before = context.params.get("words") or ()
    found = candidates(entry, before, incomplete)
    items = [CompletionItem(one.text, help=one.help, partial=not one.complete) for one in found]
    if is_file(entry, incomplete):
        items.append(CompletionItem(incomplete, type="file"))
    return items


def keys(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the keys of the entrypoint of a command."""
    from click.shell_completion import CompletionItem

    from .words import keys

    before = context.params.get("words") or ()
    found = keys(context.command.entry, before, incomplete)  # type: ignore[attr-defined]
    return [CompletionItem(one.text, help=one.help, partial=not one.complete) for one in found]


def profiles(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the profiles that can be used from this folder."""
    from click.shell_completion import CompletionItem

    from .run_words import profiles

    found = (one.text for one in profiles())
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


def factories(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the factories of the function of a command, or files after ``@``."""
    from click.shell_completion import CompletionItem

    from nemo_run.config.factories import fitting

    from .values import first_line

    if incomplete.startswith("@"):
        return [CompletionItem(incomplete, type="file")]
    return [
        CompletionItem(factory.name, help=first_line(factory.doc))
        for factory in fitting(context.command.entry.fn)  # type: ignore[attr-defined]
        if factory.name.startswith(incomplete)
    ]


def targets(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer files, and the functions of one after its colon; the file is read, not run."""
    from click.shell_completion import CompletionItem

    file, colon, name = incomplete.rpartition(":")
    if not colon:
        return [CompletionItem(incomplete, type="file")]
    return [
        CompletionItem(f"{file}:{function}", help=text)
        for function, text in _functions(file).items()
        if function.startswith(name)
    ]


def _functions(file: str) -> dict[str, str]:
    import ast
    from pathlib import Path

    from .values import first_line

    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        node.name: first_line(ast.get_docstring(node))
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any("factory" in ast.unparse(one) for one in node.decorator_list)
    }


def experiments(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the ids of experiments, the newest first, and their titles."""
    from click.shell_completion import CompletionItem

    from nemo_run.management.index import rows

    found = rows(limit=_MOST).rows
    ids = [CompletionItem(row.id, help=row.state) for row in found]
    titles = dict.fromkeys(row.title for row in found)
    items = [*ids, *(CompletionItem(title, help="the newest of this title") for title in titles)]
    return [item for item in items if item.value.startswith(incomplete)]


def titles(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the titles of experiments."""
    from click.shell_completion import CompletionItem

    from nemo_run.management.index import rows

    found = dict.fromkeys(row.title for row in rows(limit=_MOST).rows)
    return [CompletionItem(title) for title in found if title.startswith(incomplete)]


def tags(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the tags that experiments have."""
    from click.shell_completion import CompletionItem

    from nemo_run.management.index import known_tags

    return [CompletionItem(tag) for tag in known_tags() if tag.startswith(incomplete)]


def facts(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer names of parameters and results, for the last word of a condition or a list."""
    import re

    from click.shell_completion import CompletionItem

    from nemo_run.management.index import known_names

    last = re.split(r"[\s(,]", incomplete)[-1].lstrip("-")
    before = incomplete[: len(incomplete) - len(last)]
    return [CompletionItem(before + name) for name in known_names() if name.startswith(last)]


def states(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer states, also behind a comma."""
    from click.shell_completion import CompletionItem

    from nemo_run.execution.observation import State

    before, comma, last = incomplete.rpartition(",")
    found = (str(state) for state in State if str(state).startswith(last.upper()))
    return [CompletionItem(before + comma + state) for state in found]


def jobs(context: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Offer the jobs of the experiment that was named."""
    from click.shell_completion import CompletionItem

    from nemo_run.exceptions import NemoRunError
    from nemo_run.management.operations import status
    from nemo_run.management.store.finding import find

    try:
        found = status(find(str(context.params.get("experiment")))).jobs
    except NemoRunError:
        return []
    return [
        CompletionItem(job, help=str(one.state))
        for job, one in found.items()
        if job.startswith(incomplete)
    ]


_MOST = 200
