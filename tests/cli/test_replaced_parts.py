"""A command line that chooses an object, over a file that sets parts of it."""

from __future__ import annotations

import pytest

TRAIN = """
    from abc import ABC
    from dataclasses import dataclass

    import nemo_run as run


    class Model(ABC):
        pass


    @dataclass
    class Wide(Model):
        width: int = 4
        activation: str = "gelu"


    @run.cli.factory
    def wide(width: int = 100) -> run.Config[Model]:
        return run.Config(Wide, width=width)


    def fit(model: Model, steps: int = 1) -> None:
        print(model, steps)


    if __name__ == "__main__":
        run.cli.main(fit)
"""


@pytest.fixture
def fit(folder):
    folder.write("train.py", TRAIN)
    folder.write(
        "parts.yaml",
        """\
        steps: 7
        model:
          width: 5
          activation: relu
        """,
    )
    return lambda *words: folder.python("train.py", "-c", "parts.yaml", *words, "--yes")


def test_an_object_of_the_command_line_stands_in_place_of_the_parts_of_a_file(fit):
    done = fit("model=wide")
    assert (done.code, done.out) == (0, "Wide(width=100, activation='gelu') 7\n"), done.err
    assert done.err == (
        "model=wide replaces model.width (parts.yaml:3), model.activation (parts.yaml:4).\n"
    )


def test_parts_of_the_command_line_are_set_in_what_it_chooses(fit):
    done = fit("wide(width=64)", "model.width=6")
    assert (done.code, done.out) == (0, "Wide(width=6, activation='gelu') 7\n"), done.err
    assert done.err.count("replaces") == 1


def test_nothing_is_said_where_nothing_is_lost_or_nobody_listens(fit):
    assert fit("model=wide", "--quiet").err == ""
    done = fit("steps=8", "model=wide", "model.width=3", "--quiet")
    assert (done.out, done.err) == ("Wide(width=3, activation='gelu') 8\n", "")


def test_it_is_said_once_for_a_sweep(fit):
    done = fit("model=choice(wide,wide(width=3))", "--sweep", "--cfg")
    assert done.code == 0
    assert done.err.count("replaces model.width (parts.yaml:3)") == 1
