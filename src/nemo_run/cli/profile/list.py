"""``nemo-run profile list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.shared.settings import common_options, json_option, print_json, settings_of
from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import visible
from nemo_run.exceptions import OverrideError
from nemo_run.execution.kinds import unknown_kind
from nemo_run.execution.profile_files import places, read_layers
from nemo_run.execution.profiles import Profiles
from nemo_run.execution.registry import is_backend

if TYPE_CHECKING:
    from nemo_run.console.terminal import Look

_COLUMNS = (
    Column("NAME", least=8),
    Column("EXECUTOR", least=8),
    Column("EXTENDS", drop=1),
    Column("FROM", least=20, drop=2),
)


@click.command("list")
@json_option
@common_options
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """List the executor profiles that can be used from this folder.

    Nothing that a file names is imported, so values are checked by `nemo-run profile show`. The
    default is marked with *.
    """
    document = _document(Profiles(read_layers()))
    if as_json:
        print_json(document)
        return
    print("\n".join(_lines(document, settings_of(context).look)))


def _document(profiles: Profiles) -> dict[str, Any]:
    read = {layer.file for layer in profiles.layers}
    default = profiles.default
    return {
        "default_executor": default.value if default else None,
        "profiles": [_described(profiles, name) for name in profiles.names],
        "files": [
            {"layer": place.layer, "path": str(place.path), "read": str(place.path) in read}
            for place in places()
        ],
    }


def _described(profiles: Profiles, name: str) -> dict[str, Any]:
    try:
        profile = profiles.get(name)
    except OverrideError as error:
        return {"name": name, "executor": None, "extends": [], "sources": [], "error": str(error)}
    unknown = unknown_kind(profile.kind.value)
    return {
        "name": name,
        "executor": profile.kind.value,
        "extends": list(profile.parents),
        "sources": [vars(source) for source in profile.sources if source.profile == name],
        "error": f"{profile.kind.place}: {unknown}" if unknown else None,
    }


def _lines(document: dict[str, Any], look: Look) -> list[str]:
    default = document["default_executor"]
    rows = [
        [
            f"{one['name']}{' *' if one['name'] == default else ''}",
            "DAMAGED" if one["error"] else one["executor"],
            ", ".join(one["extends"]),
            one["error"] or ", ".join(f"{s['layer']} {s['place']}" for s in one["sources"]),
        ]
        for one in document["profiles"]
    ]
    lines = table(_COLUMNS, rows, look) if rows else ["No profiles."]
    if default is not None and default not in {one["name"] for one in document["profiles"]}:
        what = "" if is_backend(default) else ", which is no profile"
        lines.append(f"Default: {visible(default)}{what}")
    files = [
        f"  {one['layer']:<8}{visible(one['path'])}{'' if one['read'] else ' (not there)'}"
        for one in document["files"]
    ]
    return [*lines, "", look.paint("Files, what comes later wins", "bold"), *files]
