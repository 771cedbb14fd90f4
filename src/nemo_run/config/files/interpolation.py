"""``${key}`` and ``${oc.env:NAME}`` in the text of a file, as OmegaConf has them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from nemo_run.config.overrides.grammar import Item, parse_key
from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Source

# A text that refers to a text that refers … may double at every step.
_LONGEST = 10_000_000
_LARGEST = 1_000_000

_START = re.compile(r"(\\*)\$\{")
_NAMES = ("oc.env", "oc.decode")

Path = tuple[Any, ...]


def resolve(source: Source) -> Any:
    """Replace every ``${…}`` in what was read, in place, and return it.

    A text that is one ``${…}`` becomes the value itself, a copy of it; inside of other text
    stands its text.

    Raises:
        OverrideError: It names nothing, or itself. The message begins with file and line.
    """
    return _Resolution(source).whole()


def escaped(text: str) -> str:
    """Return a text in which ``${`` stands for itself."""
    return _START.sub(lambda found: found[1] * 2 + "\\${", text)


class _Resolution:
    """One walk through a file; each value is resolved once, where it is first asked for."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.done: set[int] = set()
        self.opening: set[int] = set()
        # What came out of a text may hold ``${`` and means it: these are not looked at again.
        self.settled: set[tuple[int, Any]] = set()
        self.copies: list[Any] = []
        self.copied_parts: set[int] = set()
        self.waiting: list[tuple[Path, str]] = []
        self.copied = 0

    def whole(self) -> Any:
        if type(self.source.data) is str:
            return self.value(self.source.data, ())
        self.inside(self.source.data, ())
        return self.source.data

    def inside(self, part: Any, path: Path) -> None:
        if type(part) not in (dict, list) or id(part) in self.done:
            return
        self.done.add(id(part))
        self.opening.add(id(part))
        for key in list(part) if type(part) is dict else range(len(part)):
            self.settle(part, key, (*path, key))
        self.opening.discard(id(part))

    def settle(self, part: Any, key: Any, path: Path) -> Any:
        """Resolve one item of a container and return it."""
        item, mark = part[key], (id(part), key)
        if type(item) is not str:
            self.inside(item, path)
        elif "${" in item and mark not in self.settled and id(part) not in self.copied_parts:
            self.refuse_circle(item, path)
            self.waiting.append((path, item))
            part[key] = self.value(item, path)
            self.waiting.pop()
            self.settled.add(mark)
        return part[key]

    def refuse_circle(self, text: str, path: Path) -> None:
        if any(path == known for known, _ in self.waiting):
            names = " → ".join([*(text for _, text in self.waiting), text])
            raise self.source.fault(f"{text} refers to itself: {names}.", path)

    def value(self, text: str, path: Path) -> Any:
        pieces = list(self.pieces(text, path))
        if len(pieces) == 1:
            return pieces[0]
        if any(type(piece) in (dict, list) for piece in pieces):
            raise self.source.fault(
                f"{text!r} puts a list or a mapping into a text. Let the ${{…}} stand alone.", path
            )
        shown = "".join(map(str, pieces))
        if len(shown) > _LONGEST:
            raise self.source.fault(f"{text[:80]} becomes more than {_LONGEST} characters.", path)
        return shown

    def pieces(self, text: str, path: Path) -> Iterator[Any]:
        """Yield the parts of a text: what stands there, and what ``${…}`` gives."""
        position, plain = 0, ""
        while found := _START.search(text, position):
            backslashes = len(found[1])
            plain += text[position : found.start()] + "\\" * (backslashes // 2)
            if backslashes % 2:
                plain += "${"
                position = found.end()
                continue
            end = self.end_of(text, found.end(), path)
            if plain:
                yield plain
            plain = ""
            yield self.lookup(text[found.end() : end], path)
            position = end + 1
        plain += text[position:]
        if plain or not text:
            yield plain

    def end_of(self, text: str, start: int, path: Path) -> int:
        depth = 1
        for index in range(start, len(text)):
            if text.startswith("${", index):
                depth += 1
            elif text[index] == "}":
                depth -= 1
                if depth == 0:
                    return index
        raise self.source.fault(
            f"{text!r} has a ${{ without its }}. Write \\${{ for the text.", path
        )

    def lookup(self, inner: str, path: Path) -> Any:
        name, colon, rest = inner.partition(":")
        if colon and "$" not in name:
            return self.call(name.strip(), rest, path)
        if "${" in inner:
            inner = str(self.value(inner, path))
        return self.reference(inner.strip(), path)

    # --- ${oc.env:NAME,default} ---

    def call(self, name: str, rest: str, path: Path) -> Any:
        if name not in _NAMES:
            close = " Did you mean 'oc.env'?" if name == "env" else nearest(name, _NAMES)
            known = " and ".join(f"${{{known}:…}}" for known in _NAMES)
            raise self.source.fault(
                f"${{{name}:…}} is not known.{close} There are ${{key}}, {known}.", path
            )
        if name == "oc.env":
            return self.variable(rest, path)
        return self.decoded(self.value(rest.strip(), path), path)

    def variable(self, rest: str, path: Path) -> Any:
        name, comma, default = rest.partition(",")
        name = str(self.value(name.strip(), path))
        if name in os.environ:
            return os.environ[name]
        if not comma:
            raise self.source.fault(
                f"The environment has no variable {name}.{nearest(name, os.environ)} Set it, or "
                f"give a default: ${{oc.env:{name},value}}.",
                path,
            )
        default = default.strip()
        if default in ("null", "None"):
            return None
        if len(default) > 1 and default[0] == default[-1] and default[0] in "'\"":
            default = default[1:-1]
        return self.value(default, path)

    def decoded(self, value: Any, path: Path) -> Any:
        from .yaml_text import read

        if type(value) is not str:
            return value
        try:
            return read(value).data
        except OverrideError as error:
            raise self.source.fault(f"${{oc.decode:…}} of {value!r}: {error}", path) from error

    # --- ${model.layers[0].size} ---

    def reference(self, key: str, path: Path) -> Any:
        ups = len(key) - len(key.lstrip("."))
        steps = [*(path[:-ups] if ups else ()), *self.steps_of(key[ups:], key, path)]
        here, place = self.source.data, ()
        for step in steps:
            here, place = self.go(here, step, (key, path), place)
        self.inside(here, place)
        return self.copy(here, key, path)

    def steps_of(self, text: str, key: str, path: Path) -> list[Any]:
        try:
            steps = parse_key(text)
        except OverrideError as error:
            raise self.source.fault(f"${{{key}}} names nothing: {error}", path) from None
        return [step.key if isinstance(step, Item) else step for step in steps]

    def go(self, here: Any, step: Any, asked: tuple[str, Path], place: Path) -> tuple[Any, Path]:
        if type(here) is list and str(step).lstrip("-").isdecimal():
            step = int(step)
            step += len(here) if step < 0 else 0
            if 0 <= step < len(here):
                return self.settle(here, step, (*place, step)), (*place, step)
        elif type(here) is dict and step in here:
            return self.settle(here, step, (*place, step)), (*place, step)
        key, path = asked
        names = [str(name) for name in here] if type(here) is dict else []
        where = ".".join(map(str, place)) or "the file"
        raise self.source.fault(
            f"${{{key}}} names nothing: {where} has no {str(step)!r}."
            f"{nearest(str(step), names)} Write \\${{{key}}} for the text.",
            path,
        )

    def copy(self, value: Any, key: str, path: Path) -> Any:
        if type(value) not in (dict, list):
            return value
        import copy

        parts = _parts(value)
        if not self.opening.isdisjoint(parts):
            raise self.source.fault(f"${{{key}}} refers to what it is itself inside of.", path)
        self.copied += len(parts)
        if self.copied > _LARGEST:
            raise self.source.fault("The references of the file copy too much.", path)
        made = copy.deepcopy(value)
        self.copies.append(made)  # kept alive: the ids of its parts must stay theirs
        self.copied_parts.update(_parts(made))
        self.done.update(_parts(made))
        return made


def _parts(value: Any) -> set[int]:
    """Return the ids of a list or mapping, and of all that are inside."""
    found: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) in (dict, list) and id(part) not in found:
            found.add(id(part))
            waiting.extend(part.values() if type(part) is dict else part)
    return found
