"""`nemo-run config`: files converted, compared and described, without running what they name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import jsonschema
import pytest

import nemo_run as run
from nemo_run.cli.config.json_schema import schema_of
from nemo_run.config.files.written_forms import export, text_of


@pytest.fixture
def config(program, tmp_path):
    """Run ``nemo-run config …`` in the folder of the test."""

    def call(*arguments: str):
        return subprocess.run(
            [*program, "config", *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    return call


TRAP = """\
# A module that must not be imported.
_target_: trap.train
_partial_: true
model: &m
  _target_: trap.Model
  size: 2
  act: {_target_: trap.gelu, _call_: false}
  kind: {_type_: enum, class: 'trap:Kind', name: A}
teacher: *m
lr: ${scale}
note: "yes"
big: 123456789012345678901234567890
none: null
nan: .nan
day: 2026-01-31
opts: {1: one, x: {2: two}}
"""


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "task.yaml").write_text(TRAP)
    return tmp_path


# --- convert -----------------------------------------------------------------------------------


def test_a_file_goes_round_through_all_forms_and_comes_back(config, trap: Path) -> None:
    for source, target in [
        ("task.yaml", "a.toml"), ("a.toml", "b.json"), ("b.json", "c.yaml"), ("c.yaml", "d.json"),
    ]:  # fmt: skip
        done = config("convert", source, target)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"Written: {target}\n")
    assert (trap / "d.json").read_text() == (trap / "b.json").read_text()
    assert "lr: ${scale}" in (trap / "c.yaml").read_text()
    done = config("convert", "c.yaml", "--to", "yaml")
    assert done.stdout == (trap / "c.yaml").read_text()
    assert "day: 2026-01-31\n" in done.stdout
    assert "nan: .nan\n" in done.stdout


def test_a_part_is_converted_alone(config, trap: Path) -> None:
    (trap / "f.yaml").write_text("width: 3\nnet: {size: '${width}', text: '\\${x}'}\n")
    done = config("convert", "f.yaml:net", "--to", "json")
    assert json.loads(done.stdout) == {"size": 3, "text": "\\${x}"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["task.yaml"], "Say where to, or which form with --to."),
        (["task.yaml", "task.txt"], "its name must end in one of .yaml, .yml, .toml, .json"),
        (["taks.yaml", "x.json"], "There is no file 'taks.yaml'. Did you mean 'task.yaml'?"),
        (["task.yaml:modle", "x.json"], "Did you mean 'model'?"),
        (["list.json", "x.toml"], "A TOML file holds keys and values"),
        (["broken.toml", "x.json"], "broken.toml:2: It is no TOML"),
    ],
)
def test_what_cannot_be_converted_is_refused_and_writes_nothing(
    config, trap: Path, arguments: list[str], said: str
) -> None:
    (trap / "list.json").write_text("[1]")
    (trap / "broken.toml").write_text("a = 1\nb =\n")
    (trap / "task.yaml").write_text("model: {size: 1}\n")
    done = config("convert", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(trap.glob("x.*"))


# --- diff --------------------------------------------------------------------------------------


def test_what_differs_is_told_value_by_value(config, trap: Path) -> None:
    old = {"lr": 0.1, "net": {"size": 2, "act": "gelu"}, "list": [1, 2], "gone": 1}
    (trap / "old.json").write_text(json.dumps(old))
    (trap / "new.yaml").write_text("net: {act: gelu, size: 3}\nlr: 0.1\nlist: [1, 2, 3]\nmore: 1.0")
    done = config("diff", "old.json", "new.yaml")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "~ list: [1, 2] → [1, 2, 3]",
        "+ more = 1.0",
        "~ net.size: 2 → 3",
        "- gone = 1",
    ]
    document = json.loads(config("diff", "old.json", "new.yaml", "--json").stdout)
    assert document[2] == {"path": "net.size", "kind": "changed", "old": "2", "new": "3"}


def test_the_form_and_the_order_are_no_difference(config, trap: Path) -> None:
    (trap / "task.yaml").write_text(TRAP.replace("${scale}", "0.1"))
    config("convert", "task.yaml", "task.toml")
    config("convert", "task.toml", "task.json")
    for pair in [("task.yaml", "task.toml"), ("task.toml", "task.json")]:
        done = config("diff", *pair)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_object_that_is_shared_differs_from_two(config, trap: Path) -> None:
    (trap / "one.yaml").write_text("a: &x {_target_: trap.M}\nb: *x\n")
    (trap / "two.yaml").write_text("a: {_target_: trap.M}\nb: {_target_: trap.M}\n")
    done = config("diff", "one.yaml", "two.yaml")
    assert (done.returncode, done.stdout) == (
        1,
        '~ b: {"_same_as_": "a"} → {"_target_": "trap.M"}\n',
    )


@pytest.mark.parametrize("files", [("no.yaml", "task.yaml"), ("task.yaml", "bad.yaml")])
def test_a_file_that_cannot_be_read_is_no_difference_but_trouble(
    config, trap: Path, files: tuple[str, str]
) -> None:
    (trap / "task.yaml").write_text("a: 1")
    (trap / "bad.yaml").write_text("a: 1\na: 2")
    assert config("diff", *files).returncode == 2


# --- schema ------------------------------------------------------------------------------------


class Kind(enum.Enum):
    SMALL = "s"
    LARGE = 2


class Size(TypedDict, total=False):
    width: int
    height: int


class Pair(NamedTuple):
    left: int
    right: str = ""


class Net:
    """A network.

    Args:
        width: How wide it is.
    """

    def __init__(self, width: int = 4, *, parent: Net | None = None) -> None: ...


@dataclasses.dataclass
class Optim:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    net: Net | None = None


def fit(
    net: Net,
    optim: Optim,
    steps: int = 10,
    name: str | None = None,
    kind: Kind = Kind.SMALL,
    mode: Literal["fast", "exact", 3] = "fast",
    root: Path = Path(),
    day: dt.date | None = None,
    limit: dt.timedelta | float = 1.0,
    price: Decimal = Decimal(1),
    nets: list[Net] | None = None,
    table: dict[str, list[int]] | None = None,
    size: Size | None = None,
    pair: Pair | None = None,
    labels: set[str] = frozenset(),  # type: ignore[assignment]
    many: tuple[int, ...] = (),
    loss: Annotated[float, "The loss to begin with."] = 0.5,
    make: type[Net] | None = None,
    anything: Any = None,
    plain=None,
) -> None:
    """Train a network.

    Args:
        net: What is trained.
        steps: How long to train.
    """


FULL = run.Partial(
    fit,
    net=run.Config(Net, width=8, parent=run.Config(Net)),
    optim=run.Config(Optim, lr=1e-4, net=run.Config(Net, width=3)),
    name="${not} a reference",
    kind=Kind.LARGE,
    mode=3,
    root=Path("/data"),
    day=dt.date(2026, 1, 31),
    limit=dt.timedelta(seconds=3),
    price=Decimal("1.10"),
    nets=[run.Config(Net), run.Partial(Net, width=1)],
    table={"a": [1, 2]},
    size={"width": 3},
    pair=Pair(1, "x"),
    labels={"a", "b"},
    many=(1, 2, 3),
    make=Net,
    anything=[None, {1: float("inf")}],
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found = schema_of(fit)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def errors(schema: dict[str, Any], data: Any) -> list[str]:
    found = jsonschema.Draft202012Validator(schema).iter_errors(data)
    return [f"{error.json_path}: {error.message[:80]}" for error in found]


def test_what_is_exported_fits_the_schema(schema: dict[str, Any]) -> None:
    assert errors(schema, json.loads(text_of(FULL, "json"))) == []
    assert errors(schema, {**json.loads(text_of(FULL, "json")), "run": {"executor": "x"}}) == []


@pytest.mark.parametrize(
    "data",
    [
        {"steps": 3, "net": {"width": 8}, "optim": {"betas": [0.1, 0.2]}},
        {"steps*=": 2, "net.width": 3, "nets[0].width": 1, "table": {"a": [1]}},
        {"net": {"_factory_": "small(width=3)", "width": 4}, "kind": "LARGE", "mode": 3},
        {"steps": "${oc.env:STEPS}", "name": None, "root": "~/data", "limit": "5m", "day": None},
        {"net": {"_target_": "elsewhere.Other", "depth": 3}, "anything": [1, {}], "plain": 1},
        {"net": {"_target_": "test_config_command.Net", "width": 3}, "loss": 1, "kind": "s"},
        {"_factory_": "small", "run": {"executor": "slurm"}, "size": {"width": 1}, "pair": [1]},
        {
            "net": "small",
            "optim": {"net": "small(width=3)"},
            "nets": ["Net(width=7)", {"width": 3}],
        },
    ],
)
def test_what_people_write_fits(schema: dict[str, Any], data: dict[str, Any]) -> None:
    assert errors(schema, data) == []


@pytest.mark.parametrize(
    "data",
    [
        {"stpes": 3},
        {"steps": 1.5},
        {"steps": "many"},
        {"net": {"widht": 8}},
        {"net": {"_target_": "test_config_command.Net", "widht": 3}},
        {"optim": {"net": {"width": "wide"}}},
        {"optim": {"betas": [0.1]}},
        {"kind": "MEDIUM"},
        {"mode": 4},
        {"name": 3},
        {"nets": {"width": 3}},
        {"nets": [{"width": 3}, {"depth": 1}]},
        {"table": {"a": 1}},
        {"size": {"depth": 1}},
        {"pair": ["x"]},
        {"many": ["x"]},
    ],
)
def test_what_is_wrong_does_not(schema: dict[str, Any], data: dict[str, Any]) -> None:
    assert errors(schema, data)


def test_editors_are_told_what_the_docstrings_say(schema: dict[str, Any]) -> None:
    arguments = schema["properties"]
    assert schema["description"] == "Train a network."
    assert arguments["steps"]["description"] == "How long to train."
    assert arguments["steps"]["default"] == 10
    assert arguments["loss"]["description"] == "The loss to begin with."
    net = schema["$defs"]["test_config_command.Net"]
    assert net["description"] == "A network."
    assert net["then"]["properties"]["width"]["description"] == "How wide it is."


SCRIPT = '''\
import nemo_run as run


class Net:
    def __init__(self, width: int = 4) -> None: ...


def train(net: Net, steps: int = 10, **more: float) -> None:
    """Train it."""


@run.cli.factory(target=train, target_arg="steps")
def long() -> int:
    return 1000


if __name__ == "__main__":
    run.cli.main(train)
'''


def test_the_schema_of_a_script_checks_its_files(config, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    done = config("schema", "train.py:train")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    done = config("schema", "train.py:train", "-o", "train.schema.json")
    assert (done.stdout, done.stderr) == ("", "Written: train.schema.json\n")
    assert json.loads((tmp_path / "train.schema.json").read_text()) == found
    assert errors(found, {"net": {"width": 3}, "steps": 4, "momentum": 0.9}) == []
    assert errors(found, {"momentum": "much"})
    assert errors(found, {"net": "small", "steps": "long"}) == []
    assert errors(found, {"net": {"_target_": "train.Net", "widht": 3}})
    assert errors(found, {"net": {"_target_": "__main__.Net", "widht": 3}})
    assert config("schema", "train:train").returncode == 0
    for target, said in [("train.py:trian", "Did you mean 'train'?"), ("trian.py", "'train.py'")]:
        done = config("schema", target)
        assert done.returncode == 2
        assert said in done.stderr


def test_help_names_the_three(config) -> None:
    done = config("--help")
    assert [f"\n  {name} " in done.stdout for name in ("convert", "diff", "schema")] == [True] * 3
    assert "Nothing is imported." in " ".join(config("convert", "--help").stdout.split())


def test_an_exported_task_and_its_conversion_are_the_same_task(config, tmp_path: Path) -> None:
    from nemo_run.config.files.layers import task_of
    from nemo_run.config.files.load import load

    export(FULL, f"{tmp_path}/full.yaml")
    for target in ("full.toml", "full.json"):
        assert config("convert", "full.yaml", target).returncode == 0
        assert task_of(load(f"{tmp_path}/{target}")) == FULL
