"""Make the stored home that every later version must read: ``home-<date>.tar.gz`` beside this.

    python tests/management/home_fixture/make_home.py home-2026-11.tar.gz [earlier/src]

Real programs are run with a home of their own, and what they leave is packed. Afterwards names of
the machine are replaced by neutral ones: its folders, user, host, kernel and ids. With the ``src``
of an earlier version the last experiment is made by that one; the stored home has one by the
version that kept the table of packages in each ``experiment.json``.

Never make a stored home anew: it is the files of its time. Add another one.
"""

from __future__ import annotations

import io
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src"
ADA = "/home/ada"

TRAINING = '''\
"""What the stored experiments run."""

import os
from dataclasses import dataclass

import nemo_run as run


@dataclass
class Model:
    lr: float = 0.1
    width: int = 8


@run.cli.factory
def small() -> run.Config[Model]:
    return run.Config(Model, lr=0.2, width=4)


def train(model: Model, steps: int = 3) -> dict[str, float]:
    for step in range(steps):
        loss = model.lr / (step + 1)
        print(f"step {step}, loss {loss:.3f}")
        run.log_metrics(step=step, loss=loss)
    if model.lr > 1:
        raise ValueError(f"lr={model.lr} is too high")
    with open(f"{os.environ['NEMORUN_OUTPUT_DIR']}/model.txt", "w") as file:
        file.write(f"{model}\\n")
    return {"accuracy": 0.9 + model.lr / 10}
'''

RATES = """\
import nemo_run as run
from training import Model, train

executor = run.LocalExecutor(
    env_vars={"EPOCHS": "3"}, packager=run.GitArchivePackager(subpath="")
)
with run.Experiment("rates", executor=executor) as experiment:
    first = experiment.add(run.Partial(train, model=run.Config(Model, lr=0.5)), name="good")
    experiment.add(run.Partial(train, model=run.Config(Model, lr=5.0)), name="bad")
    experiment.add(run.Script(inline="echo reported"), name="report", dependencies=[first])
    pair = [run.Script(inline="echo serving"), run.Script(inline="echo asking")]
    experiment.add(pair, name="pair", executor=[executor, executor.clone()])
    experiment.run()
"""

MARKS = """\
from nemo_run.management import marks, store

marks.change(store.find("rates"), add=["best", "paper"], note="As in table 3.")
"""

OLDER = """\
import nemo_run as run


def greet(name: str) -> str:
    print(f"hello {name}")
    return name.upper()


if __name__ == "__main__":
    run.run(run.Partial(greet, name="ada"), executor=run.LocalExecutor(), name="older")
"""


def main(target: str, earlier: str = "") -> None:
    """Run the programs, and pack what they leave."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        project = root / ADA[1:] / "project"
        project.mkdir(parents=True)
        for name, text in (("training", TRAINING), ("rates", RATES), ("older", OLDER)):
            (project / f"{name}.py").write_text(text)
        git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "First")):
            subprocess.run([*git, *words], cwd=project, check=True)
        runs = [sys.executable, "-m", "nemo_run", "run", "training.py:train", "model=small"]
        _run([sys.executable, "rates.py"], project, SOURCE, code=1)
        _run([sys.executable, "-c", MARKS], project, SOURCE)
        _run([*runs, "model.lr=choice(0.1,0.3)", "steps=2", "--sweep", "--yes"], project, SOURCE)
        older = Path(earlier).absolute() if earlier else SOURCE
        _run([sys.executable, "older.py"], project, older)
        packed = _packed(root / ADA[1:] / ".nemo_run", (str(root), str(older)))
        (HERE / target).write_bytes(packed)


def _run(command: list[str], project: Path, source: Path, code: int = 0) -> None:
    home = project.parent
    environment = {
        "HOME": str(home),
        "LOGNAME": "ada",
        "NEMORUN_HOME": str(home / ".nemo_run"),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(source),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, check=False)
    if done.returncode != code:
        sys.exit(done.stderr.decode())


def _packed(home: Path, mine: tuple[str, str]) -> bytes:
    """Return a home as a compressed tar file, without the names of this machine."""
    out = io.BytesIO()
    # A job's folder shares the worker with others by links; here each has its own.
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=9) as tar:
        tar.dereference = True
        for path in sorted(home.rglob("*")):
            name = str(path.relative_to(home))
            if name.startswith("index.db"):
                continue  # a cache
            item = tar.gettarinfo(path, name)
            item.uid = item.gid = item.mtime = 0
            item.uname = item.gname = "ada"
            if not item.isreg():
                tar.addfile(item)
                continue
            content = path.read_bytes()
            if not name.startswith(("code.git/", "code/")):  # objects of git, and tar files
                content = _neutral(content.decode("utf-8", "surrogateescape"), *mine).encode(
                    "utf-8", "surrogateescape"
                )
            item.size = len(content)
            tar.addfile(item, io.BytesIO(content))
    return out.getvalue()


def _neutral(text: str, root: str, older: str) -> str:
    """Return a text with neutral names for the folders, host, kernel and ids of this machine."""
    python = f"{ADA}/.venv/lib/python{'.'.join(platform.python_version_tuple()[:2])}"
    for mine, neutral in (
        (f"{root}{ADA}", ADA),
        (str(SOURCE), f"{python}/site-packages"),
        (older, f"{python}/site-packages"),
        (sys.prefix, f"{ADA}/.venv"),
        (platform.release(), "6.8.0-generic"),
        (f'"{platform.node()}"', '"laptop"'),
        (f"local://{platform.node()}/", "local://laptop/"),
        (_line("/proc/sys/kernel/random/boot_id"), "00000000-0000-4000-8000-000000000000"),
        (_line("/etc/machine-id"), "0" * 32),
    ):
        text = text.replace(mine, neutral) if mine else text
    return re.sub(r'("cpu": )"[^"]*"', r'\1"A processor"', text)


def _line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main(*sys.argv[1:])
