"""No text makes the parser run anything, and none makes it fall over."""

from __future__ import annotations

import contextlib
import importlib
import sys
import typing
from pathlib import PurePath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from values_generated import SIMPLE, TEXT, Adam, Color, Model, Plain

import nemo_run as run
from nemo_run.config.values.parse import NOT_FOUND, convert, parse
from nemo_run.exceptions import OverrideError

SENTINEL = """
from pathlib import Path
from values_generated import Plain
import values_sentinel_calls as calls

class Sub(Plain):
    def __new__(cls, *args, **kwargs):
        calls.SEEN.append("__new__")
        return super().__new__(cls)

    def __init__(self, size: int = 1, *args, **kwargs):
        calls.SEEN.append("__init__")

class Loud:
    def __getattr__(self, name):
        calls.SEEN.append(name)
        return self

    def __call__(self, *args, **kwargs):
        calls.SEEN.append("__call__")

loud = Loud()

def touch(*args, **kwargs):
    calls.SEEN.append("touch")
    return Sub()
"""

WATCHED = {
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen",
    "os.remove", "os.mkdir", "socket.connect", "ctypes.dlopen", "shutil.rmtree",
}  # fmt: skip
_seen: list[str] = []
_listening = False


def _listen(event: str, args: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event in WATCHED or (event == "open" and args[1] and set("wax+") & set(str(args[1]))):
        _seen.append(f"{event} {args!r}")
    elif event == "import":
        _seen.append(f"import {args[0]}")


sys.addaudithook(_listen)


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[list[str]]:
    """A module whose every function tells that it was called; returns what was told."""
    folder = tmp_path_factory.mktemp("sentinel")
    (folder / "values_sentinel.py").write_text(SENTINEL)
    (folder / "values_unloaded.py").write_text(SENTINEL)
    (folder / "values_sentinel_calls.py").write_text("SEEN = []")
    sys.path.insert(0, str(folder))
    importlib.import_module("values_sentinel")
    yield importlib.import_module("values_sentinel_calls").SEEN
    sys.path.remove(str(folder))
    sys.modules.pop("values_sentinel", None)


def events(read: typing.Callable[[Any, Any], Any], source: Any, hint: Any) -> list[str]:
    """What the interpreter does while a value is read."""
    global _listening
    _seen.clear()
    _listening = True
    try:
        read(source, hint)
    except OverrideError:
        pass
    finally:
        _listening = False
    return list(_seen)


NAMES = [
    "os.system", "subprocess.run", "subprocess.Popen", "eval", "exec", "print", "open", "quit",
    "help", "__import__('os').system", "builtins.eval", "os:system", "values_sentinel.touch",
    "values_sentinel.Sub", "values_sentinel.loud", "values_sentinel.loud.x", "lambda: os.system",
    "values_sentinel:touch", "Sub", "touch", "this.s", "(lambda: 1)",
    "pathlib.Path",
]  # fmt: skip
ARGUMENTS = ["", "()", "('x')", "(x)", "(command='true')", "(1, size=2)", "(os.system('true'))"]
AROUND = ["{}", "[{}]", "[1, {}]", "{{a: {}}}", "{{lr: {}}}", "{{{}: 1}}", "Plain({})", "Sub({})"]
CALLS = st.builds(
    lambda name, arguments, around: around.format(name + arguments),
    st.sampled_from(NAMES),
    st.sampled_from(ARGUMENTS),
    st.sampled_from(AROUND),
)
EXPRESSIONS = st.sampled_from(
    ["[x for x in (1,)]", "1 if 1 else 2", "f'{1+1}'", "().__class__.__bases__", "@x", "`true`"]
)
HINTS = [hint for hint, _ in SIMPLE]
HINTS += [list[hint] for hint in HINTS] + [hint | None for hint in HINTS if isinstance(hint, type)]
HINTS += [dict[str, Plain], Plain | str, str | Plain, Color | Adam | Model, int | typing.Any]


@given(st.sampled_from(HINTS), CALLS | EXPRESSIONS | TEXT | st.text(max_size=30))
@settings(deadline=None, max_examples=500, suppress_health_check=list(HealthCheck))
def test_no_text_makes_the_parser_call_anything(sentinel: list[str], hint: Any, text: str) -> None:
    for read in (parse, convert):
        seen = events(read, text, hint)

        assert [event for event in seen if not event.startswith("import ")] == []
    assert sentinel == []


DATA_HINTS = [hint for hint in HINTS if not any(n in str(hint) for n in ("Callable", "type["))]


# Importing it opens a browser.
NAMES_OF_IT = [
    "antigravity.x",
    "antigravity.x()",
    "antigravity",
    "antigravity:x",
    "antigravity.x.y",
]
UNWANTED = st.builds(
    lambda n, around: around.format(n), st.sampled_from(NAMES_OF_IT), st.sampled_from(AROUND)
)


@given(st.sampled_from(DATA_HINTS), CALLS | EXPRESSIONS | UNWANTED | TEXT)
@settings(deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
def test_nothing_is_imported_for_a_value_that_is_no_callable(
    sentinel: list[str], hint: Any, text: str
) -> None:
    seen = [event for event in events(parse, text, hint) if event.startswith("import ")]

    # Ours are loaded on first use.
    assert [
        event for event in seen if not event.startswith(("import nemo_run", "import difflib"))
    ] == []


def test_a_dotted_name_beside_a_text_is_a_text_and_imports_nothing(sentinel: list[str]) -> None:
    assert parse("values_unloaded.loud", Plain | str) == "values_unloaded.loud"
    assert "values_unloaded" not in sys.modules


@pytest.mark.parametrize("text", ["values_unloaded.Sub(1)", "values_unloaded.loud"])
@pytest.mark.parametrize("around", ["{}", "[{}]", "{{lr: {}}}"])
@pytest.mark.parametrize("hint", [Plain, Plain | None, list[Plain], dict[str, Plain], Plain | int])
def test_for_an_object_nothing_is_imported(
    sentinel: list[str], text: str, around: str, hint: Any
) -> None:
    for read in (parse, convert):
        with contextlib.suppress(OverrideError):
            read(around.format(text), hint)
        assert "values_unloaded" not in sys.modules


def test_a_class_of_a_package_that_nobody_imported_says_what_to_do(sentinel: list[str]) -> None:
    assert outcome("values_unloaded.Sub(1)", Plain) == (
        "'values_unloaded.Sub' is not there: values_unloaded is not imported by this program. "
        "Import it there, or register a factory."
    )


def test_a_module_of_a_package_that_is_imported_is_found(tmp_path, monkeypatch) -> None:
    (tmp_path / "values_package").mkdir()
    (tmp_path / "values_package" / "__init__.py").touch()
    (tmp_path / "values_package" / "below.py").write_text(
        "from values_generated import Plain\nclass Below(Plain): ..."
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("values_package")

    assert parse("values_package.below.Below()", Plain).__fn_or_cls__.__name__ == "Below"


def test_a_class_that_is_asked_for_is_configured_and_not_made(sentinel: list[str]) -> None:
    found = parse("values_sentinel.Sub(size=3)", Plain)

    assert (found, sentinel) == (run.Config(sys.modules["values_sentinel"].Sub, size=3), [])


def test_a_callable_that_is_asked_for_is_not_called(sentinel: list[str]) -> None:
    touch = parse("values_sentinel.touch", typing.Callable)

    assert touch is sys.modules["values_sentinel"].touch
    assert parse("values_sentinel.touch(1, a=x)", typing.Callable) == run.Partial(touch, 1, a="x")
    assert sentinel == []


@pytest.mark.parametrize("name", ["values_sentinel.loud.x", "values_sentinel.loud.x.y(1)"])
@pytest.mark.parametrize("hint", [Plain, typing.Callable, type[Plain]])
def test_objects_are_not_looked_into(sentinel: list[str], name: str, hint: Any) -> None:
    assert "values_sentinel.loud" in outcome(name, hint)
    assert sentinel == []


def test_a_function_is_refused_where_an_object_is_wanted(sentinel: list[str]) -> None:
    with pytest.raises(OverrideError, match="nothing but registered factories is called"):
        parse("values_sentinel.touch()", Plain)
    assert sentinel == []


@pytest.mark.parametrize("text", ["x", "x(1)", "[x]", "pkg.x"])
def test_for_a_text_no_factory_is_asked(text: str) -> None:
    def resolve(call: Any, hint: Any) -> Any:
        raise AssertionError(call)

    assert parse(text, str, resolve) == text


@pytest.mark.parametrize("bracket", ["[", "{", "(", "[{", "a(", "{a:"])
def test_ten_thousand_brackets_are_an_error_or_a_text(bracket: str) -> None:
    text = bracket * 10_000
    closed = text + "".join({"[": "]", "{": "}", "(": ")"}.get(c, "") for c in reversed(text))
    for hint in [*HINTS, list[list[Any]]]:
        for source in (text, closed):
            found = outcome(source, hint)

            assert isinstance(found, (str, bytes, bytearray, PurePath))
            assert (
                isinstance(found, PurePath)
                or len(found) < 1_000
                or found in (source, source.encode())
            )


LONG = {
    "letters": "a" * 10_000_000,
    "digits": "9" * 10_000_000,
    "an exponent": "1e" + "9" * 10_000_000,
    "a quoted text": "'" + "a" * 10_000_000 + "'",
    "calls": "f(" * 5_000_000 + ")" * 5_000_000,
    "brackets": "[" * 5_000_000 + "]" * 5_000_000,
    "commas": "," * 10_000_000,
    "quotes": "'" * 100_001,
    "apostrophes": "a'" * 50_000,
    "backslashes": "'" + "\\" * 100_000,
    "pairs": "{" + "a:" * 50_000 + "}",
    "spaces and quotes": " " * 50_000 + "a'" * 50_000,
}


@pytest.mark.parametrize("case", LONG)
def test_a_long_text_is_refused_in_a_short_sentence(case: str) -> None:
    for hint in (int, list[int], dict[str, int], Plain, Color, bool | list[int]):
        found = outcome(LONG[case], hint)

        assert isinstance(found, str)
        assert len(found) < 1_000


@pytest.mark.parametrize("case", LONG)
def test_a_long_text_is_kept_where_a_text_is_allowed(case: str) -> None:
    text = LONG[case]

    assert parse(text, str) == text
    assert parse(text, int | str) == text


def outcome(text: str, hint: Any) -> Any:
    """The value, or the sentence that refuses it."""
    try:
        return parse(text, hint)
    except OverrideError as error:
        return str(error)


@pytest.mark.parametrize(
    "hint", [int, float, complex, __import__("decimal").Decimal, __import__("fractions").Fraction]
)
@pytest.mark.parametrize("text", ["1e999999999", "-1e99999", "9" * 5_000, "1/" + "9" * 5_000])
def test_a_number_of_absurd_size_costs_nothing(hint: Any, text: str) -> None:
    assert len(str(outcome(text, hint))) < 200


class Chain:
    def __init__(self, next: Chain | None = None) -> None: ...


def test_data_that_holds_itself_is_refused() -> None:
    data: dict[str, Any] = {}
    data["next"] = data

    with pytest.raises(OverrideError, match="holds itself"):
        convert(data, Chain)


def test_without_factories_the_sentinel_of_a_resolver_means_not_there() -> None:
    assert parse("x", typing.Any, lambda call, hint: NOT_FOUND) == "x"
