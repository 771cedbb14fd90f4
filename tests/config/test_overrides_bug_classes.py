"""Faults that tools of this kind have had: each is a behaviour that is held here."""

from __future__ import annotations

import decimal
import os
import subprocess
import sys
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Optional, Union  # noqa: UP035

import pytest

import nemo_run as run
from nemo_run.config import ZlibJSONSerializer, build
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Model:
    a: int = 1
    b: bool = True
    c: str = "x"
    d: list[int] | None = None
    e: float = 1.0


CONSTANT = Model(a=9)
FALSY = {"a": 0, "b": False, "c": "", "d": [], "e": 0.0}
TEXTS = {"a": "0", "b": "false", "c": "", "d": "[]", "e": "0.0"}


def changed(target: Any, *texts: str) -> Any:
    node = target if isinstance(target, run.Partial | run.Config) else run.Config(target)
    return apply(node, [parse_override(text) for text in texts])


def received(a=1, b=True, c="x", d=[1], e=1.0):
    return {"a": a, "b": b, "c": c, "d": d, "e": e}


def holding(model: Model, several: list[Model] = []): ...


def same(found: Any) -> bool:
    return found == FALSY and [type(v) for v in found.values()] == [type(v) for v in FALSY.values()]


def test_falsy_values_arrive():
    task = changed(received, *(f"{key}={text}" for key, text in TEXTS.items()))
    assert same(build(task))
    serializer = ZlibJSONSerializer()
    assert same(build(serializer.deserialize(serializer.serialize(task))))


def test_falsy_values_arrive_inside():
    task = run.Config(holding, model=run.Config(Model), several=[run.Config(Model)])
    for place in ("model", "several[0]"):
        task = changed(task, *(f"{place}.{key}={text}" for key, text in TEXTS.items()))
    assert same(vars(build(task.model)))
    assert same(vars(build(task.several[0])))


def optional(x: str | None = "d", y: int | str = 0, z: Union[int, str] = 0): ...  # noqa: UP007


@pytest.mark.parametrize(
    ("text", "value"),
    [("x=None", None), ("x=abc", "abc"), ("y=1", 1), ("y=a", "a"), ("y=007", "007"), ("z=1", 1)],
)
def test_unions_are_read_in_their_order(text, value):
    found = getattr(changed(optional, text), text[0])
    assert found == value
    assert type(found) is type(value)


def modern(a: list[int], b: dict[str, list[int]], c: Model | None, d: list[Model] | None): ...


def old(
    a: List[int],  # noqa: UP006
    b: Dict[str, List[int]],  # noqa: UP006
    c: Optional[Model],  # noqa: UP045
    d: Optional[List[Model]],  # noqa: UP006, UP045
): ...


def test_both_spellings_of_a_type_read_the_same():
    texts = ("a=[1,2]", "b={k: [1]}", "c={a: 3}", "d=[Model(a=4)]", "b.j=[2]", "d[0].a+=1")
    first, second = changed(modern, *texts), changed(old, *texts)
    assert first.__arguments__ == second.__arguments__
    assert first.b == {"k": [1], "j": [2]}
    assert first.d == [run.Config(Model, a=5)]


def only_for_checking(folder: Path, n: int = 0): ...


def test_a_type_that_is_imported_for_checking_only():
    import pathlib

    assert changed(only_for_checking, "folder=~/x").folder == pathlib.Path("~/x").expanduser()


def annotated(x: Annotated[int, "a number"] = 0, y: Annotated[Optional[Model], 1] = None): ...  # noqa: UP045


def test_annotated_is_what_it_annotates():
    task = changed(annotated, "x=5", "y.a=3")
    assert task.x == 5
    assert task.y == run.Config(Model, a=3)


def test_a_dotted_constant_is_the_constant():
    task = changed(holding, f"model={__name__}.CONSTANT")
    assert build(task.model) == CONSTANT


def texts(s: str = "", t: str | None = None, u: Any = None, n: int = 0, q=None): ...


# What the reference implementation would import, call or evaluate.
@pytest.mark.parametrize(
    "value",
    [
        "os.getcwd",
        "math.pi",
        "os.system(command='touch evil')",
        "os.system('touch evil')",
        "__import__('os').system('touch evil')",
        "subprocess.run(['touch', 'evil'])",
        "lambda: open('evil', 'w')",
        "[open('evil', 'w') for _ in range(1)]",
        "print('x') or open('evil', 'w')",
        "helper",
    ],
)
@pytest.mark.parametrize("name", ["s", "t", "u", "n", "q"])
def test_nothing_is_called_because_a_text_looks_like_it(name, value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        task = changed(texts, f"{name}={value}")
    except OverrideError:
        assert name not in "st"
    else:
        if name in "st":
            assert getattr(task, name) == value
    assert not (tmp_path / "evil").exists()


def test_nothing_is_imported_for_a_text(tmp_path):
    (tmp_path / "loud.py").write_text("raise SystemExit('imported')\n", "utf-8")
    script = tmp_path / "main.py"
    script.write_text(
        dedent(
            """
            import nemo_run as run
            from typing import Any

            def f(s: str, u: Any = None, n: int | None = None): ...

            print(run.cli.parse_config(f, "loud.x", "u=loud.thing(a=1)").s)
            """
        ),
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.stdout, done.returncode) == ("loud.x\n", 0), done.stderr


def test_a_value_that_is_read_twice_is_two_objects():
    task = changed(modern, "a=[1,2]", "b={k: [1,2]}")
    task.a.append(3)
    assert task.b == {"k": [1, 2]}
    assert changed(modern, "a=[1,2]").a == [1, 2]


def test_the_file_of_a_value(tmp_path):
    (tmp_path / "values.yaml").write_text(
        "small: {a: 3, c: '5'}\nmany:\n- {a: 1}\n- {a: 2}\nprice: 1.5\n", "utf-8"
    )

    def fit(
        model: Model | None = None,
        several: list[Model] = [],
        name: str = "",
        maybe: str | None = None,
        price: decimal.Decimal = decimal.Decimal(0),
    ): ...

    file = f"@{tmp_path}/values.yaml"
    task = changed(
        fit,
        *(f"model={file}:small", f"several={file}:many", f"name={file}", f"maybe={file}"),
        *(f"price={file}:price", "model.a+=1", f"several+={file}:many"),
    )
    assert task.model == run.Config(Model, a=4, c="5")
    assert [model.a for model in task.several] == [1, 2, 1, 2]
    assert task.name == task.maybe == file
    assert task.price == decimal.Decimal("1.5")
    with pytest.raises(OverrideError, match=r"^model: .*'missing'"):
        changed(fit, f"model={file}:missing")


def test_nodes_of_fiddle_are_changed_too():
    fdl = pytest.importorskip("fiddle")
    task = fdl.Partial(holding, model=fdl.Config(Model, a=2), several=[fdl.Config(Model)])
    found = apply(
        task, [parse_override(text) for text in ("model.a+=3", "several[0].c=y", "model.d=[1]")]
    )
    assert (found.model.a, found.several[0].c, found.model.d) == (5, "y", [1])
    assert task.model.a == 2
