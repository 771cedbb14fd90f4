"""``key OP value`` is read the same way for ever: these tables must not change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.config.overrides.grammar import (
    OPERATORS,
    Item,
    is_override,
    key_of,
    parse_key,
    parse_override,
)
from nemo_run.exceptions import OverrideError

GOLDEN = [
    ("lr=1", "lr", ("lr",), "=", "1"),
    ("lr=", "lr", ("lr",), "=", ""),
    ("s==", "s", ("s",), "=", "="),
    ("s=a=b", "s", ("s",), "=", "a=b"),
    ("s= a ", "s", ("s",), "=", " a "),
    ("n+=1", "n", ("n",), "+=", "1"),
    ("n-=1", "n", ("n",), "-=", "1"),
    ("n*=2", "n", ("n",), "*=", "2"),
    ("n/=2", "n", ("n",), "/=", "2"),
    ("d|={a: 1}", "d", ("d",), "|=", "{a: 1}"),
    ("s&={1}", "s", ("s",), "&=", "{1}"),
    ("n=-1", "n", ("n",), "=", "-1"),
    ("n=+=1", "n", ("n",), "=", "+=1"),
    ("a.b.c=1", "a.b.c", ("a", "b", "c"), "=", "1"),
    ("_a.__b=1", "_a.__b", ("_a", "__b"), "=", "1"),
    ("größe=1", "größe", ("größe",), "=", "1"),
    ("models[0].size=4", "models[0].size", ("models", Item(0), "size"), "=", "4"),
    ("models[-1]=4", "models[-1]", ("models", Item(-1)), "=", "4"),
    ("m[0][1]=4", "m[0][1]", ("m", Item(0), Item(1)), "=", "4"),
    ("[0]=4", "[0]", (Item(0),), "=", "4"),
    ("[0].a=4", "[0].a", (Item(0), "a"), "=", "4"),
    ("o.d[k]=1", "o.d[k]", ("o", "d", Item("k")), "=", "1"),
    ("o.d[a.b/c d]=1", "o.d[a.b/c d]", ("o", "d", Item("a.b/c d")), "=", "1"),
    ("o.d['k']=1", "o.d['k']", ("o", "d", Item("k", quoted=True)), "=", "1"),
    ('o.d["k]"]=1', 'o.d["k]"]', ("o", "d", Item("k]", quoted=True)), "=", "1"),
    (r"d['it\'s']=1", r"d['it\'s']", ("d", Item("it's", quoted=True)), "=", "1"),
    ("d['0']=1", "d['0']", ("d", Item("0", quoted=True)), "=", "1"),
    ("d.learning-rate=1", "d.learning-rate", ("d", "learning-rate"), "=", "1"),
    ("d.learning-rate-=1", "d.learning-rate", ("d", "learning-rate"), "-=", "1"),
    ("d[learning-rate]-=1", "d[learning-rate]", ("d", Item("learning-rate")), "-=", "1"),
    ("d.0.1=x", "d.0.1", ("d", "0", "1"), "=", "x"),
    ("s=a\nb", "s", ("s",), "=", "a\nb"),
    ("s=100%|x#y\\", "s", ("s",), "=", "100%|x#y\\"),
    ("f=mk(a=1, b=g(c=2))", "f", ("f",), "=", "mk(a=1, b=g(c=2))"),
]


@pytest.mark.parametrize(("text", "key", "steps", "operator", "value"), GOLDEN)
def test_what_is_read(text, key, steps, operator, value):
    found = parse_override(text)
    assert (found.key, found.steps, found.operator, found.text) == (key, steps, operator, value)
    assert is_override(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "lr", "=", "=1", " lr=1", "lr =1", "1=2", "-lr=1", "--lr=1", "a..b=1", ".a=1"),
        *("a.=1", "a[=1", "a[]=1", "a]=1", "a[0=1", "a['k]=1", "a b=1", "a/b=1", "n//=2"),
        *("n**=2", "n%=2", "n^=1", "n<=1"),
        *("mk(a=1)", "[mk(a=1)]", "https://host/?a=b", "x@y=1", "a.-b=1"),
    ],
)
def test_what_is_no_override(text):
    assert not is_override(text)
    with pytest.raises(OverrideError):
        parse_override(text)


@pytest.mark.parametrize("text", ["lr", "lr =3", "n//=2", "a..b=1", "d[it's]=1", "x" * 100])
def test_a_word_that_sets_nothing_says_how_to_write_it(text, error_snapshot):
    with pytest.raises(OverrideError) as caught:
        parse_override(text)
    error_snapshot(f"override: {text[:20]}", str(caught.value))


names = st.from_regex(r"[a-z_ü]\w{0,4}", fullmatch=True)
dict_keys = st.from_regex(r"\w{1,4}(-\w{1,3})?", fullmatch=True)
bare = st.text(
    st.characters(blacklist_characters="[]'\"", blacklist_categories=["Cs"]), min_size=1
).filter(lambda text: not text.removeprefix("-").isdecimal())
steps = st.one_of(
    dict_keys,
    st.builds(Item, st.integers()),
    st.builds(Item, bare),
    st.builds(Item, st.text(), st.just(True)),
)
keys = st.builds(lambda first, rest: (first, *rest), names, st.lists(steps, max_size=4))


@given(keys, st.sampled_from(OPERATORS), st.text())
def test_every_byte_of_the_value_is_kept(key, operator, value):
    text = key_of(key)
    found = parse_override(f"{text}{operator}{value}")
    assert (found.key, found.operator, found.text) == (text, operator, value)
    assert found.steps == key


@given(keys)
def test_a_key_is_written_and_read_back(key):
    assert parse_key(key_of(key)) == key


@given(st.text(st.sampled_from("ab.[]'\"-=+0\\ "), max_size=12))
def test_no_text_breaks_the_reader(text):
    if not is_override(text):
        with pytest.raises(OverrideError):
            parse_override(text)
        return
    found = parse_override(text)
    assert f"{found.key}{found.operator}{found.text}" == text
    assert parse_key(found.key) == found.steps
    assert parse_key(key_of(found.steps)) == found.steps
