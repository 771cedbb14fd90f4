"""Sweeps from the command line: points shown, run, listed as a table, and run again."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_terminal import Terminal

import nemo_run as run
from nemo_run.management.store import find

PROGRAM = """
from dataclasses import dataclass

import nemo_run as run


@dataclass
class Net:
    layers: int = 1
    width: int = 8


@run.cli.factory
def small() -> run.Config[Net]:
    return run.Config(Net, layers=1)


@run.cli.factory
def large(layers: int = 10) -> run.Config[Net]:
    return run.Config(Net, layers=layers)


@run.cli.entrypoint
def fit(model: Net, lr: float = 0.1, seed: int = 0, tag: str = "") -> dict:
    print("fitted")
    if lr > 1:
        raise ValueError("diverged")
    return {"loss": lr * model.layers, "tag": tag}


@run.cli.entrypoint(type="experiment")
def all_of_it(ctx: run.cli.RunContext, n: int = 1) -> None: ...


if __name__ == "__main__":
    run.cli.main(fit)
"""


@pytest.fixture
def fit(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the program of a user with words of a command line, without a terminal."""
    program = tmp_path / "fit.py"
    program.write_text(PROGRAM)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(program), *words],
            capture_output=True, text=True, cwd=tmp_path, stdin=subprocess.DEVNULL, timeout=60,
            env={**os.environ, "COLUMNS": "120"},
        )  # fmt: skip

    return call


def newest() -> run.Experiment:
    return run.Experiment.from_title("fit")


def test_a_sweep_runs_every_combination_as_one_experiment(fit):
    done = fit("model=choice(small,large(layers=3))", "lr=choice(0.5,1)", "--sweep", "--yes")

    assert done.returncode == 0, done.stderr
    assert [(row["job"], row["loss"]) for row in newest().results().table()] == [
        ("model=small_lr=0.5", 0.5),
        ("model=small_lr=1.0", 1.0),
        ("model=large-layers=3_lr=0.5", 1.5),
        ("model=large-layers=3_lr=1.0", 3.0),
    ]
    assert "model=large-layers=3_lr=1.0  large(layers=3)" in done.stderr


def test_what_the_points_of_a_quiet_sweep_print_is_shown_where_that_was_asked_for(fit):
    words = ("model=small", "lr=choice(0.5,1)", "--sweep", "--yes", "--quiet")
    assert fit(*words).stdout == ""
    assert fit(*words, "--tail-logs").stdout.count("fitted") == 2


def test_points_that_fail_are_exit_1_with_the_table(fit):
    done = fit("model=small", "lr=choice(0.5,2)", "--sweep", "--max-parallel", "1", "--yes")

    assert done.returncode == 1
    assert "lr=2.0: ValueError: diverged" in done.stderr
    assert "error: 1 of 2 jobs" in done.stderr
    assert newest().jobs[0].varied.max_parallel == 1


def test_zip_and_files_give_their_points(fit, tmp_path):
    assert not fit(
        "model=small", "lr=choice(0.1,0.2)", "seed=range(2)", "--sweep-zip", "-y"
    ).returncode
    assert [(row["lr"], row["seed"]) for row in newest().results().table()] == [(0.1, 0), (0.2, 1)]

    (tmp_path / "points.csv").write_text("lr,model\n0.3,small\n0.4,large\n")
    assert not fit("--sweep-list", "points.csv", "tag=x", "-y").returncode
    found = newest().results().table()
    assert [(row["lr"], row["model"], row["tag"]) for row in found] == [
        (0.3, "small", "x"),
        (0.4, "large", "x"),
    ]


def test_a_file_of_configuration_may_hold_choices(fit, tmp_path):
    (tmp_path / "c.yaml").write_text("model: small\nlr: choice(0.1,0.2)\n")
    assert not fit("--config", "c.yaml", "--sweep", "-y").returncode
    assert [row["lr"] for row in newest().results().table()] == [0.1, 0.2]
    done = fit("--config", "c.yaml", "-y")
    assert done.returncode == 2
    assert "c.yaml:2: lr=choice(0.1,0.2) is several values" in done.stderr


def test_a_dry_run_shows_the_points_and_starts_nothing(fit, home):
    done = fit("model=small", "seed=range(100)", "--sweep", "--dryrun")

    assert done.returncode == 0, done.stderr
    assert "Sweep of fit: 100 points\n" in done.stdout
    assert "… 76 more …" in done.stdout
    assert not (home / "experiments").exists()


def test_a_person_sees_the_points_before_answering(fit, tmp_path, home):
    words = ["model=small", "seed=range(40)", "--sweep", "--max-parallel", "3"]
    screen = Terminal([sys.executable, str(tmp_path / "fit.py"), *words], {})
    try:
        screen.until("Run 40 points of fit on this machine? [y/N]: ")
        assert "Sweep of fit: 40 points, at most 3 at once" in screen.seen
        assert "… 16 more …" in screen.seen
        screen.type("n\n")
        assert screen.end() == 130
    finally:
        screen.close()
    assert not (home / "experiments").exists()


def test_json_is_one_document_with_the_table(fit):
    done = fit("model=small", "lr=choice(0.5,2)", "--sweep", "--yes", "--json")
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert [(row["lr"], row["state"], row["loss"]) for row in document["table"]] == [
        (0.5, "SUCCEEDED", 0.5),
        (2.0, "FAILED", None),
    ]


def test_in_this_process_the_points_run_one_after_the_other(fit):
    done = fit("model=small", "lr=choice(0.5,2,1)", "--sweep", "--direct")
    assert done.returncode == 1
    assert [row["state"] for row in newest().results().table()] == [
        "SUCCEEDED",
        "FAILED",
        "SUCCEEDED",
    ]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("several values of one run", ["model=small", "lr=choice(0.1,0.2)"]),
        ("nothing varies", ["model=small", "lr=0.1", "--sweep"]),
        ("a value that does not fit", ["model=small", "seed=choice(1,x)", "--sweep"]),
        ("an unknown key", ["model=small", "sede=range(3)", "--sweep"]),
        ("unequal lengths", ["model=small", "lr=choice(1,2)", "seed=range(3)", "--sweep-zip"]),
        ("max-parallel of one run", ["model=small", "--max-parallel", "2"]),
        ("a list and choices", ["--sweep-list", "p.csv", "lr=choice(1,2)"]),
        ("a list and --sweep", ["--sweep-list", "p.csv", "--sweep"]),
        ("a missing list", ["--sweep-list", "p.csv"]),
        ("lazily", ["model=small", "lr=choice(1,2)", "--sweep", "--lazy"]),
        ("a missing argument", ["lr=choice(0.1,0.2)", "--sweep"]),
    ],
)
def test_what_cannot_be_swept_is_exit_2_before_anything_runs(fit, home, error_snapshot, key, words):
    done = fit(*words, "--yes")
    assert done.returncode == 2, done.stderr
    assert not (home / "experiments").exists()
    error_snapshot(f"sweep command: {key}", done.stderr)


def test_a_choice_for_a_text_is_the_text_where_no_sweep_is_asked_for(fit):
    done = fit("model=small", "tag=choice(a,b)", "--direct", "--json")
    assert "choice(a,b)" in done.stdout


def test_an_experiment_is_not_swept(fit, tmp_path, error_snapshot):
    program = tmp_path / "fit.py"
    program.write_text(PROGRAM.replace("run.cli.main(fit)", "run.cli.main(all_of_it)"))
    done = fit("n=range(2)", "--sweep", "--yes")
    assert done.returncode == 2
    error_snapshot("sweep command: an experiment", done.stderr)


# Looking at it, and again


def fail_one() -> str:
    task = run.Partial(divmod, 6)
    points = run.sweep(task, points=[{"[1]": 2}, {"[1]": 0}])
    with pytest.raises(run.JobFailedError) as caught:
        run.run(points, executor=run.LocalExecutor(), name="divided", log_level="ERROR")
    return caught.value.experiment_id


def swept(**fields) -> str:
    experiment = run.Experiment("shown", clean_mode=True)
    experiment.add_sweep(run.sweep(run.Partial(dict), fields))
    experiment.add(run.Script(inline="true"), name="report")
    experiment.run()
    return experiment.id


def test_show_has_the_table_and_the_other_jobs_whole(nemo_run):
    shown = nemo_run("show", swept(lr=[0.25, 1 / 3], tag=["a b"]))

    lines = shown.out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("JOB "))
    assert lines[head].split() == [
        "JOB", "lr", "tag", "result.lr", "result.tag", "STATE", "DURATION",
    ]  # fmt: skip
    assert lines[head + 2].startswith("lr=0.3333333333333333_tag=a-b  0.333333  a b")
    assert "Job report  SUCCEEDED" in lines
    assert "Job lr" not in shown.out
    assert "Job lr=0.25_tag=a-b" in nemo_run("show", "shown", "lr=0.25_tag=a-b").out


def test_show_prints_the_table_as_csv_and_json(nemo_run):
    identity = swept(lr=[0.25, 1 / 3], tag=["a,b\nc"])

    raw = nemo_run("show", identity, "--csv").out
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert [float(row["lr"]) for row in rows] == [0.25, 1 / 3]
    assert rows[0]["tag"] == "a,b\nc"
    table = nemo_run("show", identity, "--json").json["table"]
    assert [row["lr"] for row in table if row["lr"]] == [0.25, 1 / 3]
    assert nemo_run("show", identity, "--json", "--csv").code == 2


def test_show_csv_works_for_any_experiment(nemo_run, made):
    experiment = made("digits", {"train": [], "eval": ["train"]})
    rows = list(csv.DictReader(io.StringIO(nemo_run("show", experiment.id, "--csv").out)))
    assert [(row["job"], row["state"]) for row in rows] == [
        ("train", "CREATED"),
        ("eval", "CREATED"),
    ]


def test_status_tells_each_error_of_the_points_once(nemo_run):
    shown = nemo_run("status", fail_one()).out
    assert "1=0: ZeroDivisionError:" in shown
    assert "log: " not in shown
    assert "--failed" in shown
    assert "log: " in nemo_run("status", "divided", "1=0").out


def test_rerun_of_what_failed_prints_the_new_id_and_names_the_parent(nemo_run):
    parent = fail_one()
    done = nemo_run("rerun", parent, "--failed", "--json")

    assert done.code == 0, done.err
    assert done.json["of"] == parent
    assert len(done.json["jobs"]) == 1
    new = done.json["id"]
    run.Experiment.from_id(new).wait()
    assert f"Rerun of  {parent}" in nemo_run("show", new).out
    assert len(find(new).jobs) == 1


def test_rerun_of_what_failed_where_nothing_did(nemo_run):
    identity = swept(lr=[1])
    done = nemo_run("rerun", identity, "--failed")
    assert done.code == 1
    assert "there is nothing to run again" in done.err


def test_a_thousand_points_are_shown(nemo_run):
    from nemo_run.management import store

    documents = [
        {"id": f"i={i}", "members": [{"name": "m"}], "sweep": {"name": "s", "values": {"i": i}}}
        for i in range(1000)
    ]
    record = store.create("wide", meta={"jobs": documents})
    assert len(nemo_run("show", record.id).out.splitlines()) > 1000
    assert len(nemo_run("show", record.id, "--csv").out.splitlines()) == 1001
    assert "i=999,999,CREATED," in nemo_run("show", record.id, "--csv").out


def test_a_text_that_looks_like_several_values_is_warned_of_once(fit):
    done = fit("tag=choice(a,b)", "model=small", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning: tag=choice(a,b) is a text here, one value.") == 1
    assert "Warning" not in fit("tag=choice(a,b)", "model=small", "--yes", "--quiet").stderr
    assert "Warning" not in fit("tag=choices", "model=small", "--yes").stderr
