"""A click group that answers an unknown name with the nearest, and with all there are."""

from __future__ import annotations

import click

from nemo_run.exceptions import nearest


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
