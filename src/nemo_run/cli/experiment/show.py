"""``nemo-run experiment show``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.documents import status_document
from nemo_run.cli.experiment.shared.job_view import JobView, view
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json, settings_of
from nemo_run.console.terminal import Look, visible
from nemo_run.console.times import ago, duration, moment, size
from nemo_run.management.looking import looked_at
from nemo_run.management.sweep_table import DURATION, JOB, STATE, points, table_of
from nemo_run.masking import mask_all, mask_arguments

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus
    from nemo_run.management.sweep_table import Table

_MOST_FILES = 40
_NARROW = 6


@click.command("show")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("--history", is_flag=True, help="Say where each value was set.")
@click.option("--files", is_flag=True, help="List the files of each job.")
@click.option("--csv", "as_csv", is_flag=True, help="Print only the table of results, as CSV.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    experiment: str,
    job: str | None,
    history: bool,
    files: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show all that is known of an experiment, or of one JOB of it.

    Who started it and how, the code's state, and for each job its configuration, environment,
    and results; --files lists the files of each. The points of a sweep are shown as a table of
    what was varied and returned. None of the experiment's own code is imported.
    """
    record = record_of(experiment)
    status = looked_at(record)
    jobs = [job_of(record, job)] if job is not None else [str(j["id"]) for j in record.jobs]
    if as_csv:
        if as_json:
            raise click.UsageError("Give --csv or --json, not both.", context)
        sys.stdout.write(table_of(record, status, job and jobs).csv())
        return
    swept = points(record) if job is None else {}
    if swept and not (as_json or files or history):
        jobs = [one for one in jobs if one not in swept]
    look = settings_of(context).look
    views = [view(record, status, one, history=history, width=look.width) for one in jobs]
    if as_json:
        print_json(_document(record, status, views))
        return
    lines = _head(record, status, look, time.time())
    if swept:
        lines += ["", *_sweep(table_of(record, status), look)]
    for one in views:
        lines += ["", *_job(one, look)]
        if files:
            lines += _files(record, one)
    print("\n".join(lines))


def _sweep(swept: Table, look: Look) -> list[str]:
    """Return the table of the points: where not all columns fit, first those to the right go."""
    from nemo_run.console.tables import Column, table

    head, rows, right = swept.shown()
    columns = [
        Column(
            name.upper() if name in (JOB, STATE, DURATION) else visible(name),
            least=_NARROW,
            right=at in right,
            drop=len(head) - at if name in swept.results else None,
            style=_state if name == STATE else None,
        )
        for at, name in enumerate(head)
    ]
    for row, values in zip(rows, swept.rows, strict=True):
        took = values[DURATION]
        row[head.index(DURATION)] = "" if took is None else duration(took)
    return table(columns, rows, look)


def _state(look: Look, text: str) -> str:
    return look.state(text.strip())


def _document(record: Record, status: ExperimentStatus, views: list[JobView]) -> dict[str, Any]:
    states = {job["id"]: job for job in status_document(record, status)["jobs"]}
    meta = {key: value for key, value in record.meta.items() if key != "jobs"}
    return {
        **_masked(meta),
        "id": record.id,
        "path": str(record.path),
        "state": str(status.state),
        "started": status.started,
        "ended": status.ended,
        "jobs": [{**one.document, **states.get(one.id, {}), **one.to_json()} for one in views],
        "table": table_of(record, status, [one.id for one in views]).documents(),
    }


def _masked(meta: dict[str, Any]) -> dict[str, Any]:
    shown = dict(meta)
    words = meta.get("argv")
    shown["argv"] = mask_arguments([str(w) for w in words]) if isinstance(words, list) else []
    if isinstance(meta.get("environment"), dict):
        shown["environment"] = mask_all({k: str(v) for k, v in meta["environment"].items()})
    return shown


def _head(record: Record, status: ExperimentStatus, look: Look, now: float) -> list[str]:
    import shlex

    meta = _masked(record.meta)
    python, packages = meta.get("python"), meta.get("packages")
    if isinstance(python, dict):
        python = f"{python.get('version', '')} ({python.get('executable', '')})"
    ran = None
    if status.started is not None:
        ran = (now if status.ended is None else status.ended) - status.started
    facts = {
        "Title": record.title,
        "State": look.state(str(status.state)),
        "Created": f"{moment(record.created)} ({ago(record.created, now)})",
        "Ran": duration(ran) if ran is not None else "",
        "By": "@".join(str(meta[key]) for key in ("user", "host") if meta.get(key)),
        "Folder": str(record.path),
        "Rerun of": str(meta.get("rerun_of") or ""),
        "Command": shlex.join(map(str, meta.get("argv") or [])),
        "In": str(meta.get("cwd") or ""),
        "Python": str(python or ""),
        "Git": _git(meta.get("git")),
        "Packages": f"{len(packages)} (see --json)"
        if isinstance(packages, dict) and packages
        else "",
    }
    lines = [look.paint(visible(record.id), "bold")]
    for name, value in facts.items():
        if value:
            shown = value if name == "State" else visible(value)
            lines.append(f"  {name:<9} {shown}")
    return lines


def _git(git: Any) -> str:
    if not isinstance(git, dict):
        return ""
    commit = str(git.get("commit") or "")[:12] or "no commit yet"
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{commit}{branch}{', with changes' if git.get('dirty') else ''}"


def _job(one: JobView, look: Look) -> list[str]:
    after = ", ".join(_edge(edge) for edge in one.document.get("dependencies", ()))
    state = look.state(one.state.split(" ")[0], one.state)
    lines = [f"{look.paint(f'Job {visible(one.id)}', 'bold')}  {state}"]
    if one.document.get("executor"):
        lines.append(f"  On        {visible(str(one.document['executor']))}")
    if after:
        lines.append(f"  After     {visible(after)}")
    code = one.document.get("code")
    if isinstance(code, dict):
        summary = f"{code.get('summary') or 'of an earlier run'}, git tree {code.get('tree')}"
        lines.append(f"  Code      {visible(summary)}")
    for member in one.members:
        several = len(one.members) > 1
        indent = "  "
        if several:
            lines.append(f"  {look.paint(visible(member.name), 'bold')}")
            indent = "    "
        lines += _section("Command", [member.command], indent)
        lines += _section(
            "Environment", [f"{k}={v}" for k, v in member.environment.items()], indent
        )
        lines += _section("Configuration", member.configuration.splitlines(), indent)
        lines += _section("Result", member.result.splitlines(), indent)
    return lines


def _files(record: Record, one: JobView) -> list[str]:
    files = [f"{file.path}  {size(file.size)}" for file in one.files[:_MOST_FILES]]
    if len(one.files) > _MOST_FILES:
        files.append(f"and {len(one.files) - _MOST_FILES} more")
    return _section(f"Files in {record.job_dir(one.id)}", files, "  ")


def _section(title: str, content: list[str], indent: str) -> list[str]:
    if not any(content):
        return []
    return [f"{indent}{title}", *(f"{indent}  {visible(line)}" for line in content)]


def _edge(edge: Any) -> str:
    if not isinstance(edge, dict):
        return str(edge)
    kind = edge.get("kind", "afterok")
    return str(edge["job"]) + (f" ({kind})" if kind != "afterok" else "")
