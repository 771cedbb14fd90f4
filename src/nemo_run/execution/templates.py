"""Users' Jinja2 templates of commands. Jinja2 is loaded when one is rendered."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError

from .quoting import words
from .scripts import Place, Program, program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .executor import Executor
    from .launcher import Launcher, SlurmTemplate


def transformed(
    executor: Executor, launcher: Launcher, command: tuple[str, ...], place: Place
) -> Program:
    """Return what a launcher that writes commands anew makes of one; else the command.

    Args:
        executor: Where it runs.
        launcher: The launcher.
        command: The argument list of a process.
        place: Where it runs, as scripts need to know it.

    Raises:
        PlanError: The executor's jobs cannot run what the launcher makes, or it makes nothing.
    """
    script = launcher.transform(list(command))
    if script is None:
        return Program(command)
    if not executor.supports_launcher_transform():
        raise PlanError(
            f"{type(launcher).__name__} writes commands anew, which {type(executor).__name__} does "
            f"not support; it is for SlurmExecutor."
        )
    return program(script, dataclasses.replace(place, name=f"{place.name}-launch"))


def rendered(launcher: SlurmTemplate, command: Sequence[str]) -> str:
    """Return the text that a launcher's template makes of a command.

    Args:
        launcher: The launcher.
        command: The argument list of a process.

    Raises:
        PlanError: The template is missing or wrong, or names what it is not given.
    """
    where = "template_inline"
    text = launcher.template_inline
    if not text:
        where = str(launcher.template_path)
        text = _read(Path(where))
    return filled(text, {"command": words(command), **launcher.template_vars}, where)


def fill_template(
    template_name: str, variables: Mapping[str, Any], template_dir: str | None = None
) -> str:
    """Return a template file filled in.

    Args:
        template_name: Its name, or its path.
        variables: What it may name.
        template_dir: The folder it lies in; by default the current one.

    Raises:
        PlanError: It is missing or wrong, or names what it is not given.
    """
    path = Path(template_dir or "", template_name)
    return filled(_read(path), variables, str(path))


def filled(text: str, variables: Mapping[str, Any], where: str) -> str:
    """Return a template's text filled in.

    Args:
        text: The template.
        variables: What it may name.
        where: What to call it in an error.

    Raises:
        PlanError: It is wrong, or names what it is not given.
    """
    import jinja2

    # The result is a script for a shell, no page of the web.
    environment = jinja2.Environment(  # noqa: S701
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    try:
        return environment.from_string(text).render(variables)
    except jinja2.TemplateSyntaxError as error:
        raise PlanError(f"The template {where} is wrong in line {error.lineno}: {error}.") from None
    except jinja2.UndefinedError as error:
        known = ", ".join(sorted(variables))
        raise PlanError(
            f"The template {where} names what it is not given: {error}. It is given {known}; more "
            f"comes from template_vars."
        ) from None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise PlanError(f"The template {path} cannot be read: {error.strerror}.") from error
