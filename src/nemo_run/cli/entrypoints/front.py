"""The front of a program: our own commands, those of installed packages, those of this process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.shared.groups import LazyGroup
from nemo_run.cli.shared.program import program_name, run_program
from nemo_run.cli.shared.settings import HELP_SETTINGS, common_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .installed import Point
    from .tree import Commands


class FrontGroup(LazyGroup):
    """Commands of a table, and after them those that others bring.

    Args:
        commands_of: As :class:`~nemo_run.cli.shared.groups.LazyGroup` takes them; they come first.
        of_process: Take in the entrypoints that this process has registered.
        **settings: As :class:`click.Group` takes them.
    """

    def __init__(
        self,
        *,
        commands_of: Mapping[str, tuple[str, str]],
        of_process: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(commands_of=commands_of, **settings)
        self._of_process = of_process

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names: ours, those of packages, those of this process."""
        return list(dict.fromkeys([*super().list_commands(ctx), *self._points(), *self._own()]))

    def knows(self, ctx: click.Context, name: str) -> bool:
        """Tell whether there is a command of that name."""
        # What is ours costs no look around.
        return (
            name in self._commands_of
            or name in self.list_commands(ctx)
            or name in self._points(thorough=True)
        )

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or the package that brings it, and return it."""
        ours = super().get_command(ctx, cmd_name)
        if ours is not None:
            return ours
        points = self._points().get(cmd_name) or self._points(thorough=True).get(cmd_name)
        if points:
            from .packages import command_of_points

            return command_of_points(points)
        return self._own().get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lists of commands without importing them."""
        super().format_commands(ctx, formatter)
        points, own = self._points(), self._own()
        shown = {
            name: _line(here) for name, here in points.items() if name not in self._commands_of
        }
        if shown:
            with formatter.section("Commands of installed packages"):
                formatter.write_dl(list(shown.items()))
        rest = [(n, c.get_short_help_str(80)) for n, c in own.items() if n not in shown]
        if rest:
            with formatter.section("Commands of this program"):
                formatter.write_dl(rest)

    def main(self, args: Sequence[str] | None = None, *_: Any, **settings: Any) -> Any:
        """Run it as a program: end the process with its code.

        Args:
            args: The words; None for those of this process.
            **settings: ``prog_name``; and ``standalone_mode=False`` returns the code instead.
        """
        code = run_program(
            self,
            sys.argv[1:] if args is None else list(args),
            settings.get("prog_name") or program_name(),
        )
        if settings.get("standalone_mode", True):
            sys.exit(code)
        return code

    def _points(self, *, thorough: bool = False) -> dict[str, list[Point]]:
        from .installed import installed_points

        return installed_points(thorough=thorough)

    def _own(self) -> dict[str, click.Command]:
        from nemo_run.cli.flow.errors import refusing
        from nemo_run.cli.workspace import load_workspace

        with refusing():
            has_workspace = load_workspace() is not None
        if not self._of_process and not has_workspace:
            return {}
        group = _of_process().group()
        return {name: group.commands[name] for name in group.commands}


def _line(points: Sequence[Point]) -> str:
    names = ", ".join(sorted({point.distribution for point in points}))
    return f"Commands of the package {names}."


def _of_process() -> Commands:
    from .registry import entrypoints
    from .tree import Commands

    commands = Commands("")
    for entry in entrypoints():
        # What has no namespace of its own stands at the front.
        steps = (entry.given_namespace or "").split(".")
        commands.put([step for step in steps if step], entry)
    return commands


def create_cli(
    add_verbose_callback: bool = False,  # noqa: ARG001 - every command has --verbose
    nested_entrypoints_creation: bool = True,
) -> FrontGroup:
    """Return the commands of this library and of this program, to be called.

    ::

        import my_package.commands

        app = run.cli.create_cli()
        app()

    Args:
        add_verbose_callback: Kept for programs that give it; ``--verbose`` is always there.
        nested_entrypoints_creation: Take in the entrypoints that this process has registered.
    """
    from nemo_run.cli.app import COMMANDS

    @click.group(
        cls=FrontGroup,
        commands_of=COMMANDS,
        of_process=nested_entrypoints_creation,
        context_settings={**HELP_SETTINGS},
    )
    @common_options
    def front() -> None:
        """Configure, execute and manage machine-learning experiments."""

    made: FrontGroup = front
    return made
