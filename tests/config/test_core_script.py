"""Scripts: what is given, what is understood, what is run."""

from __future__ import annotations

import shlex
import stat
import subprocess
import sys

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.exceptions import ArgumentError


def output(command: list[str], **options) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def test_a_path_runs_with_its_arguments():
    script = run.Script("train.sh", args=["--lr", "3e-4"])
    assert script.to_command() == ["train.sh", "--lr", "3e-4"]
    assert script.to_command(with_entrypoint=True) == ["bash", "train.sh", "--lr", "3e-4"]
    assert script.get_name() == "train.sh"


def test_a_module_runs_with_python():
    for script in (
        run.Script("pkg.train", m=True, entrypoint="python", args=["a"]),
        run.Script("pkg.train", m=True, args=["a"]),
        run.Script("python -m pkg.train a"),
    ):
        assert script.to_command(with_entrypoint=True) == ["python", "-m", "pkg.train", "a"]


def test_a_python_file_runs_with_python_unless_something_else_is_named():
    assert run.Script("a/train.py").entrypoint == "python"
    assert run.Script("a/train.py", entrypoint="python3.12").entrypoint == "python3.12"
    assert run.Script("a/train.py", entrypoint="torchrun").entrypoint == "torchrun"
    assert run.Script("a/train.sh").entrypoint == "bash"
    assert run.Script("a/train").entrypoint == "bash"


@pytest.mark.parametrize(
    ("line", "entrypoint", "path", "args", "m"),
    [
        ("python train.py --lr=3e-4", "python", "train.py", ["--lr=3e-4"], False),
        ("python3 -u 'my train.py' \"a b\"", "python3 -u", "my train.py", ["a b"], False),
        (
            "/opt/py/bin/python3.11 -m pkg.train -x",
            "/opt/py/bin/python3.11",
            "pkg.train",
            ["-x"],
            True,
        ),
        ("bash -e run.sh 1", "bash -e", "run.sh", ["1"], False),
        ("./train.sh --fast", "bash", "./train.sh", ["--fast"], False),
        ("train.py --fast", "python", "train.py", ["--fast"], False),
    ],
)
def test_a_command_line_given_as_path_is_understood(line, entrypoint, path, args, m):
    script = run.Script(line, args=["more"])
    assert (script.entrypoint, script.path, script.m) == (entrypoint, path, m)
    assert script.args == [*args, "more"]
    words = [*shlex.split(entrypoint), *(["-m"] if m else []), path, *args, "more"]
    assert script.to_command(with_entrypoint=True) == words
    assert build(script.to_config()) == script, "made again from its fields, it is the same"


@pytest.mark.parametrize(
    "line",
    [
        "torchrun --nproc-per-node 2 train.py",
        "python train.py && echo done",
        "python -c 'print(1)'",
        "python -W error train.py",
        "echo hello",
        "python 'unclosed",
        "srun hostname",
    ],
)
def test_other_command_lines_are_refused_with_the_right_spelling(line):
    with pytest.raises(ArgumentError) as caught:
        run.Script(line)
    assert f"Script(inline={line!r})" in str(caught.value)
    assert run.Script(inline=line).inline == line


def test_a_file_with_a_space_in_its_name_is_a_file(tmp_path):
    file = tmp_path / "python train.sh"
    file.write_text("echo spaced")
    script = run.Script(str(file))
    assert script.path == str(file)
    assert output(script.to_command(with_entrypoint=True)) == "spaced\n"
    assert run.Script("/on the cluster/my run").path == "/on the cluster/my run"


def test_a_command_line_and_another_entrypoint_contradict():
    with pytest.raises(ArgumentError, match="Leave one of them out"):
        run.Script("python train.py", entrypoint="python3")
    assert run.Script("python train.py", entrypoint="python").path == "train.py"


def test_an_inline_program_keeps_every_character():
    text = 'printf \'%s|\' "$HOME_OF_TEST" \'a "b" $c\' "$@"\nexit 0\n'
    script = run.Script(inline=text, args=["x y", "$z", ""])
    shown = output(
        script.to_command(with_entrypoint=True), env={"HOME_OF_TEST": "h", "PATH": "/bin:/usr/bin"}
    )
    assert shown == 'h|a "b" $c|x y|$z||'


def test_an_inline_python_program_gets_its_arguments():
    script = run.Script(
        inline="import sys\nprint(sys.argv[1:], '\"quoted\"')",
        entrypoint=shlex.quote(sys.executable),
        args=["a b", "--x"],
    )
    assert output(script.to_command(with_entrypoint=True)) == "['a b', '--x'] \"quoted\"\n"


def test_an_inline_program_can_be_a_file(tmp_path):
    script = run.Script(inline="echo one $1", args=["two"])
    file = tmp_path / "new" / "job.sh"
    command = script.to_command(filename=str(file), is_local=True)
    assert command == [str(file), "two"]
    assert output(command) == "one two\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o700
    assert file.read_text() == "#!/usr/bin/env bash\necho one $1\n"
    away = script.to_command(with_entrypoint=True, filename=str(file))
    assert away == ["bash", "/nemo_run/scripts/job.sh", "two"]


def test_an_inline_program_keeps_its_own_first_line():
    assert run.Script(inline="#!/bin/dash\necho").file_text().startswith("#!/bin/dash\n")
    python = run.Script(inline="print(1)", entrypoint="python -u")
    assert python.file_text() == "#!/usr/bin/env python\nprint(1)\n"


def test_the_jobs_folder_is_replaced_where_it_begins_a_path_only():
    script = run.Script(
        inline="cd /nemo_run/code; ls /data/nemo_run /nemo_runs '/nemo_run' --x=/nemo_run ./nemo_run"  # noqa: E501
    )
    assert (
        "cd /lustre/$j/code; ls /data/nemo_run /nemo_runs '/lustre/$j' --x=/lustre/$j ./nemo_run"
        in script.file_text(substitute_rundir_path="/lustre/$j")
    )


def test_nothing_given_is_nothing():
    script = run.Script("a.sh", args=None, env=None, metadata=None)
    assert (script.args, script.env, script.metadata) == ([], {}, {})
    assert script == run.Script("a.sh")


def test_arguments_become_texts_and_what_cannot_is_refused(tmp_path):
    script = run.Script("a.sh", args=[0, 0.5, tmp_path, ""], env={"N": 0, "P": tmp_path, "E": ""})
    assert script.args == ["0", "0.5", str(tmp_path), ""]
    assert script.env == {"N": "0", "P": str(tmp_path), "E": ""}
    with pytest.raises(ArgumentError, match=r"args\[1\] of Script is None"):
        run.Script("a.sh", args=["a", None])
    with pytest.raises(ArgumentError, match=r"env\['TOKEN'\] of Script is None"):
        run.Script("a.sh", env={"TOKEN": None})
    with pytest.raises(ArgumentError, match="is True"):
        run.Script("a.sh", env={"FLAG": True})
    with pytest.raises(ArgumentError, match=r"Write args=\['--lr', '1'\]"):
        run.Script("a.sh", args="--lr 1")
    for name in ("", "A=B", 3):
        with pytest.raises(ArgumentError, match="env of Script has the name"):
            run.Script("a.sh", env={name: "x"})


def test_one_of_path_and_inline_is_needed():
    with pytest.raises(ArgumentError, match="neither was given"):
        run.Script()
    with pytest.raises(ArgumentError, match="neither was given"):
        run.Script(inline="  \n")
    with pytest.raises(ArgumentError, match="both were given"):
        run.Script("a.sh", inline="echo")


def test_an_entrypoint_is_needed_and_modules_need_python():
    with pytest.raises(ArgumentError, match="entrypoint of Script is empty"):
        run.Script("a.sh", entrypoint="")
    with pytest.raises(ArgumentError, match="needs a Python entrypoint"):
        run.Script("pkg.mod", m=True, entrypoint="torchrun")
    with pytest.raises(ArgumentError, match="no inline"):
        run.Script(inline="print(1)", m=True, entrypoint="python")


def test_names():
    assert run.Script("/a/b/train.py").get_name() == "train.py"
    assert run.Script(inline="  echo 'hello world'").get_name() == "echo__hell"


def test_a_script_is_a_configuration_too():
    script = run.Script("a.sh", args=["x"])
    cfg = script.to_config()
    cfg.args.append("y")
    assert build(cfg).args == ["x", "y"]
    assert script.args == ["x"]


@pytest.mark.parametrize("given", [{"path": 5}, {"path": b"x"}, {"path": "x.sh", "entrypoint": 5}])
def test_fields_that_are_no_text_are_named(given):
    with pytest.raises(ArgumentError, match="of Script must be text"):
        run.Script(**given)


def test_no_inline_program_is_as_good_as_an_empty_one():
    assert run.Script("train.sh", inline=None).inline == ""
