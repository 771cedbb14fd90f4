"""Secrets of jobs: where each is found, its value when a job is started, and how it is told on.

A :class:`~nemo_run.execution.jobspec.JobSpec` names its secrets and holds no value. A backend that
starts a job asks :func:`values_of` at that moment, gives the text of :func:`assignments` to the
processes of the job on a way that is no argument, no script and no log, and lets them carry out
:func:`exports`. What it leaves on a target for that is removed when the job has ended.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nemo_run import masking
from nemo_run.exceptions import SecretError
from nemo_run.worker.worker import SECRET_NAMES, SECRET_PREFIX

from .environment import LONGEST
from .quoting import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nemo_run.config.secret import Secret

    from .jobspec import JobSpec, Member

SHORTEST_TOLD = 8
"""A shorter value may stand anywhere by chance; it is not looked for in what is sent."""

_SHELL_PREFIX = "nemorun_secret_"


def source_of(secret: Secret, folder: str) -> str:
    """Return where a secret is found, as a text: ``env:HF_TOKEN``, ``file:/path``, ``keyring:a/b``.

    Args:
        secret: The secret.
        folder: What a relative path is below.
    """
    if secret.file is not None:
        return f"file:{os.path.join(folder, os.path.expanduser(secret.file))}"  # noqa: PTH111, PTH118
    if secret.keyring is not None:
        return f"keyring:{secret.keyring}"
    return f"env:{secret.env or secret.name}"


def argument_variable(name: str) -> str:
    """Return the variable that carries a secret which is an argument of a task."""
    return f"{SECRET_PREFIX}{name}"


def value(name: str, source: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the value of a secret, as it is now.

    Args:
        name: What the secret is called.
        source: Where it is found; see :func:`source_of`.
        environment: Its variables; by default those of this process.

    Raises:
        SecretError: It is not there, or no variable can hold it.
    """
    kind, _, place = source.partition(":")
    read = {"env": _of_environment, "file": _of_file, "keyring": _of_keyring}.get(kind)
    if read is None:
        raise SecretError(
            f"The secret {name} is to be found at {kind!r}, which nothing here knows."
        )
    found = read(name, place, os.environ if environment is None else environment)
    if "\0" in found:
        raise SecretError(f"The secret {name} holds a NUL byte; no variable can hold one.")
    size = len(found.encode("utf-8", "surrogateescape")) + len(argument_variable(name)) + 2
    if size > LONGEST and sys.platform == "linux":
        raise SecretError(
            f"The secret {name} is {size:,} bytes long; Linux starts no program with a variable "
            f"of more than {LONGEST:,}. Bring it to the job as a file."
        )
    # From here on, whatever this process shows or writes down, it shows without the value.
    masking.cover(found)
    return found


def _of_environment(name: str, variable: str, environment: Mapping[str, str]) -> str:
    found = environment.get(variable)
    if not found:
        state = "empty" if found == "" else "not set"
        raise SecretError(
            f"The secret {name} is to come from the environment variable {variable}, which is "
            f"{state} here. Set it, or say where else it is found: Secret({name!r}, file=...) or "
            "keyring=..."
        )
    return found


def _of_file(name: str, path: str, _environment: Mapping[str, str]) -> str:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            found = file.read(LONGEST + 2).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise SecretError(
            f"The secret {name} is to come from the file {path}, which cannot be read: "
            f"{error.strerror or error}."
        ) from error
    found = found.removesuffix("\n").removesuffix("\r")
    if not found:
        raise SecretError(f"The secret {name} is to come from the file {path}, which is empty.")
    return found


def _of_keyring(name: str, place: str, _environment: Mapping[str, str]) -> str:
    service, _, user = place.rpartition("/")
    try:
        import keyring
    except ImportError as error:
        raise SecretError(
            f"The secret {name} is to come from the keyring ({place}), and {sys.executable} has no "
            "package for that. Install it there: pip install keyring."
        ) from error
    try:
        found = keyring.get_password(service, user)
    except Exception as error:
        raise SecretError(
            f"The secret {name} is to come from the keyring ({place}), which cannot be asked: "
            f"{type(error).__name__}: {error}."
        ) from error
    if not found:
        raise SecretError(
            f"The secret {name} is to come from the keyring, and there is nothing at {place}. Put "
            f"it there: keyring set {service} {user}."
        )
    return str(found)


def values_of(spec: JobSpec, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the values of a job's secrets by their names, as they are now.

    Args:
        spec: The job.
        environment: Variables; by default those of this process.

    Raises:
        SecretError: One is not where it is said to be found.
    """
    return {name: value(name, source, environment) for name, source in spec.secrets.items()}


def assignments(values: Mapping[str, str]) -> bytes:
    """Return lines of shell that put values into variables of the shell that reads them.

    They are not exported: no program that it starts sees them, before :func:`exports`.

    Args:
        values: By the names of the secrets.
    """
    lines = [f"{_SHELL_PREFIX}{name}={quote(found)}\n" for name, found in values.items()]
    return "".join(lines).encode("utf-8", "surrogateescape")


def exports(member: Member) -> list[str]:
    """Return lines of shell that give a member's processes their variables with secrets.

    Args:
        member: Its secrets; the shell has read :func:`assignments` before.
    """
    if not member.secrets:
        return []
    names = " ".join(sorted(member.secrets))
    return [
        *(f'export {n}="${_SHELL_PREFIX}{secret}"' for n, secret in member.secrets.items()),
        f"export {SECRET_NAMES}={quote(names)}",
    ]


def variables(member: Member, values: Mapping[str, str]) -> dict[str, str]:
    """Return the same as an environment, for engines that take one on a safe way.

    Args:
        member: Its secrets.
        values: By the names of the secrets.
    """
    if not member.secrets:
        return {}
    found = {variable: values[name] for variable, name in member.secrets.items()}
    return {**found, SECRET_NAMES: " ".join(sorted(found))}


def hidden(values: Mapping[str, str], environment: Mapping[str, str]) -> set[str]:
    """Return the variables of an environment that hold one of the values.

    An engine that hands on the environment of whoever submits gets it without them.

    Args:
        values: By the names of the secrets.
        environment: Of this process.
    """
    longer = [one for one in values.values() if len(one) >= SHORTEST_TOLD]
    return {
        name
        for name, text in environment.items()
        if text in values.values() or any(one in text for one in longer)
    }


def standing_in(values: Mapping[str, str], texts: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Return the name of the first secret whose value stands in a text, and which; else nothing.

    Args:
        values: By the names of the secrets.
        texts: Each with what to call it.
    """
    forms = {name: masking.forms(one) for name, one in values.items() if len(one) >= SHORTEST_TOLD}
    for where, text in texts if forms else ():
        for name, spelled in forms.items():
            if any(form in text for form in spelled):
                return name, where
    return "", ""
