"""The page of ``nemo-run experiment show``: what failed first, and all that was recorded."""

from __future__ import annotations

import json

import pytest
from on_disk import DONE, FAILED

import nemo_run as run
from nemo_run.config.files import codec
from nemo_run.management import marks, store
from nemo_run.management.capture import packages
from nemo_run.management.store import events


def write_spec(experiment, job: str = "train", **changes: object) -> None:
    path = experiment.record.job_dir(job) / "spec.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_page_begins_with_what_failed_causes_before_who_and_where(nemo_run, made):
    experiment = made("digits", {"train": [], "report": ["train"]}, user="ada", host="node1")
    experiment.log("train", b"about to fail\nKilled by hand\n")
    experiment.observed("train", FAILED)
    experiment.journal(events.job_skipped("report", "train FAILED (exit code 3)"))
    lines = nemo_run("show", experiment.id).out.splitlines()
    assert lines[:3] == [experiment.id, "", "  train: FAILED (exit code 3): rank 0 ended with 3"]
    failed, _, rest = "\n".join(lines).partition("  Title ")
    assert "Killed by hand" in failed
    assert "report" not in failed
    assert "ada@node1" in rest
    assert "FAILED" not in nemo_run("show", experiment.id, "report").out.partition("  Title ")[0]


def test_the_host_of_the_first_process_that_failed_is_told(nemo_run, made, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    task = run.Partial(json.loads, "no JSON")
    with pytest.raises(run.JobFailedError):
        run.run(task, executor=run.LocalExecutor(), name="failing", log_level="ERROR")
    assert "host:" not in nemo_run("show", "failing").out
    record = store.find("failing")
    (error,) = record.job_dir("failing").glob("attempts/1/error.0.json")
    said = json.loads(error.read_text())
    assert said["host"] == record.meta["host"]
    error.write_text(json.dumps({**said, "host": "node7"}))
    assert "\n    host: node7\n" in nemo_run("show", "failing").out.partition("  Title ")[0]


def test_of_many_failures_the_first_are_told_and_the_rest_named(nemo_run, made):
    experiment = made("digits", {f"job-{n}": [] for n in range(6)})
    for n in range(6):
        experiment.observed(f"job-{n}", FAILED)
    failed = nemo_run("show", experiment.id).out.partition("  Title ")[0]
    assert failed.count("FAILED (exit code 3)") == 3
    assert "and 3 more: job-3, job-4, job-5" in failed


def test_where_nothing_failed_the_page_begins_with_who(nemo_run, made):
    experiment = made()
    experiment.observed("train", DONE)
    assert nemo_run("show", experiment.id).out.splitlines()[1].split() == ["Title", "digits"]


def test_machine_packages_image_and_what_was_asked_for_are_on_the_page(nemo_run, made):
    cards = [{"name": "NVIDIA H200", "uuid": f"GPU-{n}"} for n in range(8)]
    experiment = made(
        packages=packages.kept({"torch": "2.13", "click": "8"}),
        devices={
            "cpus": 192, "usable_cpus": 16, "cpu": "EPYC", "memory_bytes": 2 * 10**12,
            "gpus": cards, "nvidia_driver": "550.54.15",
        },
        platform="Linux 6.8 x86_64",
        images={"/images/nemo.sqsh": {"size": 3 * 10**9, "modified": 1.0}},
    )  # fmt: skip
    options = {
        "container_image": "/images/nemo.sqsh", "partition": "h100", "gpus_per_node": 8,
        "tunnel": {"kind": "ssh", "host": "login"},
    }  # fmt: skip
    write_spec(experiment, options=options)
    text = nemo_run("show", experiment.id).out
    machine = "8 NVIDIA H200 (driver 550.54.15), 16 of 192 CPUs EPYC, 2.0 TB of memory, Linux 6.8"
    for part in (
        machine, "2 installed, sha256:", "/images/nemo.sqsh (3.0 GB, changed 1970-",
        "partition=h100, gpus_per_node=8",
    ):  # fmt: skip
        assert part in text, part
    document = nemo_run("show", experiment.id, "--json").json
    assert document["packages"] == {"torch": "2.13", "click": "8"}
    assert document["devices"]["gpus"] == cards
    assert document["provenance"]["asked"]["train"]["gpus_per_node"] == 8
    assert document["provenance"]["images"]["train"][0]["size"] == 3 * 10**9


def test_tags_and_the_note_are_on_the_page(nemo_run, made):
    experiment = made()
    assert "Tags" not in nemo_run("show", experiment.id).out
    marks.change(
        experiment.record, add=["best", "paper"], note="As in table 3.\nSee \x1b[2Jthe mail."
    )
    text = nemo_run("show", experiment.id).out
    lines = [line.split() for line in text.splitlines()]
    assert ["Tags", "best", "paper"] in lines
    assert lines.index(["Note"]) + 1 == lines.index(["As", "in", "table", "3."])
    assert "\x1b" not in text
    document = nemo_run("show", experiment.id, "--json").json
    assert document["tags"] == ["best", "paper"]
    assert document["note"].startswith("As in table 3.")


def test_a_rerun_names_its_parent_and_what_was_set_anew(nemo_run, made):
    changes = {"rerun_overrides": ["model.lr=0.3", "api_key=x1"], "rerun_executor": "local"}
    experiment = made(rerun_of="digits_1", **changes)
    text = nemo_run("show", experiment.id).out
    assert "digits_1 with model.lr=0.3 'api_key=***' and the executor local" in text


def test_metrics_and_artifacts_of_a_job_are_on_its_page(nemo_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logged = '{"step": 1, "time": 1.0, "loss": 0.5}\\n{"step": 2, "time": 2.0, "loss": 0.25}\\n'
    text = f"""printf '{logged}' > "$NEMORUN_JOB_DIR/metrics.jsonl"
printf 12345 > "$NEMORUN_OUTPUT_DIR/model.pt"
"""
    run.run(run.Script(inline=text), executor=run.LocalExecutor(), name="small")
    shown = nemo_run("show", "small").out
    assert "loss = 0.25  (step 2)" in shown
    assert "model.pt  5 B" in shown
    (job,) = nemo_run("show", "small", "--json").json["jobs"]
    assert job["metrics"] == {"small": {"loss": {"last": 0.25, "step": 2}}}
    assert job["artifacts"] == [{"path": "model.pt", "bytes": 5}]


@pytest.mark.parametrize("name", ["executors", "packages", "devices", "images", "git"])
@pytest.mark.parametrize("value", [[1], "text", {"gpus": 7, "cpus": "x"}, {"gpus": [1, {}]}])
def test_odd_fields_harm_no_page(nemo_run, made, name, value):
    experiment = made(**{name: value})
    task = codec.dumps(run.Script(inline="true"))
    (experiment.record.job_dir("train") / "task.json").write_text(task)
    for command in ("show", "verify"):
        outcome = nemo_run(command, experiment.id)
        assert "bug" not in outcome.err
        assert "Traceback" not in outcome.err
