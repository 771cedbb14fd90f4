"""Stored jobs as a new experiment, before it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder

import nemo_run as run
from nemo_run.exceptions import OverrideError
from nemo_run.management.rerunning.preparing import prepared
from nemo_run.management.rerunning.words import read_words
from nemo_run.management.store import Record


def test_what_somebody_else_ran_is_run_again_at_home(home: Path) -> None:
    made = run.Experiment("t", clean_mode=True)
    made.add(run.Script(inline="true"), name="one")
    made.run()
    again = prepared(Record(made._exp_dir)).experiment
    assert Path(again._exp_dir).is_relative_to(home)
    with open_folder() as folder:
        shutil.copytree(home, folder / "home")
        subprocess.run(["chmod", "-R", "a+rX,go-w", str(folder / "home")], check=True)
        (folder / "home/experiments/t").chmod(0o555)
        record = Record(folder / "home/experiments/t" / made.id)

        def act() -> str:
            os.environ["NEMORUN_HOME"] = str(folder / "own")
            return prepared(record).experiment._exp_dir

        assert as_nobody(act).startswith(f"{folder}/own/experiments/t/t_")
        (folder / "home/experiments/t").chmod(0o755)


@pytest.mark.parametrize(
    ("text", "job", "key"),
    [
        ("steps=1", "", "steps"),
        ("train:steps=1", "train", "steps"),
        ("steps=train:steps=1", "", "steps"),
        ("lr=0.1:steps=1", "lr=0.1", "steps"),
        ("lr=0.1:x", "", "lr"),
        ("pair/one:model.lr=1", "pair/one", "model.lr"),
        ("url=http://host:80/a=b", "", "url"),
        ("train:run.executor.nodes=2", "train", "run.executor.nodes"),
    ],
)
def test_a_word_is_for_all_jobs_or_for_one(text: str, job: str, key: str) -> None:
    (word,) = read_words([text], ["train", "lr=0.1", "pair", "pair/one"])
    assert (word.job, word.override.key) == (job, key)
    assert word.of_executor == key.startswith("run.")


@pytest.mark.parametrize("text", ["steps", "", "=1", "trian:steps=1", "run.name=x", "a b=1"])
def test_a_word_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(OverrideError):
        read_words([text], ["train"])


def test_a_script_is_changed_as_any_task_is(home: Path) -> None:
    made = run.Experiment("t", clean_mode=True)
    made.add(run.Script(inline="echo one", env={"A": "1"}), name="one")
    made.run()
    again = prepared(Record(made._exp_dir), overrides=["inline=echo two", "env.B=2"])
    task = again.experiment.jobs[0].task
    assert (task.inline, task.env) == ("echo two", {"A": "1", "B": "2"})
    assert again.applied == {"one": ["inline=echo two", "env.B=2"]}
    # The stored one is as it was.
    assert Record(made._exp_dir).meta.get("rerun_of") is None
    assert run.Experiment.from_id(made.id).jobs[0].task.inline == "echo one"
