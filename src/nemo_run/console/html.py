"""Pages in one file: nothing is loaded, nothing runs, and foreign text stays text. Pure.

What is :class:`Html` is markup that was made here; every other text is foreign and is escaped
wherever it goes in. The page's own policy (Content-Security-Policy) forbids scripts, everything
from elsewhere, and every style but the page's, should anything get past that.

    body = section("Results", table(["job", "accuracy"], [["train", 0.91]]))
    text = page("digits", body)
"""

from __future__ import annotations

import base64
import hashlib
import html
from typing import TYPE_CHECKING

from .html_style import STYLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_KEPT = "\n\t\u200c\u200d"  # the last two join letters and emoji
_VOID = {"br", "hr", "meta", "path", "line", "rect", "circle", "polygon", "polyline"}


class Html(str):
    """Markup; joined with foreign text, the text is escaped."""

    __slots__ = ()

    def __add__(self, other: str) -> Html:
        return Html(str.__add__(self, escape(other)))


def escape(value: object) -> Html:
    r"""Return a value as markup that shows it: text is escaped, markup is returned as it is.

    Control characters are written out, as ``\x1b``; line ends and tabs stay.
    """
    if isinstance(value, Html):
        return value
    text = "" if value is None else str(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c in _KEPT else _written_out(c) for c in text)
    return Html(html.escape(text))


def _written_out(char: str) -> str:
    # Also of halves of surrogate pairs, which no file in UTF-8 can hold.
    return char.encode("unicode_escape").decode()


def join(parts: Iterable[object]) -> Html:
    """Return parts one after the other."""
    return Html("".join(map(escape, parts)))


def element(name: str, content: object = "", **attributes: object) -> Html:
    """Return one element.

    Args:
        name: Of the tag.
        content: Markup, or text to escape.
        **attributes: Without those that are None or False; an underscore at the end of a name
            is left out (``class_``), any other is a hyphen (``aria_label``).
    """
    start = f"<{name}{_attributes(attributes)}>"
    if name in _VOID and not content:
        return Html(start[:-1] + "/>")
    return Html(f"{start}{escape(content)}</{name}>")


def _attributes(attributes: Mapping[str, object]) -> str:
    text = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        name = key.rstrip("_").replace("_", "-")
        text += f" {name}" if value is True else f' {name}="{escape(str(value))}"'
    return text


def page(title: str, body: str, *, style: str = "", head: str = "", foot: str = "") -> str:
    """Return a whole page.

    Args:
        title: Of the page, and its first heading.
        body: What follows the heading, as :class:`Html`.
        style: More rules of style; with ``--ok`` and the other colours of the page.
        head: What stands with the heading, as :class:`Html`.
        foot: What stands at the end, as :class:`Html`.
    """
    rules = STYLE + style
    seal = base64.b64encode(hashlib.sha256(rules.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{seal}'; base-uri 'none'; form-action 'none'"
    header = element("header", element("h1", title) + escape(head))
    footer = element("footer", foot) if foot else Html("")
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{rules}</style>\n</head>\n<body>\n"
        f"{header}\n{element('main', body)}\n{footer}\n</body>\n</html>\n"
    )


def section(title: str, body: object, *, id: str | None = None, level: int = 2) -> Html:  # noqa: A002
    """Return a part of a page under a heading.

    Args:
        title: The heading.
        body: What is in it.
        id: What a link names it by.
        level: Of the heading, 2 to 6.
    """
    return element("section", element(f"h{level}", title) + escape(body), id=id) + "\n"


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    caption: str = "",
    right: Iterable[int] = (),
) -> Html:
    """Return a table; one that is too wide is scrolled by itself.

    Args:
        head: The headings of the columns.
        rows: The cells of each row; the first heads its row.
        caption: What it shows.
        right: The columns that stand at the right: numbers.
    """
    ends = set(right)
    heads = (
        element("th", cell, scope="col", class_="n" if at in ends else None)
        for at, cell in enumerate(head)
    )
    lines = [element("thead", element("tr", join(heads)))]
    lines.append(element("tbody", join(_row(row, ends) for row in rows)))
    named = element("caption", caption) if caption else Html("")
    whole = element("table", named + join(lines))
    return element(
        "div", whole, class_="wide", tabindex=0, role="region", aria_label=caption or "Table"
    )


def _row(row: Sequence[object], right: set[int]) -> Html:
    cells = []
    for at, cell in enumerate(row):
        place = "n" if at in right else None
        if at == 0:
            cells.append(element("th", cell, scope="row", class_=place))
        else:
            cells.append(element("td", cell, class_=place))
    return element("tr", join(cells)) + "\n"


def facts(pairs: Mapping[str, object]) -> Html:
    """Return names with what is known of each; without those of which nothing is."""
    known = ((name, value) for name, value in pairs.items() if value not in (None, ""))
    return element(
        "dl",
        join(element("div", element("dt", name) + element("dd", value)) for name, value in known),
    )


def pre(text: object, *, label: str = "Text") -> Html:
    """Return text with its line ends and spaces as they are.

    Args:
        text: It; long lines are scrolled.
        label: What it is, for those who do not see it.
    """
    # A line end right after the tag would be dropped.
    return element("pre", Html("\n") + escape(text), tabindex=0, role="region", aria_label=label)


def details(summary: object, body: object, *, opened: bool = False) -> Html:
    """Return what is shown when its summary is clicked on."""
    return element("details", element("summary", summary) + escape(body), open=opened) + "\n"


def state(name: str, text: str | None = None) -> Html:
    """Return the name of a state, or ``text`` about it, in the state's colour."""
    return element("span", name if text is None else text, class_=f"state {name.lower()}")


def note(text: object) -> Html:
    """Return a paragraph in quiet letters: what was left out, and why."""
    return element("p", text, class_="note") + "\n"
