"""A script is one module: where it is started, and where others import it by its name."""

from __future__ import annotations

import pytest

TRAIN = """
    import enum
    from abc import ABC

    import nemo_run as run


    class Color(enum.Enum):
        RED = 1
        BLUE = 2


    class Model(ABC):
        pass


    class MLP(Model):
        def __init__(self, width: int = 4) -> None:
            self.width = width


    def fit(model: Model, color: Color = Color.RED) -> int:
        print("fit", type(model).__name__, model.width, color.name)
        return model.width


    @run.cli.factory(target=fit)
    def usual() -> run.Partial[fit]:
        return run.Partial(fit, model=run.Config(MLP, width=7), color=Color.BLUE)


    if __name__ == "__main__":
        run.cli.main(fit)
"""

OTHER = """
    import nemo_run as run
    from train import fit

    if __name__ == "__main__":
        run.cli.main(fit)
"""

WORKSPACE = """
    import nemo_run as run
    from train import MLP, Model, fit


    @run.cli.factory
    def wide() -> run.Config[Model]:
        return run.Config(MLP, width=640)


    @run.cli.factory(target=fit)
    def big() -> run.Partial[fit]:
        return run.Partial(fit, model=run.Config(MLP, width=1024))
"""


@pytest.fixture
def train(folder):
    folder.write("train.py", TRAIN)
    folder.write("other.py", OTHER)
    return folder


@pytest.fixture
def starts(train, program):
    """The ways to start the function, by their names."""
    python = [train.python, "train.py"], [train.python, "other.py"]
    runs = [train.run, *program, "run", "train:fit"], [train.run, *program, "run", "train.py:fit"]

    def bound(way):
        start, *first = way
        return lambda *words, **environment: start(*first, *words, **environment)

    return dict(
        zip(("script", "other", "module", "file"), map(bound, (*python, *runs)), strict=True)
    )


def test_what_one_way_of_starting_exports_every_other_reads(starts, train):
    for way, start in starts.items():
        assert start("usual", "--export", f"{way}.yaml").code == 0
    texts = {(train.path / f"{way}.yaml").read_text() for way in starts}
    assert len(texts) == 1
    for start in starts.values():
        done = start("--config", "script.yaml", "--yes")
        assert (done.code, done.out) == (0, "fit MLP 7 BLUE\n"), done.err


def test_a_file_of_the_running_script_is_read_where_it_is_imported(starts, train):
    train.write(
        "old.yaml",
        """\
        _target_: __main__.fit
        _partial_: true
        model: {_target_: __main__.MLP, width: 3}
        color: {_type_: enum, class: "__main__:Color", name: BLUE}
        """,
    )
    train.write("part.yaml", "model: {_target_: __main__.MLP, width: 5}")
    for way in ("script", "other", "module"):
        assert starts[way]("--config", "old.yaml", "--yes").out == "fit MLP 3 BLUE\n"
    assert starts["module"]("model=@part.yaml", "--yes").out == "fit MLP 5 RED\n"


def test_a_workspace_imports_the_script_that_runs(starts, train):
    train.write("pyproject.toml", "")
    train.write("workspace.py", WORKSPACE)
    for start in starts.values():
        done = start("big", "--yes")
        assert (done.code, done.out) == (0, "fit MLP 1024 RED\n"), done.err
    done = starts["file"]("model=wide", "run.executor=local", "--yes")
    assert done.code == 0, done.err
    assert "fit MLP 640 RED" in done.out + done.err


def test_a_module_of_a_package_has_its_full_name(folder):
    folder.write("pack/__init__.py", "")
    folder.write("pack/train.py", TRAIN)
    assert "_target_: pack.train.MLP" in folder.python("-m", "pack.train", "usual", "--cfg").out


def test_a_name_that_leads_elsewhere_stays_with_what_it_leads_to(folder):
    folder.write("my/os.py", TRAIN)
    done = folder.python("my/os.py", "usual", "--cfg")
    assert "_target_: __main__.MLP" in done.out
    assert folder.python("my/os.py", "usual", "--yes").out == "fit MLP 7 BLUE\n"


def test_two_classes_of_one_name_are_told_apart(folder):
    folder.write("train.py", "import again\n" + "\n".join(line[4:] for line in TRAIN.splitlines()))
    folder.write(
        "again.py",
        """\
        import sys

        import nemo_run as run

        if "train" not in sys.modules:
            from train import MLP, Model

            @run.cli.factory
            def wide() -> run.Config[Model]:
                return run.Config(MLP)
        """,
    )
    done = folder.python("train.py", "model=train.MLP()", "--yes")
    assert done.code == 2
    assert "There are two classes Model: that of train is given, and that of __main__" in done.err


def test_a_class_without_its_module_is_told_how_it_is_written(starts, train):
    train.write("short.yaml", "model:\n  _target_: MLP\n  width: 3\n")
    for way in ("script", "module"):
        done = starts[way]("-c", "short.yaml", "--yes")
        assert done.code == 2
        assert "short.yaml:2: 'MLP' has no module before it. Write train.MLP." in done.err
    train.write("short.yaml", "model: {_target_: MPL}")
    done = starts["script"]("-c", "short.yaml", "--yes")
    assert "short.yaml:1: 'MPL' has no module before it" in done.err
    assert "Did you mean 'MLP'? Write train.Name." in done.err


def test_a_class_in_place_of_an_object_is_told_to_be_called(starts):
    for way in ("script", "module"):
        done = starts[way]("model=train.MLP", "--yes")
        assert done.code == 2
        assert "model: train.MLP is a class. Write train.MLP() for one with its" in done.err
    done = starts["script"]("model=train.Color", "--yes")
    assert "'train.Color' is no Model, but a class." in done.err
