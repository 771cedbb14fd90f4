"""``nemo-run completion``."""

from __future__ import annotations

from pathlib import Path

import click

from nemo_run.cli.shared.settings import common_options

_FILES = {
    "bash": "~/.bashrc",
    "zsh": "~/.zshrc",
    "fish": "~/.config/fish/completions/nemo-run.fish",
}

_EPILOG = (
    'Once: eval "$(nemo-run completion bash)". For good: put that line into ~/.bashrc, the same '
    "with zsh into ~/.zshrc; nemo-run completion fish > "
    "~/.config/fish/completions/nemo-run.fish."
)


@click.command("completion", epilog=_EPILOG)
@click.argument("shell", type=click.Choice(list(_FILES)))
@click.option(
    "--script",
    metavar="FILE",
    help="Complete a script of yours that calls run.cli.main, instead of nemo-run. It is asked, "
    "so it has to be executable: ./FILE key=value.",
)
@common_options
def command(shell: str, script: str | None) -> int:
    """Print what makes a SHELL complete keys, values, factories and options."""
    from .shells import source_of

    if script is not None:
        _check(script)
    print(source_of(shell, Path(script).name if script else "nemo-run"), end="")
    return 0


def _check(script: str) -> None:
    import os

    path = Path(script)
    if not path.is_file():
        raise click.BadParameter(f"There is no file {script}.", param_hint="--script")
    if not os.access(path, os.X_OK) or not path.read_bytes().startswith(b"#!"):
        raise click.BadParameter(
            f"{script} is not executable: its first line must be #!/usr/bin/env python3, and "
            f"chmod +x {script} be done.",
            param_hint="--script",
        )
    if b"cli.main(" not in path.read_bytes():
        # It will be started at every press of the key, and has to know why.
        raise click.BadParameter(
            f"{script} does not call run.cli.main(…), which answers the shell.",
            param_hint="--script",
        )
