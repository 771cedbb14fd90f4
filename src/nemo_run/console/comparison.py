"""A comparison of two experiments as text for a terminal. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .tables import Column, table
from .terminal import Look, clip, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.management.compare import Change, CodeChange, Comparison, FileChange, Section

_TITLES = {
    "configuration": "Configuration",
    "code": "Code",
    "packages": "Packages",
    "environment": "Environment",
    "executor": "Executor",
    "results": "Results",
}
_OF_ALL = ("packages", "environment")
_OF_ALL = ("packages", "environment")
_MOST_ROWS = 60
_MOST_LINES = 120
_MOST_NAMED = 3
_MOST_FILES = 40
_WIDEST = 200
_LEAST = 12
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_MARKS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}


def text(comparison: Comparison, look: Look | None = None, *, full: bool = False) -> str:
    """Return a comparison to be read.

    Args:
        comparison: What differs.
        look: How it may look; plain by default.
        full: Every row and line, and no value cut.
    """
    look = look or Look()
    lines = _head(comparison, look)
    if not comparison:
        lines += ["", look.paint(_equal(comparison), "bold")]
    for section in comparison.sections:
        inside = _section(section, comparison, look, full=full)
        if inside:
            lines += ["", look.paint(_TITLES[section.name], "bold"), *inside]
    # Without a job in common, only what belongs to the whole experiment was compared.
    compared = [s for s in comparison.sections if comparison.jobs or s.name in _OF_ALL]
    same = [_TITLES[one.name].lower() for one in compared if _is_equal(one)]
    if comparison and same:
        lines += ["", f"Equal: {', '.join(same)}."]
    return "\n".join(lines)


def _head(comparison: Comparison, look: Look) -> list[str]:
    lines = [
        f"{look.paint('A', 'red')}  {visible(comparison.a.name)}",
        f"{look.paint('B', 'green')}  {visible(comparison.b.name)}",
    ]
    for side, only in (("A", comparison.only_a), ("B", comparison.only_b)):
        if only:
            count = f"{len(only)} job{'' if len(only) == 1 else 's'}"
            lines.append(_fitting(f"Only in {side}: {count}: {visible(named(only, 20))}", look))
    if not comparison.jobs and (comparison.only_a or comparison.only_b):
        lines.append(
            "No job of A has the name of one of B. Name two with ID/JOB to compare them all the "
            "same."
        )
    return lines


def _equal(comparison: Comparison) -> str:
    if not comparison.unknown:
        return "They are equal."
    unknown = ", ".join(_TITLES[name].lower() for name in comparison.unknown)
    return f"Nothing differs, as far as it can be compared; not all of: {unknown}."


def _is_equal(section: Section) -> bool:
    return not section.differs and not section.unknown


def _section(section: Section, comparison: Comparison, look: Look, *, full: bool) -> list[str]:
    lines = _changes(section, comparison, look, full=full) if section.changes else []
    for change in section.code:
        lines += _code(change, comparison, look, full=full)
    if section.differs and section.equal and not section.code:
        lines.append(look.paint(_others(section), "dim"))
    if section.code and section.notes:
        lines.append("")
    return lines + [
        _fitting(f"  {look.paint('note', 'yellow')}: {visible(n)}", look) for n in section.notes
    ]


def _others(section: Section) -> str:
    count = section.equal
    return f"  {count} other{'' if count == 1 else 's'} {'is' if count == 1 else 'are'} equal"


def _fitting(line: str, look: Look) -> str:
    from textwrap import fill

    if look.width is None:
        return line
    # Escape sequences count as columns here, which only folds a little early.
    return fill(line, max(look.width, 20), subsequent_indent="    ", break_long_words=False)


def _changes(section: Section, comparison: Comparison, look: Look, *, full: bool) -> list[str]:
    """Return the rows of what differs; columns that say nothing are left out."""
    changes = section.changes if full else section.changes[:_MOST_ROWS]
    many = len(comparison.jobs) > 1
    jobs = [jobs_of(change, comparison) if many else "" for change in changes]
    sources = [source_of(change) for change in changes]
    apart = [apart_of(change) for change in changes]
    limit = None if full else _WIDEST
    columns = [
        (Column("", style=_mark), [_MARKS[change.kind] for change in changes]),
        (Column("JOB", least=_LEAST), jobs),
        (Column(_NAMES.get(section.name, "KEY"), least=_LEAST), [c.path for c in changes]),
        (Column("A", least=_LEAST, style=_old), [_cut(_value(c)[0], limit) for c in changes]),
        (Column("B", least=_LEAST, style=_new), [_cut(_value(c)[1], limit) for c in changes]),
        (Column("DIFFERENCE", right=True), apart),
        (Column("SET BY", least=_LEAST, drop=1), sources),
    ]
    # Nothing is said by an empty column.
    kept = [(column, cells) for column, cells in columns if any(cells)]
    fitting = Look(look.terminal, look.colour, None if full else look.width and look.width - 2)
    rows = list(zip(*(cells for _, cells in kept), strict=True))
    lines = [f"  {line}" for line in table([column for column, _ in kept], rows, fitting)]
    left = len(section.changes) - len(changes)
    return [*lines, f"  … and {left} more; --full shows them"] if left else lines


_NAMES = {"packages": "PACKAGE", "environment": "NAME", "results": "RESULT"}


def _cut(value: str, limit: int | None) -> str:
    return value if limit is None else clip(value, limit)


def _value(change: Change) -> tuple[str, str]:
    """Return a change as texts; of numbers that jobs computed no more digits than tell."""
    values = change.old_value, change.new_value
    if change.difference is None or not all(isinstance(value, float) for value in values):
        return change.old, change.new
    old, new = (f"{value:.6g}" for value in values)
    return (old, new) if old != new else (change.old, change.new)


def _mark(look: Look, cell: str) -> str:
    return look.paint(cell, {"+": "green", "-": "red"}.get(cell, "yellow"))


def _old(look: Look, cell: str) -> str:
    return look.paint(cell, "red")


def _new(look: Look, cell: str) -> str:
    return look.paint(cell, "green")


def jobs_of(change: Change, comparison: Comparison) -> str:
    """Return which jobs a change concerns, in few words."""
    if not change.jobs:
        return ""
    if len(change.jobs) == len(comparison.jobs):
        return "all"
    return named(change.jobs, _MOST_NAMED)


def named(names: Sequence[str], most: int) -> str:
    """Return some names, and how many there are besides."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def source_of(change: Change) -> str:
    """Return what set a value in A, and in B where that is something else."""
    if change.old_from == change.new_from or not (change.old_from and change.new_from):
        return change.new_from or change.old_from
    return f"{change.old_from} → {change.new_from}"


def apart_of(change: Change) -> str:
    """Return how far apart two numbers are: ``+0.1 (+50%)``."""
    apart = change.difference
    if apart is None:
        return ""
    shown = f"{apart:+.6g}"
    old = change.old_value
    if not isinstance(old, (int, float)) or not old:
        return shown
    return f"{shown} ({100 * apart / abs(old):+.3g}%)"


def _code(change: CodeChange, comparison: Comparison, look: Look, *, full: bool) -> list[str]:
    whose = "" if len(comparison.jobs) == 1 else f" of {visible(named(change.jobs, _MOST_NAMED))}"
    lines = [
        _fitting(
            f"  git tree{whose}: {visible(change.old[:12])} → {visible(change.new[:12])}", look
        )
    ]
    files = change.files if full else change.files[:_MOST_FILES]
    rows = [(_MARKS[file.kind], name_of(file), lines_of(file)) for file in files]
    if rows:
        columns = [Column("", style=_mark), Column("FILE", least=_LEAST), Column("LINES")]
        fitting = Look(look.terminal, look.colour, look.width and look.width - 2)
        lines += [f"  {line}" for line in table(columns, rows, fitting)]
    if len(change.files) > len(files):
        lines.append(f"  … and {len(change.files) - len(files)} more files; --full shows them")
    if change.patch:
        lines += ["", *_patch(change, look, full=full)]
    return lines


def name_of(file: FileChange) -> str:
    """Return what to call a file, with its name before where it was moved."""
    return f"{file.old_path} → {file.path}" if file.old_path else file.path


def lines_of(file: FileChange) -> str:
    """Return how many lines of a file differ."""
    if file.added is None or file.removed is None:
        return "binary or large"
    return f"+{file.added} -{file.removed}"


def _patch(change: CodeChange, look: Look, *, full: bool) -> Iterator[str]:
    lines = change.patch.splitlines()
    shown = lines if full else lines[:_MOST_LINES]
    for line in shown:
        plain = visible(line.expandtabs())
        if not full:
            plain = clip(plain, look.width - 2 if look.width else _WIDEST)
        head = line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file"))
        yield "  " + look.paint(plain, "bold" if head else _COLOURS.get(line[:1], ""))
    if len(shown) < len(lines) or change.cut:
        left = f"{len(lines) - len(shown)} more lines" if not change.cut else "more"
        yield f"  … {left}; --full shows them"
