"""A user's project in git, whose experiment is run, compared, run again and brought back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from scripts import Done, Folder

MODEL = """
    from dataclasses import dataclass


    @dataclass
    class Model:
        width: int = 8
        lr: float = 0.1


    def train(model: Model, steps: int = 3):
        return {"accuracy": model.lr * steps, "width": model.width}
"""
LAUNCH = """
    import sys

    import nemo_run as run
    from model import Model, train

    if __name__ == "__main__":
        env_vars = {"HF_TOKEN": "hf_abcdef"}
        code = run.LocalExecutor(packager=run.GitArchivePackager(), env_vars=env_vars)
        with run.Experiment("digits") as exp:
            task = run.Partial(train, model=run.Config(Model, lr=float(sys.argv[1])), steps=3)
            exp.add(task, code, name="train")
            exp.add(run.Script(inline="cat model.py >/dev/null"), code, name="check")
            exp.run()
"""


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


class Project(Folder):
    """The project, and its experiments in the order in which they were made."""

    def __init__(self, path: Path, home: Path, program: list[str]) -> None:
        super().__init__(path)
        self.home = home
        self._program = program
        self.words = [*program, "experiment", "diff"]

    @property
    def ids(self) -> list[str]:
        return sorted(path.name for path in (self.home / "experiments/digits").iterdir())

    def launch(self, lr: float) -> str:
        done = self.python("launch.py", str(lr))
        assert done.code == 0, done.err
        return self.ids[-1]

    def experiment(self, *words: str, **environment: str) -> Done:
        return self.run(*self._program, "experiment", *words, **environment)

    def record(self, experiment: str) -> Path:
        return self.home / "experiments/digits" / experiment


@pytest.fixture
def project(tmp_path: Path, home: Path, program: list[str]) -> Project:
    """A project with one commit."""
    path = tmp_path / "project"
    path.mkdir()
    made = Project(path, home, program)
    made.write("model.py", MODEL)
    made.write("launch.py", LAUNCH)
    made.write(".gitignore", "__pycache__\n")
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-qm", "one")
    return made
