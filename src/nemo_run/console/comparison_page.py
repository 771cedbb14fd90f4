"""A comparison of two experiments as a page in one file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import html
from .comparison import apart_of, jobs_of, lines_of, name_of, named, source_of

if TYPE_CHECKING:
    from nemo_run.management.compare import CodeChange, Comparison, Section

    from .html import Html

_MOST_LINES = 5000
_MOST_JOBS = 50
_STYLE = """
.plus { background: var(--plus); } .minus { background: var(--minus); }
.place { color: var(--busy); } .file { font-weight: 620; }
pre.patch span { display: block; min-width: max-content; }
td.old { background: var(--minus); } td.new { background: var(--plus); }
"""
_KINDS = {"+": "plus", "-": "minus", "@": "place"}
_HEADS = ("diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "similarity ", "rename ")


def page_of(comparison: Comparison) -> str:
    """Return the whole page."""
    title = f"{comparison.a.name} and {comparison.b.name}"
    return html.page(title, body_of(comparison), style=_STYLE)


def body_of(comparison: Comparison) -> Html:
    """Return what is inside of the page, also for notebooks."""
    only = {"Only in A": comparison.only_a, "Only in B": comparison.only_b}
    facts = html.facts(
        {
            "A": comparison.a.name,
            "B": comparison.b.name,
            "jobs compared": len(comparison.jobs),
            **{name: named(jobs, _MOST_JOBS) for name, jobs in only.items() if jobs},
        }
    )
    parts = [facts]
    if not comparison:
        unknown = f", as far as known; not all of: {', '.join(comparison.unknown)}"
        parts.append(html.element("p", f"Nothing differs{unknown if comparison.unknown else ''}."))
    parts += [_section(section, comparison) for section in comparison.sections]
    return html.join(parts)


def _section(section: Section, comparison: Comparison) -> Html:
    parts = [_changes(section, comparison)] if section.changes else []
    parts += [_code(change) for change in section.code]
    parts += [html.note(sentence) for sentence in section.notes]
    if not section.differs:
        parts.append(html.note("Equal." if not section.unknown else "Nothing else differs."))
    elif section.equal and not section.code:
        parts.append(html.note(f"Equal besides: {section.equal}."))
    return html.section(section.name.capitalize(), html.join(parts), id=section.name)


def _changes(section: Section, comparison: Comparison) -> Html:
    rows = [
        (
            change.path,
            jobs_of(change, comparison),
            html.element("code", change.old),
            html.element("code", change.new),
            apart_of(change),
            source_of(change),
        )
        for change in section.changes
    ]
    heads = ("", "Job", "A", "B", "Difference", "Set by")
    kept = [at for at in range(len(heads)) if at == 0 or any(_says(row[at]) for row in rows)]
    return html.table(
        [heads[at] for at in kept],
        [[row[at] for at in kept] for row in rows],
        right=[place for place, at in enumerate(kept) if heads[at] == "Difference"],
        caption=f"What differs: {section.name}",
    )


def _says(cell: str) -> bool:
    return cell not in ("", "<code></code>")


def _code(change: CodeChange) -> Html:
    about = html.facts(
        {
            "jobs": named(change.jobs, _MOST_JOBS),
            "git trees": f"{change.old[:12]} → {change.new[:12]}",
        }
    )
    rows = [(name_of(file), file.kind, lines_of(file)) for file in change.files]
    files = html.table(("File", "", "Lines"), rows, caption="Files that differ") if rows else ""
    patch = html.details("git diff", _patch(change), opened=True) if change.patch else ""
    return html.join([about, files, patch])


def _patch(change: CodeChange) -> Html:
    lines = change.patch.splitlines()
    shown = lines[:_MOST_LINES]
    body = html.element(
        "pre",
        html.join(_line(line) for line in shown),
        class_="patch",
        tabindex=0,
        role="region",
        aria_label="git diff",
    )
    if len(shown) == len(lines) and not change.cut:
        return body
    return html.join([body, html.note("The diff goes on; ask for --full to have all of it.")])


def _line(line: str) -> Html:
    kind = "file" if line.startswith(_HEADS) else _KINDS.get(line[:1])
    return html.element("span", line or " ", class_=kind)
