"""Arguments annotated with a protocol or an abstract class: who can be named, and who cannot."""

from __future__ import annotations

import pytest

SCRIPT = """
    import abc
    from dataclasses import dataclass
    from typing import Protocol

    import nemo_run as run
    import others

    class Callback(Protocol):
        def on_epoch(self, epoch: int) -> None: ...

    @dataclass
    class EarlyStop:
        patience: int = 3
        def on_epoch(self, epoch: int) -> None: ...

    @dataclass
    class Checkpoint:
        path: str = "."
        def on_epoch(self, epoch: int) -> None: ...

    @dataclass
    class Unrelated:
        patience: int = 3

    class Schedule(abc.ABC):
        @abc.abstractmethod
        def rate(self) -> float: ...

    @dataclass
    class Constant(Schedule):
        value: float = 1.0
        def rate(self) -> float:
            return self.value

    @Schedule.register
    @dataclass
    class Virtual:
        value: float = 2.0

    @dataclass
    class Trainer:
        callbacks: list[Callback]
        schedule: Schedule | None = None

    def fit(trainer: Trainer) -> None:
        print(trainer.callbacks, trainer.schedule)
"""


@pytest.fixture
def fit(folder, program):
    folder.write("trainers.py", SCRIPT)
    folder.write(
        "others.py",
        """
        class Printer:
            def __init__(self, to="x"):
                self.to = to

            def on_epoch(self, epoch): ...

            def __repr__(self):
                return f"Printer({self.to})"
        """,
    )
    return lambda *words: folder.run(*program, "run", "trainers.py:fit", *words, "--yes")


def test_a_class_that_has_the_methods_of_a_protocol_is_named_like_any_other(fit):
    done = fit("trainer.callbacks=[EarlyStop(patience=2),Checkpoint(),Printer(to=a)]")
    assert done.code == 0, done.err
    assert done.out == "[EarlyStop(patience=2), Checkpoint(path='.'), Printer(a)] None\n"
    done = fit("trainer.callbacks=[others.Printer()]", "trainer.schedule=Virtual(value=3)")
    assert done.out == "[Printer(x)] Virtual(value=3.0)\n", done.err
    done = fit("trainer.callbacks=[]", "trainer.schedule=Constant()")
    assert done.out == "[] Constant(value=1.0)\n", done.err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (
            "trainer.callbacks=[{patience: 3}]",
            "does not say which class: Callback is abstract. Write EarlyStop(key=value) or Checkp",
        ),
        (
            "trainer={callbacks: [], schedule: {value: 1}}",
            "Schedule is abstract. Write Constant(key=value) or Virtual(key=value), or",
        ),
        ("trainer.callbacks=[Callback()]", "Callback is abstract, so there are no objects of it."),
        ("trainer.callbacks=[EarlyStop]", "EarlyStop is a class. Write EarlyStop() for one"),
        ("trainer.callbacks=[EarlyStp()]", "'EarlyStp' is no Callback. Did you mean 'EarlyStop'?"),
        ("trainer.callbacks=[Unrelated()]", "'Unrelated' is no Callback."),
        ("trainer.callbacks=[trainers.Nothing()]", "has no 'Nothing'"),
    ],
)
def test_what_says_no_class_or_a_wrong_one_is_refused_with_what_to_write(fit, word, said):
    done = fit(word)
    assert done.code == 2
    assert said in done.err


def test_so_it_is_in_files(fit, folder):
    folder.write("few.yaml", "trainer:\n  callbacks:\n  - {patience: 3}\n")
    done = fit("--config", "few.yaml")
    assert done.code == 2
    assert "Callback is abstract. Name its class with _target_." in done.err
    folder.write(
        "few.yaml",
        "trainer:\n  callbacks:\n  - {_target_: others.Printer, to: b}\n  - EarlyStop()\n",
    )
    assert fit("--config", "few.yaml").out == "[Printer(b), EarlyStop(patience=3)] None\n"
