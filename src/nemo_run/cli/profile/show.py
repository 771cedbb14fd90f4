"""``nemo-run profile show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import visible
from nemo_run.exceptions import ConfigError, NotFoundError, PlanError
from nemo_run.execution.kinds import is_place
from nemo_run.execution.profile_files import read_layers
from nemo_run.execution.profiles import KIND, Profiles, leaves
from nemo_run.masking import mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.console.terminal import Look
    from nemo_run.execution.profiles import Profile, Setting

_COLUMNS = (Column("FIELD", least=12), Column("VALUE", least=12), Column("FROM", drop=1))


@click.command("show")
@click.argument("name", metavar="NAME", shell_complete=hooks.profiles)
@json_option
@common_options
@click.pass_context
def command(context: click.Context, name: str, as_json: bool) -> int:
    """Show the values of a profile with all that it inherits, and where each was written.

    ${...} is shown as it is written, and what its name tells to be secret as ***. The values are
    checked, unless a class would have to be imported by its place. The exit code is 1 where
    something is wrong.
    """
    profiles = Profiles(read_layers())
    if name not in profiles:
        raise NotFoundError(profiles.unknown(name))
    profile = profiles.get(name)
    imported = next((kind for kind in _kinds(profile) if is_place(kind)), None)
    checked = imported is None
    error = _error(profile) if checked else None
    if as_json:
        print_json({**_document(profile), "checked": checked, "error": error})
    else:
        print("\n".join(_lines(profile, settings_of(context).look)))
        if error:
            note(f"error: {error}")
        elif not checked:
            note(f"Not checked: {imported} is imported when the profile is used.")
    return 1 if error else 0


def _kinds(profile: Profile) -> Iterator[str]:
    """Yield what a profile says of its kind and of those of the tables inside."""
    yield profile.kind.value
    for path, setting in leaves(profile.fields):
        if path[-1] == KIND and isinstance(setting.value, str):
            yield setting.value


def _error(profile: Profile) -> str | None:
    """Return what is wrong with the values; None where they fit."""
    from nemo_run.execution.profile_config import config_of

    try:
        config_of(profile)
    except (ConfigError, PlanError) as error:
        return str(error)
    return None


def _document(profile: Profile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "executor": profile.kind.value,
        "extends": list(profile.parents),
        "sources": [vars(source) for source in profile.sources],
        "fields": [
            {
                "path": list(path),
                "value": _shown(path, setting.value),
                "file": setting.file,
                "line": setting.line,
            }
            for path, setting in leaves(profile.fields)
        ],
    }


def _shown(path: tuple[str, ...], value: Any) -> Any:
    if path[0] == "env_vars" and path[2:] == ("secret",):
        return value  # of a secret it is the name
    return mask(path[-1], value) if isinstance(value, str) else value


def _lines(profile: Profile, look: Look) -> list[str]:
    lines = [look.paint(visible(profile.name), "bold")]
    if profile.parents:
        lines.append(f"  Extends  {visible(', '.join(profile.parents))}")
    lines += [f"  From     {visible(str(source))}" for source in profile.sources]
    rows = [_row(("executor",), profile.kind)]
    rows += [_row(path, setting) for path, setting in leaves(profile.fields)]
    return [*lines, "", *table(_COLUMNS, rows, look)]


def _row(path: tuple[str, ...], setting: Setting) -> list[str]:
    value = _shown(path, setting.value)
    return [".".join(path), value if isinstance(value, str) else repr(value), setting.place]
