"""Which secrets a job needs, and the checks that nothing of one is written down. Pure but for them.

The values are looked up to see that they are there, and to look for them in what would be sent.
No plan holds one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nemo_run.config.secret import Secret, secrets_in
from nemo_run.exceptions import PlanError, SecretError

from .code import relative
from .environment import RESERVED
from .quoting import is_variable
from .secrets import SHORTEST_TOLD, argument_variable, source_of, standing_in, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .code import Code
    from .jobspec import JobSpec

Sources = dict[str, Secret]
"""Variable → the secret that a member's processes find there."""


def split(given: Mapping[str, Any] | None, where: str) -> tuple[dict[str, Any], Sources]:
    """Return plain variables and those that are secrets.

    Args:
        given: Names and values.
        where: What to call the mapping in an error.

    Raises:
        PlanError: A secret has a name that a shell cannot hold.
    """
    secret = {name: one for name, one in (given or {}).items() if isinstance(one, Secret)}
    for name, one in secret.items():
        if not is_variable(str(name)) or name in RESERVED:
            raise PlanError(
                f"{where} gives {one!r} to {name!r}; a variable with a secret needs a name of "
                "letters, digits and underscores that means nothing else."
            )
    return {n: v for n, v in (given or {}).items() if n not in secret}, secret


def joined(layers: list[tuple[dict[str, str], Sources]]) -> tuple[dict[str, str], Sources]:
    """Return layers of variables as one; the last that names a variable says what it is."""
    plain: dict[str, str] = {}
    secret: Sources = {}
    for values, sources in layers:
        plain = {n: v for n, v in plain.items() if n not in sources} | values
        secret = {n: s for n, s in secret.items() if n not in values} | sources
    return plain, secret


def of_arguments(task: Any) -> Sources:
    """Return the variables by which the secrets among the arguments of a task come to it."""
    return {argument_variable(one.name): one for one in secrets_in(task)}


def sources_of(members: list[Sources], folder: str, job: str) -> dict[str, str]:
    """Return the name of each secret of a job → where it is found.

    Args:
        members: The variables of its members.
        folder: What relative paths are below.
        job: What to call the job.

    Raises:
        PlanError: A name stands for two places.
    """
    found: dict[str, str] = {}
    for secret in (one for sources in members for one in sources.values()):
        source = source_of(secret, folder)
        if found.setdefault(secret.name, source) != source:
            raise PlanError(
                f"The secret {secret.name} of job {job!r} is found at {found[secret.name]} and at "
                f"{source}; a name stands for one value. Give one of them another name."
            )
    return found


def check(spec: JobSpec, environment: Mapping[str, str], code: Code | None = None) -> None:
    """Refuse a job whose secrets are not there, or stand in plain text in what would be sent.

    Args:
        spec: The job.
        environment: What the launcher was started with.
        code: What travels with it.

    Raises:
        SecretError: It names the secret, and the place.
    """
    if not spec.secrets:
        return
    values = values_of(spec, environment)
    _check_files(spec, code)
    name, where = standing_in(values, _texts(spec))
    if name:
        raise SecretError(
            f"The value of the secret {name} stands in plain text in {where} of job {spec.job!r}, "
            f"which would be written down. Use run.Secret({name!r}) there, or let the task read "
            "its environment variable."
        )


def _check_files(spec: JobSpec, code: Code | None) -> None:
    """Refuse secrets whose own file would travel with the code."""
    for name, source in spec.secrets.items():
        path = source.removeprefix("file:")
        inside = relative(path, code.root) if code and source.startswith("file:") else None
        if code and inside is not None and (code.holds is None or code.holds(inside)):
            raise SecretError(
                f"The secret {name} is found in {path}, which is part of the code that travels "
                f"with job {spec.job!r}, and would be kept with it. Name it in .gitignore, or move "
                "it out of the project."
            )


def check_code(
    spec: JobSpec, environment: Mapping[str, str], files_with: Callable[[list[bytes]], list[str]]
) -> None:
    """Refuse a job with whose code the value of one of its secrets would travel.

    Args:
        spec: The job.
        environment: What the launcher was started with.
        files_with: Returns the files of the code that hold one of some lines.

    Raises:
        SecretError: It names the secret and the file.
    """
    for name, found in values_of(spec, environment).items():
        line = max(found.split("\n"), key=len)
        raw = line.encode("utf-8", "surrogateescape")
        files = files_with([raw]) if len(line) >= SHORTEST_TOLD else []
        if files:
            raise SecretError(
                f"The value of the secret {name} stands in plain text in {files[0]}, which is part "
                f"of the code that travels with job {spec.job!r}. Take it out of the file, or name "
                "the file in .gitignore."
            )


def _texts(spec: JobSpec) -> Iterator[tuple[str, str]]:
    for member in spec.members:
        for word in member.command:
            yield f"the command of {member.name}", word
        for name, text in member.environment.items():
            yield f"the variable {name} of {member.name}", text
        for name, text in member.files.items():
            yield _FILES.get(name, name), text
    yield "the executor's options", json.dumps(spec.options, default=repr)
    yield "the names", f"{spec.directory}\0{spec.experiment}\0{spec.job}"


_FILES = {
    "task.json": "the arguments of the task (task.json)",
    "task.yaml": "the arguments of the task (task.yaml)",
    "executor.json": "the executor",
    "worker.json": "the command line that launches it (worker.json)",
    "configs/__main__.py": "the launching script, which travels,",
}
