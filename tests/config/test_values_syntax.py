"""The little language of values, without any types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.config.values.syntax import (
    Call,
    is_one_part,
    read_call,
    read_pairs,
    split_items,
    unquoted,
)
from nemo_run.exceptions import OverrideError


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("small", Call("small", bare=True)),
        (" pkg.small ", Call("pkg.small", bare=True)),
        ("llama-8b", Call("llama-8b", bare=True)),
        ("8b", Call("8b", bare=True)),
        ("small()", Call("small")),
        ("adam(0.1, lr=0.2)", Call("adam", ((None, "0.1"), ("lr", "0.2")))),
        (
            "f(a=1, b.c[0]=g(x=[1, 2], y='a,b'))",
            Call("f", (("a", "1"), ("b.c[0]", "g(x=[1, 2], y='a,b')"))),
        ),
        ("f(x=a=b, y==c)", Call("f", (("x", "a=b"), (None, "y==c")))),
        ("f('a)b')", Call("f", ((None, "'a)b'"),))),
    ],
)  # fmt: skip
def test_a_name_or_a_call_is_read(text: str, call: Call) -> None:
    assert read_call(text) == call


@pytest.mark.parametrize(
    "text", ["", "1", "1.5", "1e3", "-x", "a b", "f(1) + 1", "(1)", "'f'", "a..b", "a.", "[f]"]
)
def test_what_is_no_call_is_none(text: str) -> None:
    assert read_call(text) is None


def test_items_stay_as_they_were_written() -> None:
    assert split_items("[a, 'b, c', [d, e], f(g, h), {i: j, k: l}, don't,]") == [
        "a", "'b, c'", "[d, e]", "f(g, h)", "{i: j, k: l}", "don't",
    ]  # fmt: skip
    assert split_items("1, 2") == ["1", "2"]
    assert split_items("[1],[2]") == ["[1]", "[2]"]
    assert split_items("") == split_items("[]") == []


def test_pairs_stay_as_they_were_written() -> None:
    assert read_pairs("{a: 1, 'b:c'=[2, 3], u: http://x:80/?y=z}") == [
        ("a", "1"), ("'b:c'", "[2, 3]"), ("u", "http://x:80/?y=z"),
    ]  # fmt: skip
    assert read_pairs("a=1,b=2") == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize("text", ["f(a", "f(a))", "[a, [b]", "['a", "a]", "a,,b", ",a"])
def test_what_is_not_closed_or_not_there_is_an_error(text: str) -> None:
    with pytest.raises(OverrideError):
        split_items(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_quoted_texts_are_told_apart_and_read_back(texts: list[str]) -> None:
    written = [repr(text) for text in texts]

    parts = split_items(f"[{', '.join(written)}]")

    assert parts == written
    assert [unquoted(part) for part in parts] == texts
    assert all(is_one_part(part) for part in parts)
