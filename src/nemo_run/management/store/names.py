"""Folder names for titles and jobs: legal on every system, and never two for one."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from nemo_run.exceptions import PlanError, shown

# Half of the 255 bytes that file systems allow, so that a time or a suffix can follow.
MAX_BYTES = 120

_PUNCTUATION = frozenset(" ._-+=@")
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


# Control and format characters turn a terminal's text around; those that join emoji do not.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"


def folder(name: str, what: str = "name") -> str:
    """Return the folder name for a title or a job.

    A name that is a good folder name stays as it is. Any other is mended and gets a suffix made
    from the whole name, so that two names never share a folder.

    Args:
        name: What the user calls it.
        what: What it is the name of, for the error: ``experiment title``, ``job name``.

    Returns:
        A name that Linux, macOS and Windows accept.

    Raises:
        PlanError: The name is empty, or holds characters that no terminal shows.
    """
    check(name, what)
    return _folder(name)


def check(name: str, what: str = "name") -> None:
    """Refuse a name that cannot be shown and typed.

    Raises:
        PlanError: It is no text, is empty, or holds control characters.
    """
    if not isinstance(name, str):
        raise PlanError(f"The {what} must be text, not {type(name).__name__}: {shown(name)}.")
    if not name.strip():
        raise PlanError(f"The {what} is empty. Give it at least one visible character.")
    bad = next((c for c in name if unicodedata.category(c) in _UNSEEN and c not in _JOINERS), None)
    if bad is not None:
        raise PlanError(
            f"The {what} {name!r} contains the control character {bad!r}. Leave it out."
        )


def check_id(experiment_id: str) -> None:
    """Refuse an id of the user's own that cannot be a folder as it stands.

    Raises:
        PlanError: It cannot; the message proposes one that can.
    """
    mended = folder(experiment_id, "experiment id")
    if mended != experiment_id:
        raise PlanError(
            f"The experiment id {experiment_id!r} cannot be the name of a folder on every system. "
            f"Use letters, digits and '._-+=@', at most {MAX_BYTES} bytes, no '-' or '.' in front"
            f": for example {mended!r}."
        )


@lru_cache(maxsize=4096)
def _folder(name: str) -> str:
    mended = _mend(name)
    if mended == name:
        return name
    from hashlib import sha256

    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{_cut(mended, MAX_BYTES - 9).rstrip('. ')}-{digest}"


def _mend(name: str) -> str:
    text = "".join(c if _legal(c) else "_" for c in unicodedata.normalize("NFC", name))
    text = text.strip(" ").rstrip(". ")
    if not text or text[0] in ".-":
        text = "_" + text.lstrip(".-")
    if _WINDOWS_DEVICE.match(text):
        text = "_" + text
    return _cut(text, MAX_BYTES)


def _legal(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _PUNCTUATION
    category = unicodedata.category(character)
    return category[0] in "LNM" or category == "So"


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")
