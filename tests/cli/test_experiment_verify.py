"""``nemo-run experiment verify`` and ``explain``: green where it is, red where it is not."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from nemo_run.management import store
from nemo_run.management.capture import packages

PROGRAM = """\
import nemo_run as run
from losses import loss


def train(lr: float, steps: int = 3) -> float:
    return loss(lr) * steps


if __name__ == "__main__":
    executor = run.LocalExecutor(packager=run.GitArchivePackager(subpath=""))
    with run.Experiment("rates", executor=executor) as experiment:
        experiment.add(run.Partial(train, lr=0.5), name="first")
        experiment.add(run.Partial(loss, lr=0.1), name="second")
        experiment.run()
"""
LOSSES = """\
import pathlib

pathlib.Path(__file__).with_name("imported").touch()


def loss(lr: float) -> float:
    return 1 / lr
"""


@pytest.fixture
def ran(tmp_path: Path) -> store.record.Record:
    """An experiment of two jobs with code that traveled."""
    import subprocess

    project = tmp_path / "project"
    project.mkdir()
    (project / "rates.py").write_text(PROGRAM)
    (project / "losses.py").write_text(LOSSES)
    (project / ".gitignore").write_text("imported\n__pycache__\n")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
        subprocess.run([*git, *words], cwd=project, check=True)
    subprocess.run([sys.executable, "rates.py"], cwd=project, check=True, capture_output=True)
    (project / "imported").unlink()
    return store.find("rates")


def verdicts(outcome) -> dict[str, str]:
    return {check["what"]: check["verdict"] for check in outcome.json["checks"]}


def test_what_was_just_run_is_green_and_nothing_of_it_is_imported(nemo_run, ran, tmp_path):
    outcome = nemo_run("verify", "rates", "--json")
    assert (outcome.code, outcome.json["verdict"]) == (0, "green")
    assert verdicts(outcome) == dict.fromkeys(
        ("record", "configuration", "launching script", "code", "python", "packages", "target"),
        "green",
    )
    text = nemo_run("verify", "rates")
    assert text.code == 0
    assert all(line.startswith("green ") for line in text.out.splitlines())
    assert text.err == "It can be run again as it was.\n"
    nemo_run("explain", "rates", "lr")
    nemo_run("show", "rates")
    assert not (tmp_path / "project/imported").exists()


def test_code_that_was_removed_is_red_and_says_what_to_do(nemo_run, ran, home):
    tree = ran.job("first")["code"]["tree"]
    (home / "code.git/refs/snapshots" / tree).unlink()
    outcome = nemo_run("verify", "rates")
    assert outcome.code == 1
    line = next(line for line in outcome.out.splitlines() if line.startswith("red"))
    assert line.split()[1] == "code"
    assert tree in line
    assert "import it here" in outcome.out
    assert "cannot be run again" in outcome.err


def test_each_damage_is_told_in_its_own_line(nemo_run, ran):
    (ran.job_dir("first") / "task.json").write_text("{ half")
    (ran.job_dir("second") / "executor.json").unlink()
    (ran.job_dir("first") / "configs/__main__.py").unlink()
    outcome = nemo_run("verify", "rates", "--json")
    assert outcome.code == 1
    found = {check["what"]: check for check in outcome.json["checks"]}
    assert found["configuration"]["verdict"] == "red"
    assert "task.json" in found["configuration"]["says"]
    assert "executor.json" in found["configuration"]["says"]
    assert found["launching script"]["verdict"] == "red"
    assert found["code"]["verdict"] == "green"


def test_a_missing_plan_ends_the_looking(nemo_run, made):
    experiment = made()
    (experiment.record.job_dir("train") / "spec.json").unlink()
    outcome = nemo_run("verify", experiment.id, "--json")
    assert (outcome.code, verdicts(outcome)) == (1, {"record": "red"})


def test_packages_that_differ_are_amber_with_what_differs(nemo_run, made):
    now = packages.installed(sys.path)
    then = {**now, "click": "0.1", "gone-package": "3.0"}
    python = {"version": "3.1.0", "executable": sys.executable}
    experiment = made(packages=packages.kept(then), python=python)
    outcome = nemo_run("verify", experiment.id, "--json")
    found = {check["what"]: check for check in outcome.json["checks"]}
    assert found["packages"]["verdict"] == "amber"
    assert f"click 0.1 → {now['click']}" in found["packages"]["says"]
    assert "gone-package 3.0 is gone" in found["packages"]["says"]
    assert "click==0.1" in found["packages"]["do"]
    assert found["python"]["verdict"] == "amber"
    assert "was Python 3.1.0" in found["python"]["says"]


def changed_spec(experiment, **changes) -> None:
    path = experiment.record.job_dir("train") / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def stored_script(experiment, text='{"path": "train.sh"}') -> None:
    import nemo_run as run
    from nemo_run.config.files import codec

    folder = experiment.record.job_dir("train")
    (folder / "task.json").write_text(codec.dumps(run.Script(**json.loads(text))))
    (folder / "executor.json").write_text(codec.dumps(run.LocalExecutor()))


def test_an_image_that_is_gone_is_red_and_one_that_was_changed_amber(nemo_run, made, tmp_path):
    image = tmp_path / "nemo.sqsh"
    facts = {str(image): {"size": 3, "modified": 5.0}}
    experiment = made(images=facts)
    stored_script(experiment, '{"inline": "true"}')
    changed_spec(experiment, options={"container_image": str(image)})
    assert verdicts(nemo_run("verify", experiment.id, "--json"))["image"] == "red"
    image.write_bytes(b"abc")
    assert verdicts(nemo_run("verify", experiment.id, "--json"))["image"] == "amber"
    os.utime(image, (5.0, 5.0))
    assert verdicts(nemo_run("verify", experiment.id, "--json"))["image"] == "green"
    for name, verdict in (("nemo:25.04", "amber"), (f"nemo@sha256:{'0' * 64}", "green")):
        changed_spec(experiment, options={"container_image": name})
        assert verdicts(nemo_run("verify", experiment.id, "--json"))["image"] == verdict


def test_a_host_that_does_not_answer_is_red_and_is_not_asked_offline(nemo_run, made):
    experiment = made()
    stored_script(experiment, '{"inline": "true"}')
    tunnel = {"kind": "ssh", "host": "127.0.0.1", "port": 1, "job_dir": "/d"}
    changed_spec(experiment, backend="slurm", options={"tunnel": tunnel})
    began = time.monotonic()
    outcome = nemo_run("verify", experiment.id, "--json")
    assert time.monotonic() - began < 30
    assert (outcome.code, verdicts(outcome)["target"]) == (1, "red")
    assert verdicts(nemo_run("verify", experiment.id, "--offline", "--json"))["target"] == "amber"


def test_an_engine_that_nobody_offers_is_red(nemo_run, made):
    experiment = made()
    stored_script(experiment, '{"inline": "true"}')
    changed_spec(experiment, backend="marsbase")
    outcome = nemo_run("verify", experiment.id)
    assert outcome.code == 1
    assert "'marsbase'" in outcome.out


def test_a_script_that_did_not_travel_must_be_where_it_was(nemo_run, made, tmp_path):
    experiment = made(cwd=str(tmp_path))
    stored_script(experiment)
    assert verdicts(nemo_run("verify", experiment.id, "--json"))["scripts"] == "red"
    (tmp_path / "train.sh").write_text("true\n")
    assert "scripts" not in verdicts(nemo_run("verify", experiment.id, "--json"))


def test_secrets_are_looked_for_and_never_shown(nemo_run, made):
    experiment = made()
    stored_script(experiment, '{"inline": "true"}')
    path = experiment.record.job_dir("train") / "spec.json"
    spec = json.loads(path.read_text())
    spec["secrets"] = {"MY_KEY": "env:MY_KEY"}
    path.write_text(json.dumps(spec))
    assert verdicts(nemo_run("verify", experiment.id, "--json"))["secret"] == "red"
    outcome = nemo_run("verify", experiment.id, env={"MY_KEY": "hunter2"})
    assert "MY_KEY is found" in outcome.out
    assert "hunter2" not in outcome.out + outcome.err


def test_the_origin_of_a_value_is_told_of_each_job_that_has_it(nemo_run, ran, tmp_path):
    text = nemo_run("explain", "rates", "lr").out
    script = tmp_path / "project/rates.py"
    for job, value, line in (("first", "0.5", 12), ("second", "0.1", 13)):
        assert f"Job {job}" in text
        assert [value, "python", f"{script}:{line}"] in [
            row.split()[1:4] for row in text.splitlines()
        ]
    (told,) = nemo_run("explain", "rates", "second", "lr", "--json").json
    assert (told["job"], told["key"], told["chain"][0]["value"]) == ("second", "lr", 0.1)
    assert told["chain"][0]["line"] == 13


def test_a_key_that_is_not_there_is_answered_with_the_nearest(nemo_run, ran, error_snapshot):
    outcome = nemo_run("explain", ran.id, "lrr")
    assert (outcome.code, outcome.out) == (1, "")
    error_snapshot("explain: no such key", outcome.err)
    assert nemo_run("explain", ran.id, "nobody", "lr").code == 1
    assert nemo_run("explain", ran.id, "first", "lr", "steps").code == 2
    assert nemo_run("explain", ran.id, "first", "lr.deeper").code == 1


def test_a_script_has_no_history_and_that_is_said(nemo_run, made):
    experiment = made()
    stored_script(experiment)
    outcome = nemo_run("explain", experiment.id, "path")
    assert outcome.code == 1
    assert "is a Script, whose values have no history" in outcome.err


def test_secret_values_are_covered_in_their_origin(nemo_run, made):
    import nemo_run as run
    from nemo_run.config.files import codec

    experiment = made()
    task = run.Partial(print, sep="x")
    text = codec.dumps(task).replace('"sep"', '"api_key"').replace('"x"', '"hunter2"')
    (experiment.record.job_dir("train") / "task.json").write_text(text)
    for words in ([], ["--json"]):
        outcome = nemo_run("explain", experiment.id, "api_key", *words)
        assert outcome.code == 0
        assert "hunter2" not in outcome.out
        assert "***" in outcome.out
