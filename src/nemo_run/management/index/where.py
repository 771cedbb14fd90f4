"""The language of ``--where``: parsed, never evaluated. Pure.

``model.lr < 1e-3 and (state = FAILED or not accuracy > 0.9)`` becomes a tree of comparisons, each
of which knows where in the text it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.exceptions import PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}

Value = str | int | float | bool | None

_NAME = r"[^\W\d][\w.\-/]*(?:\[\d+\][\w.\-/]*)*"
_TOKEN = re.compile(
    rf"""\s*(?:
    (?P<span>\d+[smhdw](?![\w.]))
    |(?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<name>{_NAME})
    |(?P<sign>==|!=|<=|>=|!~|[=<>~(),:])
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(r"\\(.)")
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_WORDS = frozenset({"and", "or", "not", "in"})
_ORDERS = ("<", "<=", ">", ">=")
_SIGNS = ("=", "==", "!=", *_ORDERS, "~", "!~")
_DEEPEST = 50
_LONGEST = 10_000


class Name(NamedTuple):
    """What is compared.

    Attributes:
        name: Of a parameter, a result, a metric, or a word that every experiment has.
        job: Only of this job; empty for whichever job the rest is about.
        at: Where it stands in the text.
    """

    name: str
    job: str
    at: int


class Literal(NamedTuple):
    """What it is compared with.

    Attributes:
        value: The value.
        at: Where it stands in the text.
        bare: Whether it is a word without quotes.
    """

    value: Value
    at: int
    bare: bool = False


@dataclass(frozen=True)
class Comparison:
    """One comparison.

    Attributes:
        name: What is compared.
        sign: ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``~``, ``in``; empty: is it there, and
            neither false, 0 nor empty?
        values: What it is compared with; several for ``in``.
    """

    name: Name
    sign: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Not:
    """What must not be."""

    inside: Tree


@dataclass(frozen=True)
class Both:
    """Several that are joined.

    Attributes:
        word: ``and`` or ``or``.
        parts: What is joined.
    """

    word: str
    parts: tuple[Tree, ...]


Tree = Comparison | Not | Both


def wrong(text: str, at: int, what: str) -> PlanError:
    """Return the error that points at a place in a condition.

    Args:
        text: The whole condition.
        at: Where.
        what: A sentence.
    """
    start = max(0, at - 60)
    before = "…" if start else ""
    line = before + "".join(c if c.isprintable() else " " for c in text[start : at + 40])
    caret = " " * (at - start + len(before)) + "^"
    return PlanError(f"The condition cannot be used: {what}\n  {line}\n  {caret}")


def parse(text: str) -> Tree:
    """Return the tree of a condition.

    Raises:
        PlanError: It cannot be understood; the message points at the place.
    """
    if len(text) > _LONGEST:
        raise wrong(text, _LONGEST, f"it has more than {_LONGEST:,} characters.")
    return _Parser(text).whole()


class _Token(NamedTuple):
    kind: str
    text: str
    at: int

    def __str__(self) -> str:
        return f"{self.text!r}" if self.text else "the end"


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            at += len(text[at:]) - len(text[at:].lstrip())
            raise wrong(text, at, _odd(text, at))
        yield _Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup))
        at = match.end()
    yield _Token("end", "", end)


def _odd(text: str, at: int) -> str:
    if text[at] in "\"'":
        return f"the text that begins here has no closing {text[at]}."
    for sign, instead in (("&", "and"), ("|", "or"), ("!", "not")):
        if text[at] == sign:
            return f"{sign!r} means nothing here. Write `{instead}`."
    if text[at] in "+-*/%":
        return f"{text[at]!r} means nothing here: there is no arithmetic."
    return f"{text[at]!r} means nothing here."


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._next = 0
        self._depth = 0

    def whole(self) -> Tree:
        if self._token.kind == "end":
            raise self._wrong("it is empty. Write for example: lr < 1e-3 and accuracy > 0.9")
        tree = self._either()
        if self._token.kind != "end":
            hint = " Join conditions with `and` or `or`." if self._token.kind != "sign" else ""
            raise self._wrong(f"{self._token} is not expected here.{hint}")
        return tree

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _wrong(self, what: str) -> PlanError:
        return wrong(self._text, self._token.at, what)

    def _take(self) -> _Token:
        token = self._token
        if token.kind != "end":
            self._next += 1
        return token

    def _word(self, *words: str) -> bool:
        """Take a word of the language, if it comes next."""
        token = self._token
        if token.kind not in ("name", "sign") or token.text.lower() not in words:
            return False
        self._next += 1
        return True

    def _either(self) -> Tree:
        parts = [self._all()]
        while self._word("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Both("or", tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._word("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Both("and", tuple(parts))

    def _one(self) -> Tree:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"it is nested more than {_DEEPEST} deep.")
        try:
            if self._word("not"):
                return Not(self._one())
            return self._inside() if self._word("(") else self._comparison()
        finally:
            self._depth -= 1

    def _inside(self) -> Tree:
        opened = self._tokens[self._next - 1]
        tree = self._either()
        if not self._word(")"):
            if self._token.kind == "end":
                raise wrong(self._text, opened.at, "the parenthesis that opens here is not closed.")
            raise self._wrong(f"{self._token} is not expected here; `)` is.")
        return tree

    def _comparison(self) -> Tree:
        name = self._name()
        if self._token.text.lower() == "not" and self._after().lower() == "in":
            self._next += 2
            return Not(Comparison(name, "in", self._list()))
        if self._word("in"):
            return Comparison(name, "in", self._list())
        token = self._token
        if token.kind != "sign" or token.text not in _SIGNS:
            if token.kind in ("end",) or token.text.lower() in ("and", "or", ")"):
                return Comparison(name, "", ())
            raise self._wrong(f"{token} is no comparison. There are: {' '.join(_SIGNS)} in.")
        self._take()
        value = self._literal()
        if token.text in _ORDERS and (value.bare or isinstance(value.value, bool)):
            raise wrong(
                self._text,
                value.at,
                f"{value.value!r} has no order; compare with a number or a quoted text.",
            )
        if token.text == "!~":
            return Not(Comparison(name, "~", (value,)))
        return Comparison(name, "=" if token.text == "==" else token.text, (value,))

    def _after(self) -> str:
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)].text

    def _name(self) -> Name:
        token = self._token
        if token.kind not in ("name", "text") or token.text.lower() in _WORDS:
            raise self._wrong(
                f"a name is expected here, such as model.lr or state, not {token}."
                + (" Write the name first: lr < 1." if token.kind in ("number", "span") else "")
            )
        self._take()
        if not self._word(":"):
            return Name(_plain(token), "", token.at)
        named = self._token
        if named.kind not in ("name", "text"):
            raise self._wrong(f"a name is expected after the job's, not {named}.")
        self._take()
        return Name(_plain(named), _plain(token), named.at)

    def _list(self) -> tuple[Literal, ...]:
        if not self._word("("):
            raise self._wrong(f"`in` needs a list, as (1, 2, 'three'), not {self._token}.")
        values = [self._literal()]
        while self._word(","):
            values.append(self._literal())
        if not self._word(")"):
            raise self._wrong(f"{self._token} is not expected in a list; `,` or `)` is.")
        return tuple(values)

    def _literal(self) -> Literal:
        token = self._token
        if token.kind in ("sign", "end") or token.text.lower() in _WORDS:
            raise self._wrong(f"a value is expected here, not {token}.")
        self._take()
        if token.kind == "name":
            if token.text.lower() in _CONSTANTS:
                return Literal(_CONSTANTS[token.text.lower()], token.at)
            return Literal(token.text, token.at, bare=True)
        if token.kind == "text":
            return Literal(_plain(token), token.at)
        if token.kind == "span":
            return Literal(int(token.text[:-1]) * UNITS[token.text[-1]], token.at)
        return Literal(self._number(token), token.at)

    def _number(self, token: _Token) -> int | float:
        try:
            whole = int(token.text)
        except ValueError:
            return float(token.text)
        return whole if abs(whole) < 1 << 63 else float(whole)


def _plain(token: _Token) -> str:
    return _ESCAPED.sub(r"\1", token.text[1:-1]) if token.kind == "text" else token.text
