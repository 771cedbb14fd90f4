"""Functions defined in real IPython sessions and notebooks run in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_run.packaging.notebook import join_cells

pytest.importorskip("IPython")

SOURCE = Path(__file__).parents[2] / "src"

SESSION = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.load(sys.stdin):
    shell.run_cell(cell, store_history=True)
"""
SEND = """
import dataclasses, json
from nemo_run.packaging.launching_script import capture
print("CAPTURED", json.dumps(dataclasses.asdict(capture(%s))))
"""


def session(tmp_path: Path, cells: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": str(SOURCE), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout + done.stderr


def captured(output: str) -> dict:
    line = [x for x in output.splitlines() if x.startswith("CAPTURED ")]
    assert line, output
    return json.loads(line[-1].removeprefix("CAPTURED "))


def in_job(text: str, call: str, cwd: Path) -> object:
    (cwd / "main.py").write_text(text + f"\nimport json; print(json.dumps({call}))\n")
    done = subprocess.run(
        [sys.executable, "main.py"], cwd=cwd, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_a_function_of_a_cell_travels_with_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("FACTOR = 2\n")
    script = captured(
        session(
            tmp_path,
            [
                "from __future__ import annotations\nimport math\nimport os\n%no_such_magic",
                "import library\nbroken = 1/0\ndef train(): return 'never'",
                "def train(x): return 'first'",
                "this is no python",
                "scale = 2",
                "scale = scale + 1",
                "!echo hello\nfiles = !ls\ntrain?",
                "%%time\ndef helper(x):\n    return math.floor(x) * scale",
                "%time offset = 100\nprint('noise')",
                "%%bash\necho hi",
                "def train(x: Missing): return helper(x) + offset + library.FACTOR",
                SEND % "train",
            ],
        )
    )
    assert in_job(script["text"], "train(1.5)", tmp_path) == 105
    assert script["original_path"] is None
    assert "get_ipython" not in script["text"]
    assert "noise" not in script["text"]
    assert "'first'" not in script["text"]
    assert "import os" not in script["text"]
    assert script["warning"].startswith(
        "train is defined in this notebook and travels by value, as source"
    )


def test_the_warning_comes_once_for_the_same_names(tmp_path: Path) -> None:
    again = "with run.Experiment('e') as e:\n    e.add(run.Partial(%s))\n    e.run(direct=True)"
    output = session(
        tmp_path,
        [
            "import nemo_run as run",
            "def train(): print('trained')\ndef test(): print('tested')",
            *[again % name for name in ("train", "train", "test", "train")],
        ],
    )
    assert (output.count("trained\n"), output.count("tested\n")) == (3, 1), output
    assert output.count("train is defined in this notebook") == 1
    assert output.count("test is defined in this notebook") == 1


def test_what_a_magic_or_a_shell_command_made_is_refused(tmp_path: Path) -> None:
    output = session(tmp_path, ["files = !ls", "def train(): return files", SEND % "train"])
    assert "ConfigError" in output
    assert "The job needs 'files' (train → files)" in output
    assert "asks the user or the notebook" in output


def test_what_the_launching_cell_returns_is_refused(tmp_path: Path) -> None:
    output = session(
        tmp_path,
        [
            "import dataclasses, json\nfrom nemo_run.packaging.launching_script import capture",
            "def train(): return result",
            "result = 5\nresult = capture(train)",
        ],
    )
    assert "the statement that makes it is the one that launches" in output
    assert "result = capture(train)" in output


def test_a_cell_under_a_magic_knows_which_of_its_lines_launches(tmp_path: Path) -> None:
    cell = "%%time\nx = 4\ndef train(): return x\n" + SEND % "train"
    script = captured(session(tmp_path, ["import os", cell]))
    assert in_job(script["text"], "train()", tmp_path) == 4


def test_settings_of_a_notebook_travel(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "deep.py").write_text("VALUE = 11\n")
    script = captured(
        session(
            tmp_path,
            [
                "import sys, os\nsys.path.insert(0, 'lib')\nos.environ['MODE'] = 'x'",
                "from deep import *",
                "def train(): return VALUE, os.environ['MODE']",
                SEND % "train",
            ],
        )
    )
    assert in_job(script["text"], "train()", tmp_path) == [11, "x"]


def test_a_lambda_of_a_cell_and_a_name_that_no_cell_defines_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("def train(): return 1\n")
    output = session(tmp_path, ["%run other.py", SEND % "train"])
    assert "'train' is not defined at the top level of the notebook" in output


@pytest.mark.slow
def test_a_real_kernel_travels_too(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = ["K = 3\ndef train(x):\n    return x * K", "y = await __import__('asyncio').sleep(0)"]
    cells += [f"import sys; sys.path.insert(0, {str(SOURCE)!r})", SEND % "train"]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    script = captured(book.cells[-1].outputs[0]["text"])
    assert in_job(script["text"], "train(2)", tmp_path) == 6


def test_cells_are_joined_with_their_numbers_and_future_imports_first() -> None:
    joined = join_cells(
        ["", "x = 1", "from __future__ import annotations\ny = 2", "z = (", "w = 3"], str
    )
    assert joined.text.split("\n") == [
        "from __future__ import annotations",
        "# In [0]",
        "",
        "",
        "# In [1]",
        "x = 1",
        "",
        "# In [2]",
        "",
        "y = 2",
        "",
        "# In [4]",
        "w = 3",
        "",
    ]
    assert joined.text.split("\n")[joined.last_cell_line - 1] == "w = 3"
