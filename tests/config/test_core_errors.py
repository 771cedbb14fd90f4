"""The sentences of this room, kept in the file of error messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Optional

import pytest

import nemo_run as run
from nemo_run.config import build, from_dict, set_value
from nemo_run.config.graph.reference import Reference
from nemo_run.exceptions import ConfigError


class Llama:
    def __init__(self, layers: int, hidden: int = 64) -> None: ...

    def fit(self) -> None: ...


@dataclass
class Optim:
    lr: float = 0.1
    steps: int = field(default=0, init=False)


@dataclass
class Whole:
    optim: Optional[Optim] = None  # noqa: UP045


def variadic(a, *rest): ...


def stepped() -> Optim:
    optim = Optim()
    optim.steps = 7
    return optim


class Opaque(run.ConfigurableMixin):
    def __init__(self, path: str) -> None: ...


def holds_itself():
    cfg = run.Config(Llama, 1)
    cfg.layers = [cfg]
    return cfg


CASES: dict[str, Callable[[], object]] = {
    "unknown argument": lambda: run.Config(Llama, layer=1),
    "unknown attribute": lambda: setattr(run.Config(Llama), "hiden", 1),
    "reading an unknown attribute": lambda: run.Config(Llama).nothing,
    "reading a method": lambda: run.Config(Llama).fit,
    "argument without value": lambda: run.Config(Llama).layers,
    "argument given twice": lambda: run.Config(Llama, 1, layers=2),
    "too many arguments": lambda: run.Config(Llama, 1, 2, 3),
    "deleting what is not set": lambda: delattr(run.Config(Llama), "hidden"),
    "configuration of a configuration": lambda: run.Config(run.Config(Llama, 1)),
    "configuration of a value": lambda: run.Config(3),
    "configuration of a union": lambda: run.Config(Llama | None),
    "replacing the target": lambda: setattr(run.Config(Llama), "__fn_or_cls__", Optim),
    "variadic by name": lambda: run.Config(variadic, 1).rest,
    "position out of range": lambda: run.Config(variadic, 1)[4],
    "position of a wrong type": lambda: run.Config(variadic, 1)[1.5],
    "slice of a wrong length": lambda: run.Config(Llama, 1).__setitem__(slice(0, 2), [1]),
    "value lost in a dataclass": lambda: run.Config(Llama, stepped()),
    "graph that holds itself": lambda: build(holds_itself()),
    "set_value: unknown name": lambda: set_value(run.Config(Llama, Optim()), "layers.lrr", 1),
    "set_value: no such item": lambda: set_value(run.Config(Llama, [1]), "layers[3]", 1),
    "set_value: no path": lambda: set_value(run.Config(Llama), "layers..x", 1),
    "set_value: unquoted": lambda: set_value(run.Config(Llama, {}), "layers[key]", 1),
    "module that cannot be imported": lambda: Reference("no_such_module", "f").resolve(),
    "name that is not there": lambda: Reference("test_core_errors", "Lama").resolve(),
    "from_dict: unknown field": lambda: from_dict({"optin": {}}, Whole),
    "from_dict: several types": lambda: from_dict({}, Optim | Whole),
    "picture of another kind": lambda: run.Config(Llama, 1).save_config_img("cfg.jpg"),
    "to_config: no fields": lambda: Opaque("x").to_config(),
    "script: command line": lambda: run.Script("torchrun train.py"),
    "script: two interpreters": lambda: run.Script("python train.py", entrypoint="python3"),
    "script: nothing": lambda: run.Script(),
    "script: path and inline": lambda: run.Script("a.sh", inline="echo"),
    "script: no entrypoint": lambda: run.Script("a.sh", entrypoint=" "),
    "script: module without python": lambda: run.Script("pkg.mod", m=True, entrypoint="torchrun"),
    "script: inline module": lambda: run.Script(inline="x", m=True),
    "script: args as text": lambda: run.Script("a.sh", args="--lr 1"),
    "script: None as argument": lambda: run.Script("a.sh", args=["--lr", None]),
    "script: None in the environment": lambda: run.Script("a.sh", env={"TOKEN": None}),
    "script: name of a variable": lambda: run.Script("a.sh", env={"A=B": "1"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_sentence(case, error_snapshot):
    with pytest.raises((ConfigError, IndexError, TypeError, NotImplementedError)) as caught:
        CASES[case]()
    error_snapshot(f"config: {case}", str(caught.value).partition("\n")[0])
