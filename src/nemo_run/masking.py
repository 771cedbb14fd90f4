"""Values that are not for other eyes, told by the names that they go by. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MASK = "***"

# The values of secrets that this process has looked up; nothing is shown with one of them.
_covered: set[str] = set()
_SHORTEST = 4

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
# Arguments have keys of columns and tokens of texts, too: these words make a key a secret one,
_SECRET_KEYS = frozenset(
    {
        *("api", "access", "secret", "private", "auth", "encryption", "signing", "ssh", "account"),
        *("storage", "service", "license", "master", "client", "app", "ngc", "wandb", "openai"),
        *("anthropic", "hf", "aws", "azure", "gcp", "mistral", "comet", "neptune", "mlflow"),
    }
)
# and these make a token one of texts.
_TEXT_TOKENS = frozenset(
    {
        *("pad", "padding", "eos", "bos", "unk", "unknown", "mask", "sep", "cls", "eot", "eod"),
        *("eom", "image", "img", "video", "audio", "speech", "special", "start", "end", "begin"),
        *("stop", "first", "last", "next", "new", "prefix", "suffix", "middle", "prompt", "think"),
        *("tool", "user", "system", "assistant", "boi", "eoi", "sot", "blank", "separator"),
        *("placeholder", "extra", "additional", "sentinel", "ignore", "class", "text"),
    }
)
_URL_PASSWORD = re.compile(r"(?P<before>[A-Za-z][A-Za-z0-9+.-]*://[^/@\s:]*:)[^/@\s]+(?=@)")
# Between a name and what is said of it: KEY=x, env={KEY: x}, {"KEY": "x"}; not that of a URL.
_SIGN = re.compile(r"[-+*/|&~]?=\s*|:(?!//)\s*")
_OF_NAMES = frozenset("_.-[]'\"\\")
_LONGEST_NAME = 200
# A value inside brackets whose end is certain.
_VALUE = re.compile(
    r"(?:'[^'\\]*'|\"[^\"\\]*\"|[^\s'\"()\[\]{},;\\]+)(?=\s*(?:,|[)\]}]+\s*(?:,|$)|$))"
)
# The name of a secret is none: token=Secret(HF_TOKEN).
_NAMED = re.compile(r"(?:(?:nemo_)?run\.)?Secret\([^()]*\)(?=\s*[,)\]}]|\s*$)")
_QUOTES = "[]'\"\\"
# What texts and containers begin with, as Python writes them.
_OPENING = frozenset("'\"[({b")
_EMPTY = frozenset({"", "''", "b''", "[]", "()", "{}"})
_INDICES = re.compile(r"(?:\[-?\d+\])+$")


def cover(value: str) -> None:
    """Cover a value from now on in everything that this process masks, whatever its name.

    Args:
        value: Of a secret; one of fewer than 4 characters could not be without half of the rest.
    """
    if len(value) >= _SHORTEST:
        _covered.update(forms(value))


def holds_covered(text: str) -> bool:
    """Return whether a value that is covered stands in a text."""
    return any(form in text for form in _covered)


def forms(value: str) -> set[str]:
    """Return how a text stands in others: as it is, as JSON, Python and a shell spell it."""
    import json

    quotes = "'\\''"
    return {
        *(value, value.replace("'", quotes)),
        *(json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]),
    }


def is_secret(name: str) -> bool:
    """Return whether a name tells that its value is secret, as ``HF_TOKEN`` or ``apiKey`` does.

    ``tokenizer``, ``max_tokens`` and ``SSH_AUTH_SOCK`` do not.
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if {"access", "key"} <= set(words) or name.startswith("NEMORUN_SECRET_"):
        return True
    return bool(words) and words[-1] not in _HARMLESS_ENDS and not _SECRET_WORDS.isdisjoint(words)


def is_secret_argument(name: str) -> bool:
    """Return whether the name of an argument tells that: ``api_key`` and ``hf_token`` do.

    ``label_key`` and ``pad_token`` do not, and what is written in capitals is a variable.

    Args:
        name: Of the argument or the item, or its whole path.
    """
    own = re.split(r"[.\[]", _INDICES.sub("", name).rstrip(_QUOTES))[-1].strip(_QUOTES)
    words = [word.lower() for word in _WORDS.findall(own)]
    if not is_secret(own) or own.isupper() or not words:
        return is_secret(own)
    plain = _SECRET_WORDS - {"key", "token"}
    if not plain.isdisjoint(words) or {"access", "key"} <= set(words):
        return True
    before = words[-2] if len(words) > 1 else ""
    return before in _SECRET_KEYS if words[-1] == "key" else before not in _TEXT_TOKENS


def mask(name: str, value: str) -> str:
    """Return a value as it may be shown: ``***`` where its name tells that it is secret.

    A password inside a URL is covered whatever the name; an empty value hides nothing and stays.

    Args:
        name: Of the variable, option or argument.
        value: What it is set to.
    """
    return MASK if value and is_secret(name) else _without_password(value)


def mask_all(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it may be shown."""
    return {name: mask(name, value) for name, value in environment.items()}


def mask_arguments(
    arguments: Sequence[str], telling: Callable[[str], bool] = is_secret
) -> list[str]:
    """Return a command line as it may be shown.

    ``--token=x``, ``--token x`` and ``env.HF_TOKEN=x`` become ``--token=***`` and so on.

    Args:
        arguments: The words.
        telling: Which names tell of a secret.
    """
    shown: list[str] = []
    previous = ""
    for argument in arguments:
        is_value = previous.startswith("-") and "=" not in previous
        if argument and is_value and not argument.startswith("-") and telling(previous):
            shown.append(MASK)
        else:
            shown.append(mask_text(argument, telling))
        previous = argument
    return shown


def mask_text(text: str, telling: Callable[[str], bool] = is_secret) -> str:
    """Return a text without the values that telling names have anywhere in it.

    ``env={HF_TOKEN: x, N: 1}`` becomes ``env={HF_TOKEN: ***, N: 1}``; where it is not certain where
    a value ends, everything after the name is covered.

    Args:
        text: A word of a command line, or a value as text.
        telling: Which names tell of a secret.
    """
    shown, at = "", 0
    for sign in _SIGN.finditer(text):
        name = _name_before(text, sign.start())
        if sign.start() < at or not telling(name) or _NAMED.match(text, sign.end()):
            continue
        whole = "=" in sign[0] and len(name) == sign.start()
        value = None if whole else _VALUE.match(text, sign.end())
        end = value.end() if value else len(text)
        if sign.end() < end:
            shown += text[at : sign.end()] + MASK
            at = end
    return _without_password(shown + text[at:])


def mask_shown(name: str, text: str) -> str:
    """Return a value as Python writes it, or a short text about it, as it may be shown.

    Args:
        name: Of the argument.
        text: Its value: ``'x'``, ``{'HF_TOKEN': 'x'}``, ``<list of 9>``. A number is no secret.
    """
    if text[:1] in _OPENING and text not in _EMPTY and is_secret_argument(name):
        return MASK
    return mask_text(text, is_secret_argument)


def _name_before(text: str, end: int) -> str:
    start = max(0, end - _LONGEST_NAME)
    before = text[start:end].rstrip()
    first = len(before)
    while first and (before[first - 1].isalnum() or before[first - 1] in _OF_NAMES):
        first -= 1
    return before[first:]


def _without_password(text: str) -> str:
    text = _URL_PASSWORD.sub(rf"\g<before>{MASK}", text) if "@" in text else text
    for form in sorted(_covered, key=len, reverse=True) if _covered else ():
        text = text.replace(form, MASK)
    return text


def hidden_by(words: Iterable[str], shown: Iterable[str]) -> set[str]:
    """Return what :func:`mask_arguments` took out of words."""
    found: set[str] = set()
    for word, seen in zip(words, shown, strict=True):
        parts = map(re.escape, seen.split(MASK))
        taken = re.fullmatch("(.*)".join(parts), word, re.DOTALL)
        found.update(taken.groups() if taken else (word,))
    return {text for one in found for text in (one, one.strip("'\""))}


def without(text: str, secrets: Iterable[str], least: int = 4) -> str:
    """Return a text in which known secrets are covered, also as JSON and a shell spell them.

    Args:
        text: The text.
        secrets: What is secret.
        least: The shortest that is covered: a shorter one could not be without half of the rest.
    """
    known = {form for secret in secrets if len(secret) >= least for form in forms(secret)}
    for form in sorted(known | _covered, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text
