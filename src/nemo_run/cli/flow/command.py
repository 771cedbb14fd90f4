"""An entrypoint as a command of click, and as a program."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.shared.program import program_name, run_program
from nemo_run.cli.shared.settings import HELP_SETTINGS, settings_of

from .options import with_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.cli.entrypoints.entrypoint import Entrypoint


_ABOUT_RUNS = """\
run.executor=NAME says where it runs and run.executor.FIELD=VALUE how; run.plugins=NAME edits it
before. Exit codes: 0 done, 1 it failed, 2 wrong use, 130 interrupted."""


class EntrypointCommand(click.Command):
    """The command of one entrypoint.

    Args:
        entry: The entrypoint.
        **settings: As :class:`click.Command` takes them.
    """

    def __init__(self, entry: Entrypoint, **settings: Any) -> None:
        super().__init__(entry.name, context_settings={**HELP_SETTINGS}, **settings)
        self.entry = entry

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the command line; what the workspace of this place has is known then."""
        from nemo_run.cli.workspace import load_workspace

        from .errors import refusing

        with refusing():
            load_workspace(sys.argv[0] if parent is None else None)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options; one that is a parameter of the function is told apart.

        Raises:
            click.UsageError: There is no such option.
        """
        try:
            return super().parse_args(ctx, list(args))
        except click.NoSuchOption as error:
            sentence = self._meant_by(error.option_name, args)
            if not sentence:
                raise
            message = f"No option {error.option_name!r}. {sentence}"
            raise click.UsageError(message, ctx) from None

    def _meant_by(self, option: str, args: Sequence[str]) -> str:
        from nemo_run.config.overrides.habits import names_of, written_as_option

        given = next((i for i, arg in enumerate(args) if arg.partition("=")[0] == option), None)
        if given is None:
            return written_as_option(option, None, names_of(self.entry.fn))
        _, equals, value = args[given].partition("=")
        following = args[given + 1] if given + 1 < len(args) else None
        if not equals and following and not following.startswith("-") and "=" not in following:
            value = following
        return written_as_option(option, value or None, names_of(self.entry.fn))

    def get_help(self, ctx: click.Context) -> str:
        """Return the text about the function's parameters and the options."""
        from nemo_run.cli.help import help_of
        from nemo_run.console.terminal import look_of

        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        records = [option.get_help_record(ctx) for option in options]
        text = help_of(
            self.entry,
            usage=f"{ctx.command_path} {' '.join(self.collect_usage_pieces(ctx))}",
            options=[record for record in records if record],
            look=look_of(sys.stdout),
        )
        return f"{text}\n\n{_ABOUT_RUNS}" if self.entry.enable_executor else text

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first line of its help."""
        from .short_help import first_line

        return first_line(self.entry, limit)


def command_of(entry: Entrypoint, defaults: Mapping[str, Any]) -> click.Command:
    """Return an entrypoint as a command of click, which returns an exit code.

    Args:
        entry: The entrypoint.
        defaults: What its options are where they are not given.
    """
    return _full(entry, defaults) if entry.enable_executor else _simple(entry)


def _full(entry: Entrypoint, defaults: Mapping[str, Any]) -> click.Command:
    def run(words: tuple[str, ...], **options: Any) -> int:
        from .execute import Call, execute

        context = click.get_current_context()
        if settings_of(context).verbose:
            options["verbose"] = True
        elif defaults.get("verbose"):
            settings_of(context).verbose = True
        return execute(Call(entry, words, options, defaults, context))

    command = EntrypointCommand(entry, callback=run, params=[_words()])
    with_options(command)
    return command


def _simple(entry: Entrypoint) -> click.Command:
    def run(words: tuple[str, ...]) -> int:
        from .execute import execute_simple

        return execute_simple(entry, words, settings_of(click.get_current_context()))

    command = EntrypointCommand(entry, callback=run, params=[_words()])
    # Its words are its own business, also those that look like options.
    command.context_settings["ignore_unknown_options"] = True
    return command


def _words() -> click.Argument:
    return click.Argument(
        ["words"],
        nargs=-1,
        type=click.UNPROCESSED,
        metavar="[KEY=VALUE]...",
        shell_complete=hooks.words,
    )


def run_as_program(entry: Entrypoint, words: Sequence[str], defaults: Mapping[str, Any]) -> int:
    """Run an entrypoint as a program of its own, and return the exit code.

    Args:
        entry: The entrypoint.
        words: The words after the program's name.
        defaults: What its options are where they are not given.
    """
    return run_program(command_of(entry, defaults), words, program_name())
