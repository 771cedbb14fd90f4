"""Documents of configurations as they may be shown, what goes by a telling name covered. Pure."""

from __future__ import annotations

from typing import Any

from nemo_run.masking import (
    MASK,
    hidden_by,
    is_secret_argument,
    mask,
    mask_arguments,
    mask_shown,
)


def covered(document: Any) -> Any:
    """Return a document, plain data as JSON or YAML has it, as it may be shown.

    Args:
        document: Of a task or a value: as it is stored, with its history, or as people write it.
    """
    return _Cover().value(document, "")


def secrets_of(document: Any) -> set[str]:
    """Return the texts that :func:`covered` covers."""
    cover = _Cover()
    cover.value(document, "")
    return cover.hidden


class _Cover:
    def __init__(self) -> None:
        self.hidden: set[str] = set()

    def value(self, data: Any, name: str) -> Any:
        if isinstance(data, str):
            return self._text(data, name)
        if isinstance(data, list):
            return self._list(data, name)
        if not isinstance(data, dict) or "secret" in (data.get("$"), data.get("_type_")):
            return data  # a Secret says its name, and has no value
        if data.get("$") == "dict" and isinstance(data.get("entries"), list):
            return {**data, "entries": [self._pair(pair, name) for pair in data["entries"]]}
        told = {"history": self._history(data["history"])} if _has_history(data) else {}
        return {key: self._item(key, item, name) for key, item in data.items()} | told

    def _item(self, key: Any, item: Any, around: str) -> Any:
        # What tells its kind is no value.
        if key in ("$", "history"):
            return item
        return self.value(item, around if is_secret_argument(around) else str(key))

    def _pair(self, pair: Any, name: str) -> Any:
        if isinstance(pair, list) and len(pair) == 2:
            return [pair[0], self._item(pair[0], pair[1], name)]
        return self.value(pair, name)

    def _text(self, text: str, name: str) -> str:
        if not text or not is_secret_argument(name):
            return mask("", text)
        self.hidden.add(text)
        return MASK

    def _list(self, items: list[Any], name: str) -> list[Any]:
        if is_secret_argument(name) or not all(isinstance(item, str) for item in items):
            return [self.value(item, name) for item in items]
        shown = mask_arguments(items, is_secret_argument)
        self.hidden |= hidden_by(items, shown)
        return shown

    def _history(self, history: dict[str, Any]) -> dict[str, Any]:
        nodes = {
            path: [self._entry(entry) for entry in entries]
            for path, entries in history["nodes"].items()
        }
        return {**history, "nodes": nodes}

    def _entry(self, entry: Any) -> Any:
        """Cover what was said of one argument: its name, what said it, and the value."""
        if not isinstance(entry, list) or len(entry) < 3:
            return entry
        name, kind, value, *rest = entry
        if isinstance(value, dict) and isinstance(value.get("shown"), str):
            return [name, kind, {**value, "shown": mask_shown(str(name), value["shown"])}, *rest]
        return [name, kind, self.value(value, str(name)), *rest]


def _has_history(data: dict[str, Any]) -> bool:
    history = data.get("history")
    return (
        data.get("format") == "nemo-run/graph"
        and isinstance(history, dict)
        and isinstance(history.get("nodes"), dict)
    )
