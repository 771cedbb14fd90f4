"""The same through a whole program: real jobs, exit codes, and what is said aloud."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from profile_places import Places, make_places

PROGRAM = """
    import os
    from dataclasses import dataclass

    import nemo_run as run


    @dataclass(kw_only=True)
    class Mark(run.Plugin):
        word: str = "marked"

        def setup(self, task, executor):
            executor.env_vars["MARK"] = self.word


    @run.cli.factory
    def mark(word: str = "marked") -> Mark:
        return Mark(word=word)


    @run.cli.factory
    @run.autoconvert
    def pair(greeting: str = "hello") -> run.LocalExecutor:
        return run.LocalExecutor(ntasks_per_node=2, env_vars={"GREETING": greeting})


    def train(lr: float = 0.1, runner: int = 0) -> None:
        seen = {name: os.environ.get(name) for name in ("GREETING", "MARK", "RANK")}
        print("trained", lr, runner, seen)


    if __name__ == "__main__":
        run.cli.main(train)
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    made = make_places(tmp_path, monkeypatch)
    (made.project / "train.py").write_text(textwrap.dedent(PROGRAM))
    return made


@pytest.fixture
def train() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "train.py", *words], capture_output=True, text=True, timeout=60
        )

    return run


def test_a_factory_with_fields_and_plugins_runs_as_it_was_asked(train) -> None:
    done = train(
        "--yes", "lr=0.5", "runner=3", "run.executor=pair(greeting='it is = 5')",
        "run.executor.env_vars.MARK=first", "run.plugins=mark", "run.plugins.word=a run.b",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    for rank in "01":
        seen = {"GREETING": "it is = 5", "MARK": "a run.b", "RANK": rank}
        assert f"trained 0.5 3 {seen}" in said


def test_a_profile_is_used_without_any_python_and_said_aloud(places: Places, train) -> None:
    file = places.of_project("""
        default_executor = "two"
        [executors.two]
        executor = "local"
        ntasks_per_node = 2
        env_vars = { GREETING = "from a file" }
    """)
    for words in (["run.executor=two"], []):
        done = train("--yes", *words)
        assert done.returncode == 0, done.stderr
        assert (done.stdout + done.stderr).count("'GREETING': 'from a file'") == 2
        assert f"executor: profile two (local) from project {file}:3" in done.stderr
    quiet = train("--yes", "--quiet")
    assert quiet.returncode == 0
    assert "executor:" not in quiet.stderr
    here = train("--yes", "run.executor=none")
    assert "'GREETING': None" in here.stdout


def test_an_unknown_executor_is_wrong_use_and_nothing_runs(
    places: Places, home: Path, train, error_snapshot
) -> None:
    places.of_project('[executors.pairs]\nexecutor = "local"\n')
    done = train("--yes", "run.executor=pear")
    assert (done.returncode, done.stdout) == (2, "")
    error_snapshot("program: unknown executor", done.stderr, {str(places.root): "<root>"})
    assert not (home / "experiments").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["run.executor.partition=long"],
        ["run.executor=pair", "run.executor.nodes=many"],
        ["run.plugins=marc"],
        ["run.plugins.word=x"],
        ["run.executor=two"],
    ],
)
def test_what_cannot_be_used_is_wrong_use(places: Places, train, words: list[str]) -> None:
    places.of_project('[executors.two]\nexecutor = "local"\nnodes = "two"\n')
    done = train("--yes", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("error: run.")


def test_words_of_the_run_may_stand_before_those_without_a_key(train) -> None:
    done = train("--yes", "run.direct=true", "0.5", "run.name=first", "7")
    assert done.returncode == 0, done.stderr
    assert "trained 0.5 7" in done.stdout
    refused = train("run.direct=true", "runner=1", "0.5")
    assert refused.returncode == 2
    assert "'0.5' has no key, and stands behind runner=…" in refused.stderr


def test_an_unknown_field_of_the_executor_is_answered_with_those_a_person_sets(train) -> None:
    done = train("--yes", "run.executor=local", "run.executor.foo=1")
    assert done.returncode == 2
    listed = done.stderr.partition("Its parameters: ")[2].strip(".\n").split(", ")
    assert "env_vars" in listed
    assert not {"experiment_id", "job_dir"} & set(listed)


def test_what_is_said_of_the_executor_is_explained_by_its_whole_key(train) -> None:
    key = "run.executor.env_vars"
    done = train("--explain", key, "run.executor=pair", f"{key}.MARK=x")
    rows = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert rows
    assert set(rows) == {key}
