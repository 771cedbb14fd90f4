"""Scripts of users, written into a folder and started as they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """What a program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, self.err
        return json.loads(self.out)


class Folder:
    """A folder with files, in which programs run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")
        return file

    def python(self, *words: str, text_in: str = "", **environment: str) -> Done:
        """Run Python with these words, without a terminal."""
        return self.run(sys.executable, *words, text_in=text_in, **environment)

    def run(self, *words: str, text_in: str = "", **environment: str) -> Done:
        """Run a program with these words, without a terminal."""
        done = subprocess.run(
            words, cwd=self.path, env={**os.environ, "COLUMNS": "100", **environment},
            input=text_in, capture_output=True, text=True, encoding="utf-8", timeout=120,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)


TRAIN = """
    from __future__ import annotations

    import sys
    from dataclasses import dataclass

    import nemo_run as run


    @dataclass
    class Model:
        layers: int = 2
        width: int = 8


    def train(model: Model, lr: float = 0.1, note: str = "", fail: str = "") -> int:
        '''Train a model.

        Args:
            model: What is trained.
            lr: How fast.
        '''
        print(f"layers={model.layers} width={model.width} lr={lr} note={note!r}")
        if fail == "raise":
            raise RuntimeError("no luck")
        if fail == "exit":
            sys.exit(7)
        return model.layers * model.width


    if __name__ == "__main__":
        run.cli.main(train)
"""
