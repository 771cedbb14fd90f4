"""What cannot be converted is an error that shows the line and the way out."""

# ruff: noqa: RET503, UP031, UP032 - such code is what is tested

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import nemo_run as run
from nemo_run.exceptions import AutoconvertError


@dataclass
class Layer:
    width: Any = 1
    activation: Any = None


def helper(x: int) -> int:
    return x + 1


def line_of(function: Any, text: str) -> int:
    lines, start = inspect.getsourcelines(function)
    return start + next(i for i, line in enumerate(lines) if text in line)


@run.autoconvert
def condition():
    if helper(1):
        return Layer(1)


@run.autoconvert
def negation():
    return Layer(1 if not helper(1) else 2)


@run.autoconvert
def either():
    x = helper(1) and 2
    return Layer(x)


@run.autoconvert
def arithmetic():
    return Layer(width=2 * helper(3))


@run.autoconvert
def old_text():
    return Layer("%s" % helper(3))


@run.autoconvert
def text():
    name = f"layer {helper(3)}"
    return Layer(name)


@run.autoconvert
def formatted():
    return Layer("{}".format(helper(3)))


@run.autoconvert
def comparison():
    return Layer(1 if helper(1) == 2 else 2)


@run.autoconvert
def subscript():
    return Layer(helper(1)[0])


@run.autoconvert
def filtered():
    return [Layer(i) for i in range(3) if helper(i)]


@run.autoconvert
def matched():
    match helper(1):
        case 2:
            return Layer()


@run.autoconvert
def shown():
    return Layer(str(helper(1)))


@run.autoconvert
def iteration():
    for x in helper(3):
        return Layer(x)


@run.autoconvert
def unpacking():
    a, b = helper(3)
    return Layer(a, b)


@run.autoconvert
def sizing():
    return Layer(width=len(helper(3)))


@run.autoconvert
def augmented():
    total = 1
    for i in range(2):
        total += helper(i)
    return Layer(total)


USES = [
    (condition, "if helper(1):", "helper(1)"),
    (negation, "Layer(1 if not", "helper(1)"),
    (either, "helper(1) and", "helper(1)"),
    (arithmetic, "2 * helper(3)", "helper(3)"),
    (old_text, '"%s"', "helper(3)"),
    (text, 'f"layer', None),
    (formatted, ".format", None),
    (comparison, "== 2", "helper(1)"),
    (subscript, "[0]", "helper(1)"),
    (filtered, "if helper(i)", "helper(i)"),
    (matched, "match helper", "helper(1)"),
    (shown, "str(", "str(helper(1))"),
    (iteration, "for x in", None),
    (unpacking, "a, b =", None),
    (sizing, "len(", None),
    (augmented, "total +=", None),
]


@pytest.mark.parametrize(
    ("function", "line", "marked"), USES, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_configuration_used_like_a_value_is_shown_with_its_place(
    function: Any, line: str, marked: str | None
) -> None:
    with pytest.raises(AutoconvertError) as error:
        function()
    head, source, caret, way_out = str(error.value).split("\n")
    assert head.startswith(f"{__file__}:{line_of(function.wrapped, line)}: ")
    assert "configuration" in head
    assert line in source
    assert way_out.startswith("It is made later, in the job")
    if marked and sys.version_info >= (3, 12):
        assert source[caret.index("^") : caret.rindex("^") + 1] == marked


@run.autoconvert
def generator():
    yield Layer(1)


@run.autoconvert
async def waiting():
    return Layer(1)


@run.autoconvert
def writes_globals():
    global COUNT
    COUNT = 1
    return Layer(1)


@run.autoconvert
def keeps_a_lambda():
    return Layer(1, activation=[lambda x: x])


@run.autoconvert
def keeps_an_inner_function():
    def act(x):
        return x

    return Layer(1, activation={"f": act})


@run.autoconvert
def drops_a_call():
    made = Layer(1)
    helper(made)
    return made


@run.autoconvert
def calls_a_method():
    made = Layer(1)
    made.freeze()
    return made


@pytest.mark.parametrize(
    ("function", "line", "problem"),
    [
        (generator, "yield", "a generator cannot be converted"),
        (waiting, "async def", "waiting is asynchronous"),
        (writes_globals, "global COUNT", "COUNT would be set outside"),
        (keeps_a_lambda, "Layer(1, activation=[lambda", "a lambda, defined inside the function"),
        (keeps_an_inner_function, "Layer(1, activation={", "'act', defined inside the function"),
        (drops_a_call, "helper(made)", "the result of helper is not used"),
        (calls_a_method, "made.freeze()", "Config(Layer) is a configuration, so its 'freeze'"),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_what_cannot_be_converted_is_shown_with_its_place(
    function: Any, line: str, problem: str
) -> None:
    with pytest.raises(AutoconvertError, match=re.escape(problem)) as error:
        function()
    head, source, caret, way_out = str(error.value).split("\n")
    assert head.startswith(f"{__file__}:{line_of(function.wrapped, line)}: ")
    assert line in source
    assert set(caret) == {" ", "^"}
    assert way_out.endswith(".")


@pytest.mark.parametrize("value", [None, 5, "text"])
def test_a_plain_result_is_refused(value: Any) -> None:
    @run.autoconvert
    def plain():
        return value

    with pytest.raises(AutoconvertError, match=rf"plain returned {value!r}, from which no"):
        plain()


def test_a_lambda_and_a_builtin_are_refused() -> None:
    with pytest.raises(AutoconvertError, match="a lambda cannot be converted"):
        run.autoconvert(lambda: Layer(1))()
    with pytest.raises(AutoconvertError, match="no Python function"):
        run.autoconvert(len)([])


def test_a_function_without_source_is_refused() -> None:
    space: dict[str, Any] = {"Layer": Layer}
    exec("def hidden(): return Layer(1)", space)
    with pytest.raises(AutoconvertError, match="the source of hidden cannot be read"):
        run.autoconvert(space["hidden"])()


def test_a_call_at_the_prompt_of_python_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "import nemo_run as run, dataclasses\n"
        "@dataclasses.dataclass\nclass A: x: int = 1\n\n"
        "@run.autoconvert\ndef f(): return A(2)\n\n"
        "f()\n"
    )
    done = subprocess.run(
        [sys.executable, "-"],
        input=code,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(run.__file__).parents[1])},
    )
    last = done.stderr.splitlines()[-1]
    assert "the source of f cannot be read" in last
    assert "Put it into a file, or return run.Config(...) without autoconvert." in last
