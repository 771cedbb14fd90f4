"""``nemo-run experiment show`` and ``status``: what there is to know, without the user's code."""

from __future__ import annotations

import json
import re
import time

import pytest
from on_disk import DONE, FAILED, RUNNING

import nemo_run as run
from nemo_run.config.files import codec
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events

META = {
    "user": "ada",
    "host": "node1",
    "cwd": "/home/ada/digits",
    "argv": ["train.py", "--lr", "0.1", "--api-key", "hunter2"],
    "python": {"version": "3.12.1", "executable": "/usr/bin/python3"},
    "git": {"commit": "abcdef0123456789", "branch": "main", "dirty": True},
    "packages": {"torch": "2.13"},
}


def write_task(experiment, job: str = "train") -> None:
    """Store a task whose function is nowhere to be imported."""
    document = codec.dumps(run.Partial(json.dumps, obj=[1, 2], indent=4))
    text = document.replace('"json:dumps"', '"this_module_is_gone:train"')
    assert text != document
    (experiment.record.job_dir(job) / "task.json").write_text(text)


def test_a_person_sees_who_ran_what_and_how(nemo_run, made):
    experiment = made("digits", {"train": [], "report": ["train"]}, **META)
    write_task(experiment)
    (experiment.record.job_dir("train") / "result.json").write_text(
        json.dumps({"format": 1, "value": {"accuracy": 0.97}})
    )
    experiment.observed("train", DONE)
    text = nemo_run("show", experiment.id).out
    for part in (
        experiment.id, "RUNNING", "ada@node1", "/home/ada/digits", "train.py --lr 0.1",
        "abcdef012345 on main, with changes", "3.12.1", "Job train  SUCCEEDED", "After     train",
        "Partial[train]", "indent = 4", "{'accuracy': 0.97}", "python train.py",
    ):  # fmt: skip
        assert part in text, part
    assert "spec.json" not in text
    assert "test_experiment_show.py" not in text


def test_history_says_where_each_value_was_set(nemo_run, made):
    experiment = made()
    write_task(experiment)
    text = nemo_run("show", experiment.id, "train", "--history").out
    line = next(line for line in text.splitlines() if "indent = 4" in line)
    assert re.search(r"test_experiment_show\.py:\d+\)$", line)


def test_what_goes_by_a_telling_name_is_covered(nemo_run, made):
    secrets = {"HF_TOKEN": "hf_abc", "EPOCHS": "3", "PROXY": "http://ada:pw1234@proxy"}
    experiment = made(environment=secrets, **META)
    for outcome in (nemo_run("show", experiment.id), nemo_run("show", experiment.id, "--json")):
        assert "EPOCHS" in outcome.out
        for secret in ("hf_abc", "pw1234", "hunter2"):
            assert secret not in outcome.out


def test_a_script_is_shown_as_it_was_written_but_for_its_secrets(nemo_run, made):
    experiment = made()
    script = run.Script(
        inline="set -e\npython train.py", args=["--lr", "1"], env={"A": "b", "API_KEY": "hunter2"}
    )
    (experiment.record.job_dir("train") / "task.json").write_text(codec.dumps(script))
    outcome = nemo_run("show", experiment.id)
    for line in ("set -e", "python train.py", "A=b", "API_KEY=***", "args: ['--lr', '1']"):
        assert line in [shown.strip() for shown in outcome.out.splitlines()]
    assert "hunter2" not in nemo_run("show", experiment.id, "--json").out


def test_json_of_show_holds_what_the_text_says_and_more(nemo_run, made):
    experiment = made(environment={"EPOCHS": "3"}, **META)
    write_task(experiment)
    experiment.observed("train", DONE)
    document = nemo_run("show", experiment.id, "--json").json
    assert document["id"] == experiment.id
    assert document["state"] == "SUCCEEDED"
    assert document["packages"] == {"torch": "2.13"}
    (job,) = document["jobs"]
    assert (job["id"], job["state"], job["exit_code"]) == ("train", "SUCCEEDED", 0)
    (task,) = job["tasks"]
    assert task["environment"] == {"EPOCHS": "3"}
    assert task["task"]["value"]["target"] == "this_module_is_gone:train"
    assert "spec.json" in [file["path"] for file in job["files"]]


def test_each_member_of_a_group_shows_its_own_task(nemo_run, made):
    experiment = made(members=("server", "client"))
    for name in ("server", "client"):
        folder = experiment.record.job_dir("train") / name
        folder.mkdir()
        (folder / "task.json").write_text(codec.dumps(run.Script(inline=f"start {name}")))
    lines = [line.strip() for line in nemo_run("show", experiment.id).out.splitlines()]
    for name in ("server", "client"):
        assert lines.index(name) < lines.index(f"start {name}")


def test_files_are_listed_when_asked_for_the_first_of_them_and_the_rest_counted(nemo_run, made):
    experiment = made()
    for number in range(60):
        (experiment.record.job_dir("train") / f"checkpoint-{number}").touch()
    text = nemo_run("show", experiment.id, "--files").out
    assert text.count("checkpoint-") == 40
    assert "and 21 more" in text


def test_a_damaged_task_hides_nothing_else(nemo_run, made):
    experiment = made(**META)
    folder = experiment.record.job_dir("train")
    (folder / "task.json").write_text("{ half")
    (folder / "task.yaml").write_text("_target_: train.main\n")
    outcome = nemo_run("show", experiment.id)
    assert outcome.code == 0
    assert "cannot be read" in outcome.out
    assert "_target_: train.main" in outcome.out


def test_status_tells_state_cause_times_log_and_what_to_type(nemo_run, made):
    experiment = made("digits", {"train": [], "report": ["train"]})
    log = experiment.log("train", b"Killed\n")
    experiment.observed("train", FAILED)
    experiment.journal(
        events.job_skipped("report", "train FAILED (exit code 3)"),
        events.experiment_ended(State.FAILED),
    )
    outcome = nemo_run("status", experiment.id)
    lines = outcome.out.splitlines()
    assert lines[0] == f"{experiment.id}  FAILED"
    assert lines[3].split() == [
        "train", "FAILED", "(exit", "code", "3)", "1", *lines[3].split()[6:8], "5s",
    ]  # fmt: skip
    assert lines[4].split()[:3] == ["report", "SKIPPED", "(dependency)"]
    assert f"  log: {log}" in lines
    assert "  Killed" in lines
    assert "  rank 0 ended with 3" in lines
    assert "  train FAILED (exit code 3)" in lines
    name = experiment.id
    commands = [line.split("  # ")[0].strip() for line in lines if line.startswith("nemo-run")]
    assert commands == [
        f"nemo-run experiment logs {name} train",
        f"nemo-run experiment resume {name}",
        f"nemo-run experiment rerun {name} --failed",
        f"nemo-run experiment rerun {name}",
    ]
    assert outcome.code == 0
    assert nemo_run("status", experiment.id, "--exit-code").code == 1


def test_status_says_when_nobody_drives_the_experiment(nemo_run, made):
    experiment = made()
    experiment.journal(events.conductor_started(2**22 + 1, "node7", ""))
    text = nemo_run("status", experiment.id).out
    assert "Its conductor (process 4194305 on node7) is gone." in text
    assert f"nemo-run experiment resume {experiment.id}  " in text


def test_status_of_a_running_job_counts_its_time(nemo_run, made):
    from nemo_run.management.conductor.charge import charge

    experiment = made()
    experiment.observed("train", Observation(State.RUNNING, started=time.time() - 65))
    with charge(experiment.record):
        text = nemo_run("status", experiment.id).out
    assert " 1m " in text
    assert "is gone" not in text
    assert f"nemo-run experiment logs -f {experiment.id}" in text


def test_json_of_status_has_its_documented_shape(nemo_run, made):
    experiment = made("digits", {"a": [], "b": []}, processes=2)
    experiment.observed("a", FAILED)
    experiment.journal(events.job_retried("a", 2))
    experiment.observed(
        "a", Observation(State.LOST, Reason.NODE_FAILURE, attempt=2, message="gone")
    )
    document = nemo_run("status", experiment.id, "a", "--json").json
    assert {k: document[k] for k in ("id", "title", "state", "conductor", "cancel_requested")} == {
        "id": experiment.id, "title": "digits", "state": "RUNNING", "conductor": None,
        "cancel_requested": False,
    }  # fmt: skip
    (job,) = document["jobs"]
    logs = experiment.record.job_dir("a") / "logs" / "2"
    assert job["logs"] == [
        {"member": "a", "attempt": 2, "rank": rank, "path": str(logs / f"rank-{rank}.log")}
        for rank in (0, 1)
    ]
    assert (job["state"], job["reason"], job["attempt"]) == ("LOST", "node failure", 2)
    assert [one["exit_code"] for one in job["previous"]] == [3]
    assert job["handle"] == ""


def test_an_experiment_is_found_by_id_start_of_id_title_and_folder(nemo_run, made):
    made("digits")
    newest = made("digits")
    assert nemo_run("status", "digits", "--json").json["id"] == newest.id
    assert nemo_run("status", newest.id, "--json").json["id"] == newest.id
    assert nemo_run("status", str(newest.record.path), "--json").json["id"] == newest.id
    other = made("letters")
    assert nemo_run("status", "letters_1", "--json").json["id"] == other.id


def test_a_start_that_fits_several_lists_them(nemo_run, made):
    one, two = made("digits"), made("digits")
    outcome = nemo_run("status", "digits_1")
    assert outcome.code == 1
    assert one.id in outcome.err
    assert two.id in outcome.err
    assert "Traceback" not in outcome.err


def test_verbose_shows_the_traceback_of_an_error(nemo_run, made):
    made("digits")
    assert "Traceback" not in nemo_run("show", "letters").err
    assert "Traceback" in nemo_run("show", "letters", "--verbose").err


def test_delete_wants_a_yes_where_nobody_can_be_asked(nemo_run, made, error_snapshot):
    experiment = made(started=False)
    refused = nemo_run("delete", experiment.id, text_in="y\n")
    assert refused.code == 2
    error_snapshot("delete: nobody to ask", refused.err)
    assert experiment.record.path.exists()
    done = nemo_run("delete", experiment.id, "--yes")
    assert (done.code, done.out) == (0, f"Deleted {experiment.id}.\n")
    assert not experiment.record.path.exists()
    assert nemo_run("list", "--json").json == []
    assert nemo_run("delete", experiment.id, "--yes").code == 1


def test_delete_refuses_while_jobs_may_run(nemo_run, made, error_snapshot):
    experiment = made()
    experiment.observed("train", RUNNING)
    refused = nemo_run("delete", experiment.id, "--yes")
    assert refused.code == 1
    error_snapshot("delete: running", refused.err)
    assert experiment.record.path.exists()
    assert nemo_run("delete", experiment.id, "--yes", "--force", "--json").code == 0
    assert not experiment.record.path.exists()


def test_cancel_of_what_has_ended_does_nothing_and_says_so(nemo_run, made):
    experiment = made("digits", {"a": [], "b": ["a"]})
    experiment.observed("a", DONE)
    experiment.observed("b", FAILED)
    before = experiment.record.journal.path.read_bytes()
    first = nemo_run("cancel", experiment.id)
    assert first.code == 0
    assert first.out.splitlines() == [
        "a: had ended already, SUCCEEDED",
        "b: had ended already, FAILED (exit code 3)",
    ]
    assert nemo_run("cancel", experiment.id, "b", "-d", "--json").json["jobs"] == [
        {"id": "a", "state": "SUCCEEDED", "was": "SUCCEEDED", "cancel_requested": False},
        {"id": "b", "state": "FAILED", "was": "FAILED", "cancel_requested": False},
    ]
    assert experiment.record.journal.path.read_bytes() == before


def test_cancel_is_told_wrong_use(nemo_run, made, error_snapshot):
    made("digits")
    for arguments, case in ((["0", "--all"], "job and all"), (["-d"], "dependencies of nothing")):
        outcome = nemo_run("cancel", "digits", *arguments)
        assert outcome.code == 2
        error_snapshot(f"cancel: {case}", outcome.err)


@pytest.mark.parametrize("command", ["show", "logs", "cancel"])
def test_a_damaged_experiment_is_a_sentence_that_names_the_file(nemo_run, made, command):
    experiment = made()
    (experiment.record.path / "experiment.json").write_text("[]")
    outcome = nemo_run(command, experiment.id)
    assert (outcome.code, outcome.out) == (1, "")
    assert "experiment.json" in outcome.err
    assert f"nemo-run experiment delete {experiment.id}" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_damaged_experiment_can_be_deleted(nemo_run, made):
    experiment = made()
    (experiment.record.path / "experiment.json").unlink()
    assert nemo_run("delete", experiment.id, "--yes").code == 1
    assert nemo_run("delete", experiment.id, "--yes", "--force").code == 0
    assert not experiment.record.path.exists()


def test_status_needs_the_journal_only(nemo_run, made):
    experiment = made()
    experiment.observed("train", DONE)
    (experiment.record.path / "experiment.json").write_text("[]")
    assert "SUCCEEDED" in nemo_run("status", experiment.id).out
    document = nemo_run("status", experiment.id, "--json").json
    assert (document["title"], document["state"]) == ("digits", "SUCCEEDED")


def test_secrets_on_a_scripts_command_line_are_covered_everywhere(nemo_run, home):
    import nemo_run as run_library

    task = run_library.Script(inline="true", args=["--api-key", "HIDDEN1", "--token=HIDDEN2"])
    run_library.run(task, executor=run_library.LocalExecutor(), name="secrets", log_level="WARNING")
    for options in ([], ["--json"]):
        shown = nemo_run("show", "secrets", *options).out
        assert "--api-key" in shown
        assert "HIDDEN" not in shown


def test_a_limit_beyond_all_numbers_lists_everything(nemo_run, made):
    made()
    assert nemo_run("list", "--limit", "9" * 25).code == 0


def test_odd_fields_of_a_damaged_description_are_shown_as_such(nemo_run, made):
    import json

    experiment = made(**META)
    file = experiment.record.path / "experiment.json"
    document = json.loads(file.read_text())
    odd = {"argv": 5, "packages": 7, "environment": {"a": 1}}
    file.write_text(json.dumps({**document, **odd}))
    assert nemo_run("show", experiment.id).code == 0
    for created in (1e308, float("nan"), float("inf")):
        file.write_text(json.dumps({**document, **odd, "created": created}))
        assert "bug" not in nemo_run("show", experiment.id).err
        assert nemo_run("list").code == 0
