"""Which experiments there are, and which one a person means."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import (
    AmbiguousError,
    NotFoundError,
    PlanError,
    StoreError,
    nearest,
)
from nemo_run.invocation import experiment_command

from . import ids, layout, locations, names, ownership
from .advice import explained
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MENDED = re.compile(r"-[0-9a-f]{8}$")
_SHOWN = 10
_LONGEST = 255


def find(text: str, base_dir: str | Path | None = None) -> Record:
    """Return the experiment that a person means.

    Args:
        text: An id, a title (its newest experiment), the start of just one id, or the path of
            an experiment's folder.
        base_dir: Look only here; else in the home and wherever else experiments were made.

    Raises:
        NotFoundError: None fits; the message names the nearest.
        AmbiguousError: It is the start of several ids, which the message lists.
    """
    bases = _bases(base_dir)
    path = _as_folder(text)
    if path is not None:
        return Record(path)
    exact = list(folders_named(text, bases))
    if exact:
        return _only(text, exact)
    titled = _titled(text, bases)
    if titled:
        return titled[-1]
    started = [p for p in _folders(bases) if text and p.name.startswith(text)]
    if started:
        return _only(text, started)
    raise _not_found(text, bases)


def find_id(experiment_id: str, base_dir: str | Path | None = None) -> Record:
    """Return the experiment with exactly this id.

    Raises:
        NotFoundError: There is none; the message names the nearest.
    """
    bases = _bases(base_dir)
    exact = list(folders_named(experiment_id, bases))
    if exact:
        return _only(experiment_id, exact)
    raise _not_found(experiment_id, bases)


def find_title(title: str, base_dir: str | Path | None = None) -> Record:
    """Return the newest experiment with exactly this title.

    Raises:
        NotFoundError: There is none; the message names the nearest.
    """
    bases = _bases(base_dir)
    titled = _titled(title, bases)
    if titled:
        return titled[-1]
    raise _not_found(title, bases)


def catalog(title: str = "", base_dir: str | Path | None = None) -> list[str]:
    """Return the ids of a title's experiments, oldest first; without a title, all titles."""
    bases = _bases(base_dir)
    if title:
        return [record.id for record in _titled(title, bases)]
    return sorted({shown for folder in _title_folders(bases) if (shown := _title_of(folder))})


def records(base_dir: str | Path | None = None) -> Iterator[Record]:
    """Yield every experiment, also those whose files turn out to be damaged."""
    return map(Record, _folders(_bases(base_dir)))


def hidden_folders() -> Iterator[Path]:
    """Yield the folders of experiments that are being made or deleted, or were when killed."""
    for folder in _title_folders(_bases(None)):
        yield from (Path(e.path) for e in _entries(folder) if _is_hidden(e.name))


def folders_named(experiment_id: str, bases: Iterable[Path]) -> Iterator[Path]:
    """Yield the folders of experiments with this id; there is one, unless somebody copied it."""
    if not _is_entry(experiment_id):
        return
    for base in bases:
        folder = ids.folder_of(experiment_id)
        if folder is not None:
            likely = base / layout.EXPERIMENTS / folder / experiment_id
            if likely.is_dir():
                yield likely
                continue
        for titled in _title_folders([base]):
            path = titled / experiment_id
            if path.is_dir():
                yield path


def _bases(base_dir: str | Path | None) -> list[Path]:
    return [layout.base(base_dir)] if base_dir else locations.bases()


def _as_folder(text: str) -> Path | None:
    path = os.path.expanduser(text)  # noqa: PTH111 - Path raises for an unknown ~user
    there = os.sep in text and os.path.isfile(os.path.join(path, layout.META))  # noqa: PTH113, PTH118
    return Path(path) if there else None


def _is_entry(name: str) -> bool:
    """Whether a folder of ours may have this name; asking the system for others may fail."""
    if not name or name.startswith(".") or os.sep in name or "\0" in name:
        return False
    return len(name.encode("utf-8", "surrogatepass")) <= _LONGEST


def _only(text: str, paths: list[Path]) -> Record:
    if len(paths) == 1:
        return Record(paths[0])
    same = len({p.name for p in paths}) < len(paths)
    shown = "\n".join(f"  {p if same else p.name}" for p in sorted(paths)[:_SHOWN])
    more = f"\n  and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    what = "Name the folder." if same else "Write more of the id."
    raise AmbiguousError(f"{text!r} fits {len(paths)} experiments. {what}\n{shown}{more}")


def _titled(title: str, bases: Iterable[Path]) -> list[Record]:
    """Return a title's experiments, oldest first; damaged ones count by the time in their id."""
    try:
        folder = names.folder(title)
    except PlanError:
        return []
    found = [
        Record(e.path)
        for base in bases
        for e in _entries(base / layout.EXPERIMENTS / folder)
        if not _is_hidden(e.name)
    ]
    return sorted(found, key=_age)


def _age(record: Record) -> tuple[int, str]:
    try:
        return record.sort_key
    except StoreError:
        return 0, record.id


def _title_folders(bases: Iterable[Path]) -> Iterator[Path]:
    for base in bases:
        yield from (Path(e.path) for e in _entries(base / layout.EXPERIMENTS))


def _folders(bases: Iterable[Path]) -> Iterator[Path]:
    for titled in _title_folders(bases):
        yield from (Path(e.path) for e in _entries(titled) if not _is_hidden(e.name))


def _title_of(folder: Path) -> str:
    """Return the title as written: a mended folder name says it only in its experiments."""
    inside = [Record(e.path) for e in _entries(folder) if not _is_hidden(e.name)]
    if not inside or not _MENDED.search(folder.name):
        return folder.name if inside else ""
    for record in inside:
        try:
            return record.title
        except StoreError:
            continue
    return folder.name


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if e.is_dir()), key=lambda e: e.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if isinstance(error, PermissionError) and ownership.is_anothers(folder):
            return []  # who shares a home need not show everything
        raise explained("list the experiments in", folder, error, after="") from error


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _not_found(text: str, bases: list[Path]) -> NotFoundError:
    folders = list(_folders(bases))
    # A title whose last experiment was deleted is none.
    known = [*{p.parent.name: None for p in folders}, *(p.name for p in folders)]
    places = ", ".join(str(base / layout.EXPERIMENTS) for base in bases)
    return NotFoundError(
        f"No experiment has the id or title {text!r} in {places}.{nearest(text, known)} "
        f"`{experiment_command('list')}` shows what there is."
    )
