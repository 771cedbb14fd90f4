"""The options of every command that is made of a function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.shared.settings import colour_option, verbose_option

if TYPE_CHECKING:
    from .context import RunContext


@dataclass(frozen=True)
class Asked:
    """The options that ask for something else than a run, or for many of them.

    Attributes:
        cfg: Print the configuration and stop.
        explain: Print where the values of these keys come from, and stop.
        exports: Write the configuration to these files (``path[:section]``), and stop; each with
            the form that was asked for by name, or an empty text.
        lazy: Make the task of names only; import the function in the job.
        sweep: Run every combination of the values that were given as choices.
        sweep_zip: Run the first values together, then the second ones, and so on.
        sweep_list: A file with the points to run.
        max_parallel: How many points run at once.
    """

    cfg: bool = False
    explain: tuple[str, ...] = ()
    exports: tuple[tuple[str, str], ...] = ()
    lazy: bool = False
    sweep: bool = False
    sweep_zip: bool = False
    sweep_list: str | None = None
    max_parallel: int | None = None


_EXPORTS = {"export": "", "to_yaml": "yaml", "to_toml": "toml", "to_json": "json"}
_OF_CONTEXT = {"as_json": "json", "yes": "skip_confirmation", "config": "yaml"}


def asked_of(values: dict[str, Any]) -> Asked:
    """Return what was asked for, out of the values of all options."""
    exports = tuple((place, form) for option, form in _EXPORTS.items() for place in values[option])
    names = ("cfg", "explain", "lazy", "sweep", "sweep_zip", "sweep_list", "max_parallel")
    return Asked(exports=exports, **{name: values[name] for name in names})


def with_exports(asked: Asked, run: RunContext) -> Asked:
    """Return what was asked for with the files that ``run.to_yaml=…`` and the like name."""
    named = ((run.to_yaml, "yaml"), (run.to_toml, "toml"), (run.to_json, "json"))
    more = tuple((place, form) for place, form in named if place)
    return replace(asked, exports=tuple(dict.fromkeys((*asked.exports, *more))))


def context_values(values: dict[str, Any]) -> dict[str, Any]:
    """Return what was given for the run, by field of :class:`RunContext`."""
    others = {*_EXPORTS, *Asked.__dataclass_fields__}
    # Of several files of one form a program sees the last one.
    exports = {name: values[name][-1] for name in _EXPORTS if name != "export" and values[name]}
    return exports | {
        _OF_CONTEXT.get(name, name): value
        for name, value in values.items()
        if name not in others and value is not None and value != ()
    }


def with_options(command: Any) -> Any:
    """Give a command all of the options; each is None, False or empty where it is not given."""
    for option in _options():
        command = option(command)
    return colour_option(verbose_option(command, "--verbose", "-v"))


def _options() -> list[Any]:
    flag, value, path = _flag, _value, "PATH[:SECTION]"
    return [
        flag("--yes", "-y", "--no-confirm", name="yes", help="Do not ask before it runs."),
        flag("--dryrun", help="Print what would be done, and stop."),
        flag("--detach", help="Return at once; the run goes on."),
        flag("--direct/--no-direct", help="Run in this process, and keep no record."),
        value("--name", "-n", help="What to call the experiment."),
        value(
            "--factory", "-f", shell_complete=hooks.factories,
            help="Begin with what it makes: NAME, NAME(key=value), @FILE.",
        ),
        value(
            "--config", "-c", "--yaml", name="config", multiple=True, metavar=path,
            shell_complete=hooks.files,
            help="Take values from a YAML, TOML or JSON file; several are laid over each other.",
        ),
        flag("--tail-logs/--no-tail-logs", help="Show the output of the jobs."),
        flag("--cfg", is_set=False, help="Print the configuration, and stop."),
        value(
            "--explain", multiple=True, metavar="KEY", shell_complete=hooks.keys,
            help="Print where the value of KEY comes from, and stop.",
        ),
        value(
            "--export", multiple=True, metavar=path, shell_complete=hooks.files,
            help="Write the configuration to a file, and stop; its suffix says in which form.",
        ),
        *(
            value(f"--to-{form}", multiple=True, metavar=path, help=f"The same as {form.upper()}.")
            for form in ("yaml", "toml", "json")
        ),
        flag("--sweep", is_set=False, help="Run every combination of choice(…) and range(…)."),
        flag("--sweep-zip", is_set=False, help="Run the choices side by side."),
        value(
            "--sweep-list", metavar="FILE", shell_complete=hooks.files,
            help="Run the points of a file.",
        ),
        value("--max-parallel", type=click.IntRange(min=1), metavar="N", help="Points at once."),
        flag("--repl", "-r", help="Open Python with the task, and run nothing."),
        flag("--lazy", is_set=False, help="Import the function in the job only."),
        flag("--json", name="as_json", help="Print one JSON document."),
        flag("--quiet", "-q", help="Say nothing but errors."),
        *_hidden(),
    ]  # fmt: skip


def _hidden() -> list[Any]:
    """How tracebacks of the function look, as programs of the reference implementation say it."""
    return [
        _flag("--rich-exceptions/--no-rich-exceptions", hidden=True),
        _flag("--rich-traceback-full/--rich-traceback-short", name="rich_traceback", hidden=True),
        _flag("--rich-show-locals/--rich-hide-locals", name="rich_locals", hidden=True),
        _value("--rich-theme", hidden=True),
    ]


def _flag(*names: str, name: str = "", is_set: bool = True, **settings: Any) -> Any:
    # None where it is not given, for the defaults of the program may say something else.
    default = None if is_set else False
    return click.option(*names, *filter(None, [name]), is_flag=True, default=default, **settings)


def _value(*names: str, name: str = "", **settings: Any) -> Any:
    return click.option(*names, *filter(None, [name]), **settings)
