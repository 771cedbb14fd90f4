"""Keys, from the bytes that a terminal sends. Pure."""

from __future__ import annotations

# ECMA-48 and xterm, "PC-Style Function Keys" (ctlseqs); ESC O comes in application mode.
_SEQUENCES = {
    "[A": "up", "OA": "up", "[B": "down", "OB": "down", "[C": "right", "OC": "right",
    "[D": "left", "OD": "left", "[H": "home", "OH": "home", "[F": "end", "OF": "end",
    "[1~": "home", "[4~": "end", "[5~": "pageup", "[6~": "pagedown",
}  # fmt: skip
_CHARACTERS = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace"}


def keys_of(data: bytes) -> list[str]:
    """Return the keys that were pressed; sequences that nobody knows are passed over.

    Args:
        data: What was read at once: a sequence is never cut in two by a terminal on this
            machine, and a lone ESC is the key of that name.
    """
    text = data.decode("utf-8", "ignore")
    found, at = [], 0
    while at < len(text):
        if text[at] != "\x1b":
            found.append(_CHARACTERS.get(text[at], text[at]))
            at += 1
            continue
        end = _end_of_sequence(text, at + 1)
        name = "escape" if end == at + 1 else _SEQUENCES.get(text[at + 1 : end], "")
        found += [name] if name else []
        at = end
    return found


def _end_of_sequence(text: str, at: int) -> int:
    """Return where a sequence ends whose ESC stands before ``at``; ``at`` if it is alone."""
    if text[at : at + 1] == "O":
        return min(at + 2, len(text))
    if text[at : at + 1] != "[":
        return at
    end = at + 1
    while end < len(text) and not "@" <= text[end] <= "~":
        end += 1
    return min(end + 1, len(text))
