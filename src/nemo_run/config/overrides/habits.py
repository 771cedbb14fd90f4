"""Words that are almost ``key=value``, or are what other tools want: what was meant by them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import OverrideError

from .grammar import OPERATORS, parse_key, parse_override

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_OF_OTHERS = {
    "help": "Write --help to see what it takes.",
    "job": "Leave it out: --cfg takes no value.",
}


@dataclass(frozen=True)
class Meant:
    """What a word was probably meant to be.

    Attributes:
        sentence: What to write instead.
        certain: Whether it can be nothing else, also where any text is a value.
    """

    sentence: str
    certain: bool = False


def names_of(target: Any) -> list[str]:
    """Return the parameters that a key may begin with."""
    return list(signature_info(target).parameters)


def meant_by(words: Sequence[str], index: int, names: Collection[str]) -> Meant | None:
    """Return what a word that is no override was probably meant to be; None for a plain value.

    Args:
        words: The words of a command.
        index: Which of them.
        names: The parameters of the command.
    """
    word, rest = words[index], words[index + 1 :]
    root = _root(word)
    if root in names and rest and rest[0].startswith(OPERATORS):
        return Meant(_without_spaces(word, rest), certain=True)
    if word.startswith("--"):
        name, _, value = word.partition("=")
        following = rest[0] if rest and not value and "=" not in rest[0] else None
        sentence = written_as_option(name, value or following, names)
        return Meant(f"{word!r}: {sentence}") if sentence else None
    if word[:1] in {"+", "~"}:
        return _of_hydra(word, names)
    if "=" in word:
        return _no_key(word, names)
    if root in names:
        value = shlex.quote(rest[0]) if rest and "=" not in rest[0] else "VALUE"
        return Meant(f"{word!r} is a name without a value. Write {word}={value}.")
    return Meant(f"{word!r} is no key=value. {_OF_OTHERS[word]}") if word in _OF_OTHERS else None


def _without_spaces(word: str, rest: Sequence[str]) -> str:
    together = "".join(rest[:2]) if rest[0] in OPERATORS else rest[0]
    seen = " ".join([word, *(rest[:2] if rest[0] in OPERATORS else rest[:1])])
    return f"{seen!r}: no spaces stand around the operator. Write {shlex.quote(word + together)}."


def _of_hydra(word: str, names: Collection[str]) -> Meant | None:
    bare = word.lstrip("+~")
    key = re.split(r"[-+*/|&]?=", bare, maxsplit=1)[0]
    root = _root(key)
    if root is None:
        return None
    certain = root in names
    if word.startswith("~"):
        return Meant(
            f"{word!r}: nothing is taken away here. Leave {key} out, or set it to something else: "
            f"{key}=VALUE.",
            certain,
        )
    if "=" not in bare:
        return None
    return Meant(f"{word!r}: no sign stands before a key. Write {shlex.quote(bare)}.", certain)


_CALL = re.compile(r"[\[({'\"]")


def _no_key(word: str, names: Collection[str]) -> Meant | None:
    key, _, value = word.partition("=")
    if _CALL.search(key):
        return None  # A call, a list or a dict that has a = inside.
    mended = re.sub(r"\.{2,}", ".", key).strip(". ")
    root = _root(mended)
    if root is not None:
        fixed = shlex.quote(f"{mended}={value.strip()}")
        return Meant(f"{word!r} begins with no key. Write {fixed}.", root in names)
    try:
        parse_override(word)
    except OverrideError as error:
        return Meant(str(error))
    return None


def written_as_option(name: str, value: str | None, names: Collection[str]) -> str:
    """Return what to write instead of an option that there is not; nothing where that is unknown.

    Args:
        name: The option, with its dashes.
        value: What follows it, as far as that is a value.
        names: The parameters of the command.
    """
    key = name.lstrip("-")
    for candidate in (key.replace("-", "_"), key):
        if _root(candidate) in names:
            change = shlex.quote(f"{candidate}={value}") if value else f"{candidate}=VALUE"
            return f"It is a parameter of the function: write {change}, without dashes."
    if name in {"-m", "--multirun"}:
        return "Write --sweep, and the values that vary as lr=choice(0.1,0.2)."
    return ""


def _root(key: str) -> str | None:
    """Return the name that a key begins with; None for what is no key."""
    try:
        return str(parse_key(key)[0])
    except OverrideError:
        return None
