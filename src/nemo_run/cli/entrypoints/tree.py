"""A tree of commands, made of entrypoints and the groups above them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.cli.shared.groups import NamedGroup
from nemo_run.cli.shared.settings import HELP_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click

    from .entrypoint import Entrypoint


@dataclass
class Commands:
    """A group of commands to be.

    Attributes:
        name: Its name.
        help: The line about it.
        entries: The entrypoints in it.
        groups: The groups in it.
    """

    name: str
    help: str = ""
    entries: dict[str, Entrypoint] = field(default_factory=dict)
    groups: dict[str, Commands] = field(default_factory=dict)

    def put(self, place: Sequence[str], entry: Entrypoint) -> None:
        """Put an entrypoint below the groups of these names."""
        if not place:
            self.entries[entry.name] = entry
            return
        below = self.groups.setdefault(place[0], Commands(place[0], f"Commands of {place[0]}."))
        below.put(place[1:], entry)

    def group(self) -> click.Group:
        """Return it as a group of click; a command hides a group of the same name."""
        made = NamedGroup(self.name, help=self.help, context_settings={**HELP_SETTINGS})
        for below in self.groups.values():
            made.add_command(below.group())
        for entry in self.entries.values():
            entry.cli(made)
        return made
