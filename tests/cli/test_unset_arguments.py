"""Required arguments that nobody has set: default factories make them, else it is said how."""

from __future__ import annotations

import pytest

SCRIPT = """
    from dataclasses import dataclass
    from enum import Enum
    from typing import Literal

    import nemo_run as run

    class Mode(Enum):
        FAST = 1
        SLOW = 2

    @dataclass
    class Optimizer:
        lr: float = 0.1

    @dataclass
    class Data:
        path: str

    @dataclass
    class Model:
        width: int = 8

    @dataclass
    class Wide(Model):
        depth: int = 3

    @dataclass
    class Trainer:
        model: Model
        epochs: int = 1

    @run.cli.factory(is_target_default=True)
    def usual(width: int = 5) -> run.Config[Model]:
        return run.Config(Model, width=width)

    @run.cli.factory
    @run.autoconvert
    def adam(lr: float) -> Optimizer:
        return Optimizer(lr=lr)

    def fit(model: Model, trainer: Trainer, wide: Wide | None = None, n: int = 1) -> int:
        print(f"{model} {trainer} {wide} n={n}")
        return n

    def tune(optim: Optimizer, data: Data, mode: Mode, speed: Literal["a", "b"], n: int) -> None:
        print("tuned")

    @run.cli.factory(target=fit, target_arg="n")
    def unused() -> int:
        raise RuntimeError("this is no default")
"""


@pytest.fixture
def nemo(folder, program):
    folder.write("ns.py", SCRIPT)
    return lambda *words, **more: folder.run(*program, "run", *words, **more)


def test_the_default_factory_makes_what_is_not_given_also_inside(nemo):
    done = nemo("ns.py:fit", "trainer.epochs=2", "--yes")
    assert done.code == 0, done.err
    assert done.out == ("Model(width=5) Trainer(model=Model(width=5), epochs=2) None n=1\n")
    done = nemo("ns.py:fit", "model=Wide(width=1)", "trainer={model: {width: 2}}", "--yes")
    assert done.out.startswith("Wide(width=1, depth=3) Trainer(model=Model(width=2)"), done.err


def test_what_it_made_is_shown_and_explained_as_a_factory_s(nemo):
    done = nemo("ns.py:fit", "trainer={}", "--cfg")
    assert "model:\n  _target_: ns.Model\n  width: 5\n" in done.out
    done = nemo("ns.py:fit", "trainer={}", "--explain", "model", "--json")
    assert [said["kind"] for said in done.json["model"]] == ["factory"]
    assert done.json["model"][0]["function"] == "usual"
    assert done.json["model"][0]["file"].endswith("ns.py")


def test_the_points_of_a_sweep_are_completed_alike(nemo):
    words = ("trainer={}", "n=choice(1,2)", "run.executor=local", "--sweep", "--yes", "--json")
    done = nemo("ns.py:fit", *words)
    assert done.code == 0, done.err
    assert sorted(done.json["results"].values()) == [1, 2]


def test_what_is_missing_is_told_with_what_to_write(nemo):
    done = nemo("ns.py:tune", "--yes")
    assert done.code == 2
    lines = [line.strip() for line in done.err.splitlines()]
    assert "optim: tune needs 'optim'. Write optim=adam(lr=…) or optim={}." in lines
    assert "data: tune needs 'data'. Write data={path: …}." in lines
    assert "mode: tune needs 'mode'. Write mode=FAST or mode=SLOW." in lines
    assert "speed: tune needs 'speed'. Write speed=a or speed=b." in lines
    assert lines[-1].startswith("n: tune needs 'n'. See: ")
    rest = ("data={path: x}", "mode=FAST", "speed=a", "n=1", "--yes")
    done = nemo("ns.py:tune", *rest)
    assert "tune needs 'optim'. Write optim=adam(lr=…) or optim={}." in done.err
    assert nemo("ns.py:tune", "optim={}", *rest).out == "tuned\n"
    assert nemo("ns.py:tune", "optim=adam(lr=1)", *rest).out == "tuned\n"


def test_a_default_factory_that_fails_is_named_with_its_argument(nemo, folder):
    folder.write("ns.py", SCRIPT.replace("return run.Config(Model, width=width)", "return 1 / 0"))
    done = nemo("ns.py:fit", "trainer={model: {}}", "--yes")
    assert done.code == 2
    assert "model: the factory usual" in done.err
    assert "ZeroDivisionError" in done.err


OF_ARGUMENT = """
    from dataclasses import dataclass

    import nemo_run as run

    @dataclass
    class Model:
        width: int = 8

    @dataclass
    class Trainer:
        model: Model
        steps: int = 1

    def fit(model: Model, trainer: Trainer | None = None, n: int = 1) -> None:
        print(model, trainer, n)

    @run.cli.factory(target=fit, target_arg="model", is_target_default=True)
    def of_fit() -> run.Config[Model]:
        return run.Config(Model, width=43)

    @run.cli.factory(target=Trainer, target_arg="model", is_target_default=True)
    def of_trainer() -> run.Config[Model]:
        return run.Config(Model, width=44)

    @run.cli.factory(namespace="my.own", is_target_default=True)
    def elsewhere() -> run.Config[Model]:
        return run.Config(Model, width=45)

    if __name__ == "__main__":
        run.cli.main(fit)
"""


def test_the_default_of_an_argument_is_that_of_nothing_else(folder):
    folder.write("own.py", OF_ARGUMENT)
    done = folder.python("own.py", "n=2", "--yes")
    assert done.out == "Model(width=43) None 2\n"
    done = folder.python("own.py", "trainer.steps=3", "--yes")
    assert done.out == "Model(width=43) Trainer(model=Model(width=44), steps=3) 1\n"
    helped = folder.python("own.py", "--help").out
    assert "model=of_fit (default)" in helped
    assert "my.own.elsewhere (default)" not in helped
