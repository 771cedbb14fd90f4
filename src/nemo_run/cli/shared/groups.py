"""Groups of commands: they suggest the nearest name, and import a command when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from nemo_run.exceptions import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


class NamedGroup(click.Group):
    """A group whose commands are known by name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; an unknown one is answered with the nearest."""
        name = args[0]
        if not name.startswith("-") and not self.knows(ctx, name):
            known = ", ".join(self.list_commands(ctx))
            message = f"No command {name!r}.{self.suggestion(name, ctx)} Commands: {known}."
            raise click.UsageError(message, ctx)
        return super().resolve_command(ctx, args)

    def knows(self, ctx: click.Context, name: str) -> bool:
        """Tell whether there is a command of that name, without importing it."""
        return name in self.list_commands(ctx)

    def suggestion(self, name: str, ctx: click.Context) -> str:
        """Return the sentence with the command that may have been meant, or an empty text."""
        return nearest(name, self.list_commands(ctx))


class LazyGroup(NamedGroup):
    """Commands known by name, place and one line of help.

    Args:
        commands_of: Name → (``module:attribute``, the line that ``--help`` shows).
        **settings: As :class:`click.Group` takes them.
    """

    def __init__(self, *, commands_of: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(**settings)
        self._commands_of = commands_of

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of the table."""
        return list(self._commands_of)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command and return it."""
        if cmd_name not in self._commands_of:
            return None
        module, _, attribute = self._commands_of[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        rows = [(name, line) for name, (_, line) in self._commands_of.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def suggestion(self, name: str, ctx: click.Context) -> str:
        """Return the command that may have been meant, also one of the groups below."""
        if "run" in self._commands_of and (".py" in name or ":" in name):
            return f" Write {ctx.command_path} run {name} to run a function."
        usual = _ELSEWHERE.get(name)
        longer = [one for one in self.list_commands(ctx) if one.startswith(name) or one == usual]
        if longer:
            return f" Did you mean {longer[0]!r}?"
        close = nearest(name, self.list_commands(ctx))
        if close:
            return close
        below = self._commands_below(ctx)
        close = nearest(name, below)
        for command, line in below.items():
            close = close.replace(f"'{command}'", f"'{line}'")
        return close

    def _commands_below(self, ctx: click.Context) -> dict[str, str]:
        """Return the commands of the groups among the commands, as they are typed."""
        groups = {name: LazyGroup.get_command(self, ctx, name) for name in self._commands_of}
        return {
            command: f"{ctx.command_path} {name} {command}"
            # The first group that has it counts.
            for name, group in reversed(groups.items())
            if isinstance(group, NamedGroup)
            for command in group.list_commands(ctx)
        }


def modules_of(package: str, lines: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return what :class:`LazyGroup` takes, for a package that has a module for each command.

    Args:
        package: The package's ``__name__``.
        lines: For each module the line that ``--help`` shows of its ``command``.
    """
    return {
        name: (f"{package}.{name.replace('-', '_')}:command", line) for name, line in lines.items()
    }


# What shells and other tools call a command → what it is called here.
_ELSEWHERE = {"ls": "list", "ps": "list", "rm": "delete", "kill": "cancel", "stop": "cancel"}
