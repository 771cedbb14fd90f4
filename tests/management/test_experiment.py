"""An experiment is described, checked, started, looked at, opened again and repeated."""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import (
    AlreadyExistsError,
    ConfigError,
    JobFailedError,
    NotFoundError,
    PlanError,
    SerializationError,
)
from nemo_run.execution.observation import State
from nemo_run.management.experiment import current


def quiet(title: str = "story", **options) -> run.Experiment:
    return run.Experiment(title, clean_mode=True, **options)


def echo(text: str) -> run.Script:
    return run.Script(inline=f"echo {text}", entrypoint="sh")


@dataclass(kw_only=True)
class Louder(run.Plugin):
    """A plugin that edits both task and executor."""

    text: str

    def setup(self, task, executor):
        task.args = [self.text, self.experiment_id]
        executor.env_vars["LOUD"] = self.text


# Describing


def test_describing_an_experiment_writes_nothing_and_what_to_call_is_said(home):
    said = pytest.warns(UserWarning, match=r"nothing was started: call run\(\)")
    with said as warned, quiet() as experiment:
        experiment.add(echo("a"), name="a")
        experiment.add(run.Partial(math.prod, [2, 3]), name="b")
        assert current() is experiment
    assert warned[0].filename == __file__
    assert current() is None
    assert not home.exists()


def test_a_printed_plan_names_its_jobs_and_not_their_files():
    experiment = quiet()
    experiment.add(echo("a"), name="a")
    experiment.add(echo("b"), name="b")
    plan = experiment.dryrun(log=False)
    assert repr(plan) == f"Plan('story', id={experiment.id!r}, jobs=['a', 'b'])"
    assert repr(plan.jobs) == "(PlannedJob('a'), PlannedJob('b'))"


def test_tasks_and_executors_are_copied_when_they_are_added():
    experiment = quiet()
    task = run.Partial(json.dumps, {"lr": 1}, indent=1)
    executor = run.LocalExecutor(env_vars={"A": "1"})
    experiment.add(task, executor, name="a")

    task.indent = 2
    executor.env_vars["A"] = "2"

    assert experiment.jobs[0].task.indent == 1
    assert experiment.jobs[0].executor.env_vars == {"A": "1"}
    assert executor.experiment_id is None


def test_a_plugin_edits_the_copy_of_one_job_only():
    experiment = quiet()
    task, executor, plugins = echo("x"), run.LocalExecutor(), [Louder(text="hey")]
    experiment.add(task, executor, name="loud", plugins=plugins)
    experiment.add(task, executor, name="calm")
    plugins.append(Louder(text="never"))

    loud, calm = experiment.jobs
    assert loud.task.args == ["hey", experiment.id]
    assert loud.executor.env_vars == {"LOUD": "hey"}
    assert calm.task.args == task.args == []
    assert calm.executor.env_vars == executor.env_vars == {}
    assert len(loud.plugins) == 1


def test_dependencies_are_copied_and_must_exist():
    experiment = quiet()
    first = experiment.add(echo("a"), name="first")
    dependencies = [first]
    experiment.add(echo("b"), name="second", dependencies=dependencies)
    dependencies.append("second")

    assert experiment.jobs[1].dependencies == ["first"]
    with pytest.raises(PlanError, match="Did you mean 'first'"):
        experiment.add(echo("c"), dependencies=["frist"])
    with pytest.raises(PlanError, match=r"dependencies=\['first'\]"):
        experiment.add(echo("c"), dependencies="first")


def test_jobs_of_one_name_get_ids_and_folders_of_their_own():
    experiment = quiet()
    ids = [experiment.add(echo(n), name="same") for n in "abc"]
    ids.append(experiment.add(echo("d"), name="Same"))
    ids.append(experiment.add(echo("e"), name="same_1"))

    assert ids[:4] == ["same", "same_1", "same_2", "Same_3"]
    assert len({one.casefold() for one in ids}) == 5
    plan = experiment.dryrun(log=False)
    assert len({job.spec.directory.casefold() for job in plan.jobs}) == 5


def test_an_experiment_can_begin_with_copies_of_anothers_jobs():
    first = quiet()
    first.add(run.Partial(operator.add, 1, 2), name="sum")
    second = quiet("second", jobs=first.jobs)
    second.jobs[0].task[1] = 5
    assert second.run()["sum"] == 6
    assert first.jobs[0].task[1] == 2
    assert not first.jobs[0].launched


def test_a_job_without_a_name_is_called_after_its_task():
    experiment = quiet()
    assert experiment.add(run.Partial(math.prod, [1])) == "math.prod"
    assert experiment.add(run.Script(inline="echo hello world")) == "echo-hello"


@pytest.mark.parametrize(
    ("task", "spelling"),
    [
        (math.prod, r"run\.Partial\(prod, \.\.\.\)"),
        (Path, r"run\.Partial\(Path, \.\.\.\)"),
        ("echo hello", r"run\.Script\(inline='echo hello'\)"),
        (3, "not 3 \\(int\\)"),
    ],
)
def test_what_is_no_task_is_refused_with_the_right_spelling(task, spelling):
    with pytest.raises(TypeError, match=spelling):
        quiet().add(task)


def test_what_is_no_executor_is_refused():
    with pytest.raises(TypeError, match=r"LocalExecutor\(\)"):
        quiet().add(echo("a"), run.LocalExecutor)
    with pytest.raises(TypeError, match="must be an executor"):
        quiet().add(echo("a"), "local")


def test_a_value_that_cannot_travel_is_refused_at_add_with_its_path(home):
    with pytest.raises(SerializationError, match=r"obj\['deep'\]"):
        quiet().add(run.Partial(json.dumps, obj={"deep": object()}), name="a")
    assert not home.exists()


def test_unknown_and_missing_arguments_are_refused_at_add(home):
    task = run.Partial(operator.add, 1)
    with pytest.raises(ConfigError, match="b"):
        quiet().add(task, name="a")
    assert not home.exists()


@pytest.mark.parametrize("name", ["", "  ", "a\nb"])
def test_titles_that_nobody_can_type_are_refused(name):
    with pytest.raises(PlanError):
        quiet(name)


def test_names_that_are_no_folders_run_and_are_found_again(home):
    experiment = quiet("a/b: ../c?")
    experiment.add(run.Partial(operator.add, 1, 2), name="../x")
    assert experiment.run()["../x"] == 3

    again = run.Experiment.from_title("a/b: ../c?")
    assert again.id == experiment.id
    assert again.results()["../x"] == 3
    outside = [p for p in home.parent.iterdir() if p != home]
    assert outside == []


# Groups


def test_the_members_of_a_group_have_ids_logs_and_results_of_their_own():
    experiment = quiet()
    group = experiment.add(
        [run.Partial(operator.add, 1, 2), run.Partial(operator.add, 3, 4), echo("third")],
        run.LocalExecutor(),
        name="group",
    )
    names = [member.name for member in experiment.jobs[0].members]
    results = experiment.run()

    assert len(set(names)) == 3
    assert results[group] == {names[0]: 3, names[1]: 7, names[2]: None}
    logs = list((Path(experiment._exp_dir) / "jobs" / "group" / "logs").glob("**/rank-0.log"))
    assert len(logs) == 3


def test_two_groups_without_names_have_different_ids():
    experiment = quiet()
    first = experiment.add([echo("a"), echo("b")])
    second = experiment.add([echo("a"), echo("b")])
    assert first != second


def test_a_group_needs_one_executor_or_one_for_each_and_known_roles():
    experiment = quiet()
    with pytest.raises(PlanError, match="one executor for all or 3"):
        experiment.add([echo("a")] * 3, [run.LocalExecutor()] * 2)
    with pytest.raises(PlanError, match="sidecar"):
        experiment.add([echo("a")] * 2, roles=["main", "side-car"])
    with pytest.raises(PlanError, match="at least one"):
        experiment.add([])
    with pytest.raises(PlanError, match="all"):
        experiment.add([echo("a")], policy="any")


def test_members_never_share_a_folder_with_what_else_a_job_keeps():
    experiment = quiet()
    experiment.add([run.Script(inline="exit", entrypoint="sh")] * 2)
    # A job keeps a file "exit" where its members have their folders.
    assert [member.name for member in experiment.jobs[0].members] == ["exit_1", "exit_2"]
    experiment.run()


def test_a_group_ends_with_its_main_member_when_told_so():
    experiment = quiet()
    experiment.add(
        [
            run.Script(inline="exit 0", entrypoint="sh"),
            run.Script(inline="sleep 60", entrypoint="sh"),
        ],
        name="group",
        policy="main",
        roles=["main", "sidecar"],
    )
    experiment.run()
    assert experiment.job_status("group").state is State.SUCCEEDED


# Dry runs


def test_a_dry_run_shows_files_of_our_own_only_when_asked():
    experiment = quiet()
    experiment.add(run.Partial(operator.add, 1, 2), name="sum")
    plan = experiment.dryrun(log=False)
    worker = plan.jobs[0].spec.members[0].files["worker.py"]

    assert worker not in plan.text()
    assert f"worker.py (mode 600, {len(worker.encode())} bytes)" in plan.text()
    assert hashlib.sha256(worker.encode()).hexdigest() in plan.text()
    assert worker in plan.text(full=True)


def test_a_dry_run_prints_every_file_verbatim_and_leaves_nothing(home, capsys):
    experiment = quiet()
    line = "echo " + "x" * 300
    experiment.add(run.Script(inline=line, entrypoint="sh"), name="long")
    experiment.add(run.Partial(operator.add, 1, 2), name="sum", dependencies=["long"])

    plan = experiment.dryrun()

    printed = capsys.readouterr().out
    assert line in printed.splitlines()
    assert "after long" in printed
    for job in plan.jobs:
        for artifact in job.artifacts:
            assert artifact.content.decode() in printed
    assert f"sha256:{plan.hash}" in printed
    assert not home.exists()


@pytest.mark.parametrize("wanted", [True, False])
def test_the_yaml_of_scripts_can_be_left_out(wanted):
    experiment = quiet(serialize_metadata_for_scripts=wanted)
    experiment.add(echo("a"), name="script")
    experiment.add(run.Partial(operator.add, 1, 2), name="partial")
    script, partial = (job.spec.members[0].files for job in experiment.dryrun(log=False).jobs)
    assert ("task.yaml" in script) is wanted
    assert "task.yaml" in partial


def test_three_dry_runs_give_the_same_bytes_and_change_nothing():
    experiment = quiet()
    executor = run.LocalExecutor(env_vars={"A": "1"}, ntasks_per_node=2)
    before = executor.clone()
    experiment.add(echo("a"), executor, name="a", plugins=[Louder(text="x")])
    job = experiment.jobs[0]
    copies = job.task.args[:], job.executor.clone()

    texts = {experiment.dryrun(log=False).text() for _ in range(3)}

    assert len(texts) == 1
    assert executor == before
    assert (job.task.args, job.executor) == copies


def test_the_plan_hash_tells_equal_experiments_from_different_ones():
    def plan_hash(text: str) -> str:
        experiment = quiet()
        experiment.add(echo(text), name="a")
        return experiment.dryrun(log=False).hash

    assert plan_hash("a") == plan_hash("a")
    assert plan_hash("a") != plan_hash("b")


def test_a_dry_run_covers_the_values_of_secret_variables(capsys):
    secret = 'it\'s "s3cret" $HOME'
    experiment = quiet()
    executor = run.LocalExecutor(env_vars={"HF_TOKEN": secret, "PLAIN": "shown"})
    experiment.add(echo("a"), executor, name="a")
    experiment.dryrun()

    printed = capsys.readouterr().out
    assert "s3cret" not in printed
    assert "HF_TOKEN=" in printed
    assert "shown" in printed


def test_a_dry_run_that_is_kept_can_be_resumed(home):
    experiment = quiet()
    experiment.add(echo("a"), name="a")
    experiment.dryrun(log=False, delete_exp_dir=False)
    assert run.Experiment.catalog("story") == [experiment.id]


# Comparing


def test_two_experiments_are_compared_by_their_tasks_and_executors():
    def of(lr: int) -> run.Experiment:
        experiment = quiet()
        experiment.add(run.Partial(operator.add, 1, lr), name="train")
        return experiment

    assert "5" in str(of(5).diff(of(4)))
    assert "<svg" in of(5)._repr_svg_()


# Running


def test_results_are_what_the_tasks_returned():
    experiment = quiet()
    experiment.add(run.Partial(operator.add, 1, 2), name="sum")
    experiment.add(echo("x"), name="script")
    results = experiment.run()

    assert results["sum"] == 3
    assert results["script"] is None
    assert dict(results) == {"sum": 3, "script": None}
    assert experiment.results()["sum"] == 3
    with pytest.raises(NotFoundError, match="Did you mean 'sum'"):
        results["summ"]


def test_sequential_runs_one_job_after_the_other(tmp_path):
    order = tmp_path / "order"
    experiment = quiet()
    for name in "cab":
        experiment.add(run.Script(inline=f"echo {name} >> {order}", entrypoint="sh"), name=name)
    experiment.run(sequential=True)
    assert order.read_text().split() == ["c", "a", "b"]


def test_sequential_and_dependencies_exclude_each_other():
    experiment = quiet()
    experiment.add(echo("a"), name="a")
    experiment.add(echo("b"), name="b", dependencies=["a"])
    with pytest.raises(PlanError, match="sequential"):
        experiment.run(sequential=True)


def test_a_failure_raises_where_the_caller_waits_and_skips_what_depends_on_it():
    experiment = quiet()
    experiment.add(run.Partial(json.loads, "nonsense"), name="a")
    experiment.add(echo("b"), name="b", dependencies=["a"])
    experiment.add(run.Partial(operator.add, 1, 2), name="c")

    with pytest.raises(JobFailedError) as raised:
        experiment.run()

    text = str(raised.value)
    assert "JSONDecodeError" in text
    assert "b: SKIPPED" in text
    assert "a FAILED" in text
    assert f"nemo-run experiment logs {experiment.id} a" in text
    assert set(raised.value.failures) == {"a", "b"}
    assert experiment.results()["c"] == 3


def test_a_failed_script_shows_its_last_lines_and_exit_code():
    experiment = quiet()
    experiment.add(
        run.Script(inline="seq 100; echo the end >&2; exit 7", entrypoint="sh"), name="a"
    )
    with pytest.raises(JobFailedError, match="exit code 7") as raised:
        experiment.run()
    text = str(raised.value)
    assert "the end" in text
    assert "  100\n" in text
    assert "  50\n" not in text
    assert "rank-0.log" in text


def test_a_job_may_run_after_another_one_failed():
    experiment = quiet()
    experiment.add(run.Script(inline="exit 1", entrypoint="sh"), name="a")
    experiment.add(echo("b"), name="cleanup", dependencies=["afterany:a"])
    experiment.add(echo("c"), name="alarm", dependencies=["afternotok:a"])
    experiment.add(echo("d"), name="publish", dependencies=["a"])
    with pytest.raises(JobFailedError):
        experiment.run()
    states = {job: one["status"] for job, one in experiment.status(return_dict=True).items()}
    assert states == {
        "a": State.FAILED,
        "cleanup": State.SUCCEEDED,
        "alarm": State.SUCCEEDED,
        "publish": State.SKIPPED,
    }


def test_detached_it_goes_on_by_itself():
    experiment = quiet()
    experiment.add(run.Partial(operator.add, 2, 2), name="sum")
    results = experiment.run(detach=True)

    assert experiment.wait() is State.SUCCEEDED
    assert results["sum"] == 4


def test_a_failed_script_ends_the_launching_program_with_an_error(home):
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('failing') as experiment:\n"
        "    experiment.add(run.Script(inline='exit 3', entrypoint='sh'), name='a')\n"
        "    experiment.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "JobFailedError" in done.stderr
    assert "exit code 3" in done.stderr


def test_an_error_inside_with_is_the_only_traceback(home):
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('broken') as experiment:\n"
        "    experiment.add(run.Script(inline='true'), name='a')\n"
        "    1 / 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stderr.count("Traceback") == 1
    assert done.stderr.rstrip().endswith("ZeroDivisionError: division by zero")
    assert not home.exists()


def test_quiet_means_not_a_byte_from_us(home):
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('quiet', clean_mode=True) as experiment:\n"
        "    mine = run.Script(inline='echo mine', entrypoint='sh')\n"
        "    experiment.add(mine, name='a', tail_logs=True)\n"
        "    experiment.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout == "mine\n"


def test_output_of_two_jobs_is_shown_live_and_named(home):
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('two', log_level='ERROR') as experiment:\n"
        "    for n in 'ab':\n"
        "        lines = f'for i in 1 2 3; do echo {n}$i; sleep 0.05; done'\n"
        "        experiment.add(run.Script(inline=lines, entrypoint='sh'), name=n)\n"
        "    experiment.run(tail_logs=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert sorted(lines) == sorted(f"[{n}] {n}{i}" for n in "ab" for i in (1, 2, 3))
    assert [line for line in lines if line.startswith("[a")] == [f"[a] a{i}" for i in (1, 2, 3)]


def test_only_the_first_of_several_equal_processes_launches(home, monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "2")
    experiment = quiet()
    experiment.add(echo("a"), name="a")
    assert experiment.run() == {}
    assert not home.exists()


def test_an_experiment_runs_once():
    experiment = quiet()
    experiment.add(echo("a"), name="a")
    experiment.run()
    with pytest.raises(PlanError, match="reset"):
        experiment.run()
    with pytest.raises(PlanError, match="reset"):
        experiment.add(echo("b"))


def test_an_id_of_ones_own_is_kept_and_taken_once():
    experiment = quiet(id="mine")
    experiment.add(echo("a"), name="a")
    experiment.run()
    assert run.Experiment.from_id("mine").id == "mine"

    second = quiet(id="mine")
    second.add(echo("a"), name="a")
    with pytest.raises(AlreadyExistsError, match="mine"):
        second.run()


# Direct


def test_direct_runs_in_this_process_in_order_and_remembers_it():
    experiment = quiet()
    experiment.add(run.Partial(os.getpid), name="pid")
    experiment.add(run.Partial(operator.add, 1, 2), name="sum", dependencies=["pid"])
    results = experiment.run(direct=True)

    assert results == {"pid": os.getpid(), "sum": 3}
    again = run.Experiment.from_id(experiment.id)
    assert again.results()["sum"] == 3
    assert {one["status"] for one in again.status(return_dict=True).values()} == {State.SUCCEEDED}


def test_a_direct_failure_is_the_tasks_own_exception_and_the_rest_is_skipped():
    experiment = quiet()
    experiment.add(run.Partial(operator.truediv, 1, 0), name="a")
    experiment.add(echo("b"), name="b", dependencies=["a"])
    with pytest.raises(ZeroDivisionError):
        experiment.run(direct=True)
    states = {job: one["status"] for job, one in experiment.status(return_dict=True).items()}
    assert states == {"a": State.FAILED, "b": State.SKIPPED}


def test_a_direct_run_that_was_killed_is_not_taken_for_running(tmp_path):
    program = (
        "import nemo_run as run, os\n"
        "experiment = run.Experiment('killed', clean_mode=True)\n"
        "experiment.add(run.Partial(os._exit, 9), name='a')\n"
        "experiment.add(run.Script(inline='true', entrypoint='sh'), name='b')\n"
        "experiment.run(direct=True)\n"
    )
    assert python("-c", program, check=False).returncode == 9
    experiment = run.Experiment.from_title("killed")

    status = experiment.status(return_dict=True)
    assert status["a"]["status"] is State.LOST
    assert status["b"]["status"] is State.CREATED


def test_direct_refuses_groups_before_anything_is_written(home):
    experiment = quiet()
    experiment.add([echo("a"), echo("b")], name="group")
    with pytest.raises(PlanError, match="together"):
        experiment.run(direct=True)
    assert not home.exists()


# Looking


def test_status_has_the_keys_that_programs_know(capsys):
    experiment = quiet("with spaces")
    experiment.add(echo("a"), name="a")
    experiment.run()
    status = experiment.status(return_dict=True)["a"]

    assert set(status) == {"name", "status", "executor", "job_id", "handle", "local_dir"}
    assert status["status"] is State.SUCCEEDED
    assert status["status"] == "SUCCEEDED"
    assert Path(status["local_dir"]).is_dir()
    assert status["handle"].startswith("local://")
    assert Path(status["job_id"]).is_dir()
    assert experiment.status() is None
    printed = capsys.readouterr().out
    assert "SUCCEEDED" in printed
    assert f"job id:    {status['job_id']}\n" in printed


def test_jobs_answer_for_themselves_as_programs_of_the_reference_ask_them(capfd):
    experiment = quiet()
    experiment.add(echo("hello"), name="a")
    experiment.run()
    job = experiment.jobs[0]
    assert job.status(experiment._runner) is State.SUCCEEDED
    assert job.state is State.SUCCEEDED
    assert job.launched
    assert job.handle
    experiment._wait_for_jobs(experiment.jobs)
    job.logs(experiment._runner)
    assert capfd.readouterr().out == "hello\n"
    assert experiment.tunnels == {}
    assert isinstance(run.LocalExecutor(), experiment._PARALLEL_SUPPORTED_EXECUTORS)
    assert isinstance(run.LocalExecutor(), experiment._DETACH_SUPPORTED_EXECUTORS)


def test_logs_can_be_filtered(capfd):
    experiment = quiet()
    experiment.add(run.Script(inline="echo loss=1; echo x; echo loss=2", entrypoint="sh"), name="a")
    experiment.run()
    experiment.logs("a", regex="loss=.")
    assert capfd.readouterr().out == "loss=1\nloss=2\n"
    with pytest.raises(NotFoundError):
        experiment.logs("b")


def test_cancel_ends_the_job_and_another_process_sees_it():
    experiment = quiet()
    experiment.add(run.Script(inline="sleep 100", entrypoint="sh"), name="a")
    experiment.add(echo("b"), name="b", dependencies=["a"])
    experiment.run(detach=True)
    experiment.cancel("a")
    experiment.cancel("a")
    experiment.wait()

    program = (
        "import nemo_run as run\n"
        f"for job in run.Experiment.from_id({experiment.id!r}).status(return_dict=True).values():\n"
        "    print(job['status'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["CANCELLED", "SKIPPED"]
    with pytest.raises(JobFailedError, match="CANCELLED"):
        experiment.results()["a"]


def test_an_experiment_is_opened_by_id_and_title_from_anywhere(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    experiment = quiet("odd_title_17", base_dir=elsewhere)
    experiment.add(run.Partial(operator.add, 1, 2), name="sum")
    experiment.run()
    assert (elsewhere / "experiments").is_dir()

    monkeypatch.chdir("/")
    assert run.Experiment.from_id(experiment.id).results()["sum"] == 3
    assert run.Experiment.from_title("odd_title_17").id == experiment.id
    assert run.Experiment.catalog("odd_title_17") == [experiment.id]
    assert "odd_title_17" in run.Experiment.catalog()
    with pytest.raises(NotFoundError, match="Did you mean 'odd_title_17'"):
        run.Experiment.from_title("odd_title")


def test_a_reopened_experiment_lists_its_jobs():
    experiment = quiet("listed")
    experiment.add(echo("a"), name="first")
    experiment.add(echo("b"), name="second")
    experiment.run()
    assert "jobs=['first', 'second']" in repr(run.Experiment.from_id(experiment.id))


def test_looking_at_an_experiment_does_not_need_its_code(tmp_path, capfd):
    module = tmp_path / "gone_soon.py"
    module.write_text("def work():\n    print('working')\n    return 5\n")
    program = (
        "import nemo_run as run, gone_soon\n"
        "with run.Experiment('code', clean_mode=True) as experiment:\n"
        "    experiment.add(run.Partial(gone_soon.work), name='a')\n"
        "    experiment.run()\n"
        "print(experiment.id)\n"
    )
    script = tmp_path / "launch.py"
    script.write_text(program)
    done = python(script, check=True)
    module.write_text("this is no Python\n")

    experiment = run.Experiment.from_id(done.stdout.strip())
    assert experiment.status(return_dict=True)["a"]["status"] is State.SUCCEEDED
    assert experiment.results()["a"] == 5
    experiment.logs("a")
    assert capfd.readouterr().out == "working\n"
    assert "work" in repr(experiment.tasks)


# Again


def test_reset_makes_a_new_experiment_with_dependencies_plugins_and_changes_kept():
    experiment = quiet()
    experiment.add(echo("a"), name="a", plugins=[Louder(text="hey")])
    experiment.add(run.Partial(operator.add, 1, 2), name="b", dependencies=["a"])
    experiment.run()
    old = experiment.id

    experiment.jobs[1].task[1] = 40
    again = experiment.reset()

    assert again is experiment
    assert again.id != old
    assert again.jobs[1].dependencies == ["a"]
    assert again.jobs[0].task.args == ["hey", again.id]
    assert again.run()["b"] == 41
    assert run.Experiment.from_id(old).results()["b"] == 3
    assert run.Experiment.catalog("story") == [old, again.id]


def test_a_reopened_experiment_is_reset_without_running_its_script(tmp_path, monkeypatch):
    launches = tmp_path / "launches"
    script = tmp_path / "launch.py"
    script.write_text(
        "import nemo_run as run\n"
        f"open({str(launches)!r}, 'a').write('x')\n"
        "def work(a):\n"
        "    return a * FACTOR\n"
        "FACTOR = 10\n"
        "experiment = run.Experiment('again', clean_mode=True)\n"
        "first = experiment.add(run.Script(inline='true', entrypoint='sh'), name='first')\n"
        "experiment.add(run.Partial(work, 4), name='work', dependencies=[first])\n"
        "experiment.run()\n"
    )
    subprocess.run([sys.executable, script], check=True)
    assert launches.read_text() == "x"
    script.unlink()

    monkeypatch.chdir("/")
    again = run.Experiment.from_title("again").reset()
    assert again.jobs[1].dependencies == ["first"]
    assert again.run()["work"] == 40
    assert launches.read_text() == "x"
    assert len(run.Experiment.catalog("again")) == 2


def test_plugins_hear_of_events_while_somebody_waits():
    @dataclass(kw_only=True)
    class Listener(run.Plugin):
        heard: list = None

        def on_event(self, event):
            self.heard.append(event["event"])

    listener = Listener(heard=[])
    experiment = quiet()
    experiment.add(echo("a"), name="a", plugins=[listener])
    experiment.run()
    assert listener.heard[0] == "experiment.created"
    assert "experiment.ended" in listener.heard


def test_a_plugin_that_fails_while_it_listens_does_not_end_the_experiment():
    @dataclass(kw_only=True)
    class Broken(run.Plugin):
        def on_event(self, event):
            raise RuntimeError("deaf")

    experiment = quiet()
    experiment.add(run.Partial(operator.add, 1, 1), name="a", plugins=[Broken()])
    with pytest.warns(UserWarning, match="deaf"):
        results = experiment.run()
    assert results["a"] == 2


def python(*arguments, check: bool) -> subprocess.CompletedProcess[str]:
    """Run a program of the user's."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=check)
