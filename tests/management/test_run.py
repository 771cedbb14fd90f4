"""``run.run``: one task, here or elsewhere; its result, its failure, its output."""

from __future__ import annotations

import json
import math
import operator
import os
import subprocess
import sys
import traceback

import pytest

import nemo_run as run
from nemo_run.exceptions import ConfigError, JobFailedError, PlanError
from nemo_run.execution.observation import State

HERE = run.LocalExecutor()


def test_without_an_executor_the_task_runs_in_this_process(home):
    assert run.run(run.Partial(os.getpid)) == os.getpid()
    assert run.run(run.Config(dict, a=1)) == {"a": 1}
    assert not home.exists()


def test_direct_runs_in_this_process_with_the_executors_environment(monkeypatch, home):
    monkeypatch.setenv("KEPT", "before")
    executor = run.LocalExecutor(env_vars={"GIVEN": "a b", "KEPT": "during"})

    assert run.run(run.Partial(os.getenv, "GIVEN"), executor, direct=True) == "a b"
    assert run.run(run.Partial(os.getenv, "KEPT"), executor, direct=True) == "during"

    assert "GIVEN" not in os.environ
    assert os.environ["KEPT"] == "before"
    assert not home.exists()


def test_a_script_runs_directly_with_its_own_and_the_executors_environment(capfd):
    script = run.Script(inline='echo "$A $B" "$1"', env={"B": "two"}, args=["three  x"])
    run.run(script, run.LocalExecutor(env_vars={"A": "one", "B": "never"}), direct=True)
    assert capfd.readouterr().out == "one two three  x\n"


def test_python_in_a_script_is_the_python_that_launches(capfd):
    run.run(run.Script(inline="import sys; print(sys.executable)", entrypoint="python"))
    assert capfd.readouterr().out.strip() == sys.executable


def test_a_script_that_fails_directly_raises():
    with pytest.raises(JobFailedError, match="exit code 3"):
        run.run(run.Script(inline="exit 3"))
    with pytest.raises(JobFailedError, match="exit code 137"):
        run.run(run.Script(inline="kill -9 $$"))


def test_a_task_that_fails_directly_raises_its_own_error():
    with pytest.raises(ZeroDivisionError):
        run.run(run.Partial(operator.truediv, 1, 0))


def test_on_an_executor_the_result_comes_back():
    assert run.run(run.Partial(operator.add, 20, 3), HERE, log_level="ERROR") == 23
    assert run.run(run.Config(dict, a=(1, 2)), HERE, log_level="ERROR") == {"a": (1, 2)}
    assert run.run(run.Script(inline="true"), HERE, log_level="ERROR") is None


def test_on_an_executor_a_failure_raises_with_the_remote_traceback():
    with pytest.raises(JobFailedError, match="ZeroDivisionError: division by zero"):
        run.run(run.Partial(operator.truediv, 1, 0), HERE, log_level="ERROR")


def test_values_against_annotations_are_checked_before_anything_runs(home):
    with pytest.raises(ConfigError):
        run.run(run.Partial(typed, count="many"), HERE)
    with pytest.raises(ConfigError):
        run.run(run.Partial(typed, count="many"))
    assert not home.exists()


def typed(count: int) -> int:
    return count


def test_its_output_is_shown_as_it_is_and_ours_goes_to_standard_error(home):
    program = (
        "import nemo_run as run\n"
        "run.run(run.Script(inline='printf \"no newline\"', entrypoint='sh'),"
        " run.LocalExecutor(), name='shown')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "no newline"
    assert "shown: SUCCEEDED" in done.stderr


def test_output_can_be_left_out(home, capfd):
    run.run(run.Script(inline="echo hello"), HERE, tail_logs=False, log_level="ERROR")
    assert capfd.readouterr() == ("", "")


def test_detached_it_returns_at_once_and_the_task_goes_on():
    assert run.run(run.Partial(operator.add, 1, 2), HERE, name="later", detach=True) is None
    experiment = run.Experiment.from_title("later")
    assert experiment.wait() is State.SUCCEEDED
    assert experiment.results()["later"] == 3


def test_detached_it_needs_an_executor(home):
    with pytest.raises(PlanError, match=r"executor=run\.LocalExecutor\(\)"):
        run.run(run.Partial(operator.add, 1, 2), detach=True)
    with pytest.raises(PlanError, match="direct=True runs it"):
        run.run(run.Partial(operator.add, 1, 2), HERE, direct=True, detach=True)
    assert not home.exists()


def test_a_dry_run_prints_and_leaves_nothing(home, capsys):
    assert run.run(run.Partial(operator.add, 1, 2), HERE, dryrun=True) is None
    assert "operator.add" in capsys.readouterr().out
    assert run.run(run.Partial(math.prod, [4, 5]), dryrun=True) is None
    assert "prod" in capsys.readouterr().out
    run.dryrun_fn(run.Script(path="train.sh", args=["--lr", "1 2"]))
    assert "bash train.sh --lr '1 2'" in capsys.readouterr().out
    assert not home.exists()


def test_plugins_edit_a_copy_here_and_on_an_executor():
    class Tuned(run.Plugin):
        def setup(self, task, executor):
            task.indent = 1

    task = run.Partial(json.dumps, {"a": 1})
    assert run.run(task, plugins=[Tuned()]) == '{\n "a": 1\n}'
    assert run.run(task, HERE, plugins=Tuned(), log_level="ERROR") == '{\n "a": 1\n}'
    assert run.run(task) == '{"a": 1}'


def test_plugins_are_seen_in_the_history_of_what_they_set():
    class Tuned(run.Plugin):
        def setup(self, task, executor):
            task.indent = 1

    experiment = run.Experiment("history")
    experiment.add(run.Partial(json.dumps, {"a": 1}), plugins=[Tuned()])
    kinds = [entry.kind for entry in experiment.jobs[0].task.__argument_history__["indent"]]
    assert kinds[-1] == "plugin"


def test_what_is_no_task_is_refused_with_the_right_spelling():
    with pytest.raises(TypeError, match=r"run\.Partial\(prod, \.\.\.\)"):
        run.run(math.prod)
    with pytest.raises(TypeError, match=r"run\.Script\(inline='ls'\)"):
        run.run("ls")


def test_a_function_of_the_launching_script_runs_without_a_main_guard(tmp_path):
    launches = tmp_path / "launches"
    script = tmp_path / "launch.py"
    script.write_text(
        "import nemo_run as run\n"
        f"open({str(launches)!r}, 'a').write('x')\n"
        "def work(a):\n"
        "    return a + 1\n"
        "print(run.run(run.Partial(work, 4), run.LocalExecutor(), log_level='ERROR'))\n"
    )
    done = python(script, check=True)
    assert done.stdout == "5\n"
    assert launches.read_text() == "x"


def test_a_task_may_itself_launch(tmp_path):
    script = tmp_path / "launch.py"
    script.write_text(
        "import nemo_run as run, operator\n"
        "def outer(a):\n"
        "    inner = run.Partial(operator.add, a, 1)\n"
        "    return run.run(inner, run.LocalExecutor(), log_level='ERROR') * 10\n"
        "if __name__ == '__main__':\n"
        "    print(run.run(run.Partial(outer, 4), run.LocalExecutor(), log_level='ERROR'))\n"
    )
    done = python(script, check=True)
    assert done.stdout == "50\n"


def test_a_users_file_with_a_name_of_the_standard_library_does_not_reach_the_conductor(tmp_path):
    for name in ("json.py", "signal.py", "platform.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')\n")
    program = (
        "import sys; sys.path.remove('')\n"
        "import nemo_run as run\n"
        "run.run(run.Script(inline='true', entrypoint='sh'), run.LocalExecutor(), name='a')\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)


def python(*arguments, check: bool, env=None) -> subprocess.CompletedProcess[str]:
    """Run a program of the user's."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=check, env=env)


def test_a_plugin_that_is_none_is_refused_with_the_right_spelling():
    class Tuned(run.Plugin):
        pass

    task = run.Partial(operator.add, 1, 2)
    with pytest.raises(TypeError, match=r"plugins\[0\] is the class Tuned; give an object: Tuned"):
        run.run(task, plugins=[Tuned])
    for given in ("x", 3, [object()]):
        with pytest.raises(TypeError, match=r"derives from run\.Plugin"):
            run.Experiment("plugged").add(task, plugins=given)


def test_an_error_of_a_plugin_names_the_plugin():
    class Wrong(run.Plugin):
        def setup(self, task, executor):
            task.cuont = 1

    with pytest.raises(ConfigError, match="cuont") as raised:
        run.run(run.Partial(typed, count=2), plugins=[Wrong()])
    told = "".join(traceback.format_exception(raised.value))
    assert "Wrong.setup, a plugin of" in told


def test_commands_that_are_printed_can_be_pasted(home):
    program = (
        "import nemo_run as run\n"
        "run.run(run.Script(inline='echo pasted'), run.LocalExecutor(), name='two words',"
        " detach=True)\n"
    )
    for path in (os.environ["PATH"], "/usr/bin:/bin"):
        environment = {**os.environ, "PATH": path}
        done = python("-c", program, check=True, env=environment)
        follow = next(line for line in done.stderr.splitlines() if "follow:" in line)
        command = follow.partition("follow:")[2].strip()
        pasted = subprocess.run(
            ["sh", "-c", command], capture_output=True, text=True, env=environment, check=True
        )
        assert pasted.stdout == "pasted\n"


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("set -e\nfalse", "set-e"),
        ("#!/bin/sh\n\necho hello world", "echo-hello"),
        ("[[ x ]] && y", "x-y"),
        ("....", "script"),
    ],
)
def test_an_inline_script_gives_a_readable_name(program, name):
    experiment = run.Experiment("named")
    assert experiment.add(run.Script(inline=program)) == name


def test_a_folder_that_was_removed_under_the_program_is_a_sentence(tmp_path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        "import os, nemo_run as run\n"
        "os.rmdir(os.getcwd())\n"
        "run.run(run.Script(inline='true'), executor=run.LocalExecutor())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=gone, capture_output=True, text=True)
    assert done.returncode == 1
    assert "was removed, so nothing can start there" in done.stderr
