"""Values that are not for other eyes, told by the names that they go by. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MASK = "***"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_WORDS = frozenset(
    {
        *("token", "key", "secret", "secrets", "password", "passwd", "passphrase", "pass"),
        *("apikey", "credential", "credentials", "auth", "pat", "cookie"),
        *("accesskey", "secretkey", "privatekey", "authtoken", "pgpassword"),
    }
)
# Words after which a name tells of the secret's surroundings, not of the secret itself.
_HARMLESS_ENDS = frozenset({"file", "path", "sock", "dir", "id", "ids", "name", "type", "url"})
_URL_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:)[^/@\s]+(?=@)")
_ASSIGNMENT = re.compile(r"(?P<name>[^=\s]+?)(?P<sign>\+?=)(?P<value>.*)", re.DOTALL)


def is_secret(name: str) -> bool:
    """Return whether a name tells that its value is secret, as ``HF_TOKEN`` or ``apiKey`` does.

    ``tokenizer``, ``max_tokens`` and ``SSH_AUTH_SOCK`` do not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if {"access", "key"} <= set(words):
        return True
    return bool(words) and words[-1] not in _HARMLESS_ENDS and not _SECRET_WORDS.isdisjoint(words)


def mask(name: str, value: str) -> str:
    """Return a value as it may be shown: ``***`` where its name tells that it is secret.

    A password inside a URL is covered whatever the name; an empty value hides nothing and stays.

    Args:
        name: Of the variable, option or argument.
        value: What it is set to.
    """
    if value and is_secret(name):
        return MASK
    return _URL_PASSWORD.sub(rf"\g<before>{MASK}", value)


def mask_all(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it may be shown."""
    return {name: mask(name, value) for name, value in environment.items()}


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line as it may be shown.

    ``--token=x``, ``--token x`` and ``env.HF_TOKEN=x`` become ``--token=***`` and so on.
    """
    shown: list[str] = []
    previous = ""
    for argument in arguments:
        shown.append(_mask_argument(argument, previous))
        previous = argument
    return shown


def _mask_argument(argument: str, previous: str) -> str:
    if previous.startswith("-") and "=" not in previous and not argument.startswith("-"):
        return mask(previous, argument)
    found = _ASSIGNMENT.fullmatch(argument)
    if found is None:
        return mask("", argument)
    return f"{found['name']}{found['sign']}{mask(found['name'], found['value'])}"
