"""Showing the configuration of a command instead of running it."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.config.overrides.explaining import Said

    from .context import RunContext
    from .execute import Ready

_RUN = "run."
_EXECUTOR = "run.executor."


def show(ready: Ready) -> int:
    """Write and print what ``--export``, ``--cfg`` and ``--explain`` ask for.

    Raises:
        OverrideError: A key is not there, a file cannot be of that form, or there is no output.
    """
    from nemo_run.cli.shared.settings import note

    if sys.__stdout__ is None and (ready.asked.cfg or ready.asked.explain):
        raise OverrideError("Standard output is closed, so there is nowhere to show it.")
    if ready.sweep is not None and not ready.run.quiet:
        note(f"Of {len(ready.sweep)} points this is {ready.sweep[0].name}.")
    for place, form in ready.asked.exports:
        from nemo_run.config.files.written_forms import export

        path = export(ready.task, place, form or None)
        if not ready.run.quiet:
            note(f"Written: {path}")
    if ready.asked.cfg:
        sys.stdout.write(_configuration(ready))
    if ready.asked.explain:
        _explain(ready, ready.asked.explain)
    return 0


def _configuration(ready: Ready) -> str:
    if ready.run.json:
        from nemo_run.config.files.written_forms import text_of

        return text_of(ready.task, "json", to_show=True)
    from nemo_run.config.files.commented import commented

    from .tasks import CONTEXT, takes_context

    return commented(ready.task, [CONTEXT] if takes_context(ready.entry) else ())


def _explain(ready: Ready, keys: Sequence[str]) -> None:
    from nemo_run.config.overrides.explaining import chain

    from .json_output import on_standard_error

    with on_standard_error():
        task, executor = _after_plugins(ready)
    told: dict[str, list[Said]] = {}
    for key in keys:
        if key.startswith(_EXECUTOR):
            inner = chain(executor, key.removeprefix(_EXECUTOR))
            told[key] = [replace(said, key=f"{_EXECUTOR}{said.key}") for said in inner]
        elif key.startswith(_RUN):
            told[key] = _of_run(ready.run, key)
        else:
            told[key] = chain(task, key)
    if ready.run.json:
        from nemo_run.cli.shared.settings import print_json

        documents = {key: [said_document(said) for said in chain_] for key, chain_ in told.items()}
        print_json(documents)
        return
    blocks = ["\n".join(chain_table(key, chain_)) for key, chain_ in told.items()]
    print("\n\n".join(blocks))


def _of_run(run: RunContext, key: str) -> list[Said]:
    """Return what was said of the run itself."""
    from nemo_run.cli.run_overrides.fields import own_fields
    from nemo_run.config.overrides.explaining import chain
    from nemo_run.config.overrides.grammar import Override, key_of, parse_key

    name = key.removeprefix(_RUN)
    if name in run.said_of_places:
        return list(run.said_of_places[name])
    if name == "config":
        name = "yaml"
    if name != "yaml":
        override = Override(key, parse_key(name))
        name = key_of(own_fields(type(run), [override])[0].steps)
    return [replace(said, key=f"{_RUN}{said.key}") for said in chain(run.said, name)]


def _after_plugins(ready: Ready) -> tuple[Any, Any]:
    """Return task and executor as they run: after plugins have edited them."""
    from nemo_run.config import Config
    from nemo_run.execution import LocalExecutor

    run = ready.run
    configured = run.executor_config if run.executor_config is not None else Config(LocalExecutor)
    if not run.plugins or ready.entry.type == "experiment":
        return ready.task, configured
    from nemo_run.management.describe.adding import job_alone

    return job_alone(ready.task, run.executor, run.plugins).task, configured


def said_document(said: Said) -> dict[str, Any]:
    """Return one thing that was said of a value, for ``--json``; secret values covered."""
    from .json_output import plain

    return {**asdict(said), "value": plain(_value(said))}


def _value(said: Said) -> Any:
    """Return a value without what is secret by its name."""
    from nemo_run.config.graph.history import Shown
    from nemo_run.masking import mask_shown

    if isinstance(said.value, Shown):
        return Shown(mask_shown(said.key, said.value))
    if isinstance(said.value, str):
        shown = mask_shown(said.key, repr(said.value))
        return said.value if shown == repr(said.value) else Shown(shown)
    return said.value


def chain_table(key: str, chain: Sequence[Said]) -> list[str]:
    """Return what was said of a value as a table; secret values covered."""
    from nemo_run.console.tables import Column, table
    from nemo_run.console.terminal import look_of

    if not chain:
        return [f"{key}: nothing was said of it, and it has no default."]
    columns = (
        Column("KEY", drop=1),
        Column("VALUE", least=12),
        Column("FROM"),
        Column("WHERE", least=20),
    )
    rows = [(said.key, repr(_value(said)), said.kind, _where(said)) for said in chain]
    return table(columns, rows, look_of(sys.stdout))


def _where(said: Said) -> str:
    return f"{said.place} {said.function or ''}".strip()
