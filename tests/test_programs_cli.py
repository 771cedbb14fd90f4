"""Command lines as training libraries and launch scripts write them.

Written for this project in the style of public programs: recipes registered as factories of an
entrypoint, packages that bring commands, scripts that end in ``run.cli.main``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_LIBRARY = {
    "toyllm/__init__.py": "from toyllm.api import pretrain, generate\nfrom toyllm import recipes\n",
    "toyllm/model.py": """
        from dataclasses import dataclass
        from typing import Optional

        @dataclass
        class GPTConfig:
            num_layers: int = 2
            hidden_size: int = 8
            dropout: Optional[float] = None

        class Model: ...

        class GPTModel(Model):
            def __init__(self, config: GPTConfig, name: str = "gpt"):
                self.config = config
                self.name = name

        class Trainer:
            def __init__(self, devices: int = 1, max_steps: int = 10, hooks: Optional[list] = None):
                self.devices, self.max_steps, self.hooks = devices, max_steps, hooks
    """,
    "toyllm/api.py": """
        import json
        from typing import Optional, Union
        import nemo_run as run
        from toyllm.model import Model, Trainer

        @run.cli.entrypoint(namespace="toy")
        def pretrain(
            model: Model,
            trainer: Trainer,
            resume: Optional[str] = None,
            seeds: Union[list[int], int] = 0,
        ) -> int:
            '''Pretrain a model.

            Args:
                model: What is trained.
                trainer: How.
            '''
            print(json.dumps({
                "model": model.name, "layers": model.config.num_layers,
                "hidden": model.config.hidden_size, "steps": trainer.max_steps,
                "resume": resume, "seeds": seeds,
            }))
            return model.config.num_layers

        @run.cli.entrypoint(namespace="toy", name="gen", skip_confirmation=True)
        def generate(prompt: str) -> None:
            print("prompt", prompt)
    """,
    "toyllm/recipes.py": """
        import nemo_run as run
        from toyllm.api import pretrain
        from toyllm.model import GPTConfig, GPTModel, Model, Trainer

        NAME = "gpt_small"

        @run.cli.factory(name=NAME)
        def model() -> run.Config[Model]:
            return run.Config(GPTModel, config=run.Config(GPTConfig, num_layers=3))

        @run.cli.factory
        @run.autoconvert
        def short_trainer(max_steps: int = 5) -> Trainer:
            return Trainer(max_steps=max_steps)

        @run.cli.factory(target=pretrain, name=NAME)
        def pretrain_recipe(max_steps: int = 7, name: str = "default") -> run.Partial:
            return run.Partial(
                pretrain, model=model(), trainer=run.Config(Trainer, max_steps=max_steps)
            )
    """,
    "toyllm-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: toyllm\nVersion: 1.0\n",
    "toyllm-1.0.dist-info/entry_points.txt": "[nemo_run.cli]\ntoy = toyllm\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, text in _LIBRARY.items():
        path = tmp_path / "lib" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return tmp_path


def _run(folder: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder / "lib"),
        "NEMORUN_HOME": str(folder / "home"),
    }
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def _printed(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, object] = json.loads(line)
    return found


def test_a_recipe_of_a_package_runs_by_name_and_its_values_are_overridden(library: Path) -> None:
    done = _run(
        library,
        *("-m", "nemo_run", "toy", "pretrain", "--factory", "gpt_small"),
        *("model.config.num_layers=4", "trainer.max_steps=1e3", "resume=a=b", "--yes"),
    )
    assert _printed(done) == {
        "model": "gpt",
        "layers": 4,
        "hidden": 8,
        "steps": 1000,
        "resume": "a=b",
        "seeds": 0,
    }


def test_a_recipe_takes_arguments_in_the_flag_and_as_first_word(library: Path) -> None:
    command = ("-m", "nemo_run", "toy", "pretrain")
    by_flag = _run(library, *command, "--factory", "gpt_small(max_steps=3)", "--yes")
    by_word = _run(library, *command, "gpt_small(max_steps=3)", "seeds=[1,2]", "--yes")
    assert _printed(by_flag)["steps"] == 3
    assert (_printed(by_word)["steps"], _printed(by_word)["seeds"]) == (3, [1, 2])


def test_parts_are_chosen_by_the_factories_of_their_types(library: Path) -> None:
    done = _run(
        library,
        *("-m", "nemo_run", "toy", "pretrain", "model=gpt_small", "model.config.hidden_size=16"),
        *("trainer=short_trainer(max_steps=2)", "--yes"),
    )
    assert _printed(done)["hidden"] == 16
    assert _printed(done)["steps"] == 2


def test_a_command_that_asks_nothing_runs_without_a_terminal(library: Path) -> None:
    assert "prompt a b=c" in _run(library, "-m", "nemo_run", "toy", "gen", "prompt=a b=c").stdout


def test_the_commands_of_a_package_are_listed_with_their_help(library: Path) -> None:
    listed = _run(library, "-m", "nemo_run", "toy", "--help").stdout
    assert "pretrain" in listed
    assert "gen" in listed
    helped = _run(library, "-m", "nemo_run", "toy", "pretrain", "--help").stdout
    for expected in ("What is trained", "gpt_small", "short_trainer", "max_steps"):
        assert expected in helped


def test_a_wrong_recipe_is_answered_with_the_nearest(library: Path) -> None:
    done = _run(
        library, "-m", "nemo_run", "toy", "pretrain", "--factory", "gpt_smal", "--yes", code=2
    )
    assert "gpt_small" in done.stderr
    assert "Traceback" not in done.stderr


_SCRIPT = """
import nemo_run as run
from toyllm.api import pretrain
from toyllm.recipes import pretrain_recipe

def recipe():
    made = pretrain_recipe(name="x")
    made.trainer.max_steps = 4
    return made

if __name__ == "__main__":
    run.cli.main(
        pretrain,
        default_factory=recipe,
        default_executor=run.Config(run.LocalExecutor, env_vars={"A": "1"}),
    )
"""


def test_a_script_with_a_default_recipe_and_executor_is_recorded(library: Path) -> None:
    (library / "train.py").write_text(_SCRIPT)
    done = _run(library, "train.py", "trainer.devices=2", "--yes", "--tail-logs")
    assert '"steps": 4' in done.stdout + done.stderr
    listed = _run(library, "-m", "nemo_run", "experiment", "list", "--json").stdout
    (experiment,) = json.loads(listed)
    assert experiment["state"] == "SUCCEEDED"
    assert experiment["title"].endswith("pretrain")


def test_a_script_says_the_wrong_key_with_code_two_and_runs_nothing(library: Path) -> None:
    (library / "train.py").write_text(_SCRIPT)
    done = _run(library, "train.py", "trainer.max_step=2", "--yes", code=2)
    assert "max_steps" in done.stderr
    assert _run(library, "-m", "nemo_run", "experiment", "list", "--json").stdout.strip() == "[]"


_OWN_COMMANDS = """
import sys
from nemo_run.cli.api import Entrypoint, create_cli
from nemo_run.cli.cli_parser import parse_cli_args
import nemo_run as run

class Quiet(Entrypoint):
    def _execute_simple(self, args, console):
        made = parse_cli_args(self.fn, args, run.Partial, output_type=run.Partial)
        print("own", run.config.build(made)())

@run.cli.entrypoint(name="caption", namespace="toy", entrypoint_cls=Quiet, enable_executor=False)
def caption(file: str, size: int = 1) -> str:
    return f"{file}:{size}"

if __name__ == "__main__":
    run.cli.main(caption)
"""


def test_a_product_can_execute_its_commands_itself(library: Path) -> None:
    (library / "caption.py").write_text(_OWN_COMMANDS)
    assert "own a.wav:3" in _run(library, "caption.py", "file=a.wav", "size=3").stdout


_EXPERIMENT = """
import nemo_run as run

def step(n: int) -> int:
    return n * n

@run.cli.entrypoint(type="experiment")
def squares(ctx: run.cli.RunContext, count: int = 2):
    with run.Experiment("squares", executor=ctx.executor or run.LocalExecutor()) as exp:
        for n in range(count):
            exp.add(run.Partial(step, n), name=f"n{n}", tail_logs=True)
        ctx.launch(exp, sequential=True)

if __name__ == "__main__":
    run.cli.main(squares)
"""


def test_an_experiment_is_launched_through_its_context(library: Path) -> None:
    (library / "squares.py").write_text(_EXPERIMENT)
    planned = _run(library, "squares.py", "count=3", "--dryrun")
    assert "n2" in planned.stdout
    _run(library, "squares.py", "count=3", "run.executor=local", "--yes")
    listed = _run(library, "-m", "nemo_run", "experiment", "list", "--json").stdout
    (experiment,) = json.loads(listed)
    assert experiment["jobs"] == {"total": 3, "succeeded": 3, "failed": 0}
