"""What a task imports and the snapshot does not hold, found by reading. Nothing is imported."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .import_statements import Import, imports_of
from .tree import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .snapshot import Snapshot

_SHOWN = 5
_ENOUGH = 2000
_ENDINGS = (".py", ".so", ".pyd")


def missing_imports(
    snapshot: Snapshot,
    modules: Iterable[str],
    scripts: Mapping[str, str | None],
    sys_path: Sequence[str],
) -> list[str]:
    """Return a sentence for each import of a task that would fail where only the code travels.

    Imports that are guarded by ``except ImportError``, and those for type checkers, may fail. What
    is installed is not looked at: images and clusters have their own.

    Args:
        snapshot: The code that travels.
        modules: The modules that the task's functions and classes are in.
        scripts: Python files that the job runs → their text where it travels by itself, as the
            launching script's does; None to read the file, which then must travel too.
        sys_path: The folders that the launching process imports from, without those of the
            interpreter.
    """
    if snapshot.left_out is None:
        return []  # put together of several places, or by a user's packager: nobody can tell
    search = _Search(snapshot, tuple(sys_path))
    for module in modules:
        search.follow([_Found(Import(module), "The task")])
    for file, text in scripts.items():
        search.run(Path(file), text)
    sentences = list(search.sentences.values())
    more = len(sentences) - _SHOWN
    rest = (
        [f"{more} more imports of the task are not in the code that travels."] if more > 0 else []
    )
    return sentences[:_SHOWN] + rest


@dataclass(frozen=True)
class _Found:
    """An import, and where it is written."""

    what: Import
    importer: str
    file: Path | None = None


@dataclass
class _Search:
    snapshot: Snapshot
    sys_path: tuple[str, ...]
    sentences: dict[str, str] = field(default_factory=dict)
    seen: set[Path] = field(default_factory=set)

    def run(self, file: Path, text: str | None) -> None:
        """Look at a file that is run as a program."""
        name = self._inside(file) or str(file)
        if text is None:
            if not file.is_file():
                return
            self._check(file, f"The job runs {shown(name)}", "the file")
            text = _text(file)
        self.follow([_Found(one, shown(name), file) for one in imports_of(text, is_main=True)])

    def follow(self, todo: list[_Found]) -> None:
        """Look at the files that imports load, and at what those import in turn."""
        while todo and len(self.seen) < _ENOUGH:
            found = todo.pop()
            if found.what.name.split(".")[0] == "nemo_run":
                continue  # installed like any other library, though perhaps from its sources
            for file, name in _files(found, self.sys_path):
                subject = f"{found.importer} imports {name}"
                is_here = self._check(file, subject, name, guarded=found.what.guarded)
                if not is_here or file in self.seen:
                    continue
                self.seen.add(file)
                importer = shown(self._inside(file) or str(file))
                if file.suffix == ".py":
                    todo += [_Found(one, importer, file) for one in imports_of(_text(file))]

    def _check(self, file: Path, subject: str, name: str, *, guarded: bool = False) -> bool:
        """Whether a file travels; notes a sentence if it does not."""
        inside = self._inside(file)
        if inside is not None and self.snapshot.holds(inside):
            return True
        if guarded:
            return False
        if inside is None:
            top = name.lstrip(".").split(".")[0]
            reason = f"{shown(str(file))} is not below {shown(self.snapshot.root)}"
            self.sentences.setdefault(top, f"{subject}, which does not travel: {reason}.")
            return False
        why = self.snapshot.left_out(os.fsencode(inside)) if self.snapshot.left_out else None
        self.sentences.setdefault(
            inside,
            f"{subject}, which the code that travels does not hold: {shown(inside)} "
            f"{why or 'is not in it'}.",
        )
        return False

    def _inside(self, file: Path) -> str | None:
        """Return the path of a file below the root; links on the way to it are followed."""
        if not self.snapshot.root:
            return None
        real = Path(os.path.realpath(file.parent), file.name)
        root = Path(os.path.realpath(self.snapshot.root))
        return str(real.relative_to(root)) if real.is_relative_to(root) else None


def _files(found: _Found, sys_path: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Yield the files that an import loads and that are no part of the interpreter; their names."""
    name = found.what.name
    words = name.lstrip(".").split(".") if name.strip(".") else []
    level = len(name) - len(name.lstrip("."))
    if level:
        if found.file is None or len(found.file.parents) < level:
            return
        bases: Sequence[str] = [str(found.file.parents[level - 1])]
    else:
        bases = sys_path
    for base in bases:
        files = _below(Path(base), words)
        if files is None:
            continue
        yield from ((file, name) for file in files)
        folder, dot = Path(base, *words), "" if name.endswith(".") else "."
        for one in found.what.names:
            yield from ((file, f"{name}{dot}{one}") for file in _below(folder, [one]) or ())
        return
    if not level:
        yield from ((file, name) for file in _loaded(name))


def _below(folder: Path, words: list[str]) -> list[Path] | None:
    """Return the files of a module and of the packages it is in; None where it is not there."""
    files: list[Path] = []
    for number, word in enumerate(words):
        package = _module(folder / word, "__init__")
        if package is not None:
            files.append(package)
        elif number == len(words) - 1 and (module := _module(folder, word)) is not None:
            return [*files, module]
        elif not (folder / word).is_dir():
            # What is no module may be a name in the package before it.
            return files or None
        folder = folder / word
    return files if files or not words else None


def _module(folder: Path, name: str) -> Path | None:
    """Return the source of a module, or its compiled form."""
    source = folder / f"{name}.py"
    if source.is_file():
        return source
    try:
        files = sorted(folder.glob(f"{name}.*"))
    except OSError:
        return None
    return next((file for file in files if file.suffix in _ENDINGS), None)


def _loaded(name: str) -> list[Path]:
    """Return the file of a module that is loaded by other means, as editable installs are."""
    module = sys.modules.get(name)
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    if not isinstance(origin, str) or not origin.endswith(_ENDINGS):
        return []
    real = Path(os.path.realpath(origin))
    own = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    if any(real.is_relative_to(prefix) for prefix in own) or "site-packages" in real.parts:
        return []
    return [Path(origin)]


def _text(file: Path) -> str:
    import tokenize

    try:
        with tokenize.open(file) as source:
            return source.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return ""
