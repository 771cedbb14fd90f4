"""``--cfg`` and ``--explain``: what is set, what is missing, what holds by default."""

from __future__ import annotations

import textwrap

import pytest
from scripts import Done, Folder


@pytest.fixture
def fit(folder: Folder):
    folder.write(
        "fit.py",
        """
        from dataclasses import dataclass, field

        import nemo_run as run


        @dataclass
        class Optim:
            lr: float
            name: str | None = None


        @dataclass
        class Trainer:
            optims: list[Optim]
            epochs: int = 3
            tags: list[str] = field(default_factory=list)


        def fit(data: str, trainer: Trainer, note: str = "${x}", dry: bool = False) -> None: ...


        @run.cli.factory
        def two() -> run.Config[Trainer]:
            return run.Config(Trainer, optims=[run.Config(Optim, 0.5)], epochs=2)


        if __name__ == "__main__":
            run.cli.main(fit)
        """,
    )

    def start(*words: str) -> Done:
        return folder.python("fit.py", *words)

    return start


def test_what_is_missing_and_what_holds_are_comments(fit) -> None:
    assert fit("dry=yes", "--cfg").out == textwrap.dedent("""\
        _target_: fit.fit
        _partial_: true
        dry: true
        # needs: data: str
        # needs: trainer: Trainer
        # note: '\\${x}'
        """)
    assert fit("data=a", "trainer=two", "--cfg").out == textwrap.dedent("""\
        _target_: fit.fit
        _partial_: true
        data: a
        trainer:
          _target_: fit.Trainer
          optims:
          - _target_: fit.Optim
            lr: 0.5
            # name: null
          epochs: 2
          # tags: []
        # note: '\\${x}'
        # dry: false
        """)


def test_the_comments_change_nothing_and_programs_get_none(fit, folder: Folder) -> None:
    shown = fit("data=a", "trainer=two", "--cfg")
    folder.write("again.yaml", shown.out)
    assert fit("-c", "again.yaml", "--cfg").out == shown.out
    assert "note" not in fit("data=a", "trainer=two", "--cfg", "--json").json
    assert fit("data=a", "trainer=two", "--export", "plain.yaml").code == 0
    assert "#" not in (folder.path / "plain.yaml").read_text()


def test_what_was_changed_in_a_value_is_told_with_it(fit) -> None:
    words = ["trainer=two", "trainer.tags+=b", "trainer.epochs=5"]
    told = fit(*words, "--explain", "trainer", "--json").json["trainer"]
    assert [(one["key"], one["kind"]) for one in told] == [
        ("trainer", "command line"),
        ("trainer.tags", "command line"),
        ("trainer.epochs", "command line"),
    ]
