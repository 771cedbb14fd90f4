"""Secrets by their names: ``token=Secret(HF_TOKEN)``, ``token=Secret(KEY, file=~/.key)``."""

from __future__ import annotations

from typing import Any

from nemo_run.config.secret import Secret
from nemo_run.exceptions import ArgumentError

from .reading import Word, item_word
from .refusal import RefusedError
from .syntax import read_call
from .unions import allows_text

_NAMES = frozenset({"Secret", "run.Secret", "nemo_run.Secret"})


def read_secret(word: Word, hint: Any) -> Secret | None:
    """Return the secret that a text names; None where it is another text, or none may stand.

    Args:
        word: The text. In quotes it is a text like any other.
        hint: What it is for.

    Raises:
        RefusedError: It names a secret in a way that no secret has.
    """
    if word.quoted or not word.text.endswith(")") or "Secret(" not in word.text[:20]:
        return None
    if not (hint is Any or hint is Secret or allows_text(hint)):
        return None
    call = read_call(word.text)
    if call is None or call.name not in _NAMES:
        return None
    positional = [item_word(text).text for key, text in call.arguments if key is None]
    named = {key: item_word(text).text for key, text in call.arguments if key is not None}
    if len(positional) + ("name" in named) != 1 or not named.keys() <= _FIELDS:
        raise RefusedError(
            f"{word.text} names no secret. Write Secret(HF_TOKEN), or Secret(HF_TOKEN, file=PATH), "
            "env=VARIABLE or keyring=SERVICE/USER."
        )
    try:
        return Secret(*positional, **named)
    except ArgumentError as error:
        raise RefusedError(str(error)) from None


_FIELDS = {"name", "env", "file", "keyring"}
