"""A script that ends in ``run.cli.main``: what it runs, what it prints, how it ends."""

from __future__ import annotations

import json
import sys

import pytest
from scripts import TRAIN

from nemo_run.management import store


@pytest.fixture
def script(folder):
    folder.write("train.py", TRAIN)
    return lambda *words, **more: folder.python("train.py", *words, **more)


def test_values_reach_the_function_and_nothing_is_kept_without_an_executor(script, home):
    done = script("model.layers=64", "lr=1e-3", "note=a=b %s\n#|\"'é\\", "--yes")
    assert (done.code, done.err) == (0, "")
    assert done.out == "layers=64 width=8 lr=0.001 note='a=b %s\\n#|\"\\'é\\\\'\n"
    assert not home.exists()


def test_a_dry_run_shows_the_task_and_runs_nothing(script):
    done = script("model.layers=64", "--dryrun")
    assert done.code == 0
    assert "layers = 64" in done.out
    assert "width=" not in done.out


def test_with_an_executor_the_run_is_recorded_and_its_output_shown(script, home):
    done = script("model.layers=3", "run.executor=local", "run.name=first", "--yes")
    assert done.code == 0, done.err
    assert "layers=3 width=8" in done.out
    (record,) = [store.find(path.name) for path in (home / "experiments" / "first").iterdir()]
    assert [job["id"] for job in record.jobs] == ["first"]


def test_an_unknown_executor_is_answered_with_all_that_there_are(script, error_snapshot):
    done = script("model.layers=3", "run.executor=lokal", "--yes")
    assert (done.code, done.out) == (2, "")
    error_snapshot("main: unknown executor", done.err)


def test_verbose_adds_the_traceback_of_a_refusal(script):
    done = script("model.layer=64", "--yes", "--verbose")
    assert done.code == 2
    assert done.err.startswith("Traceback")
    assert "Did you mean 'layers'?" in done.err.splitlines()[-1]


def test_an_error_of_the_function_is_its_own_traceback_and_code_1(script):
    done = script("model.layers=1", "fail=raise", "--yes")
    assert done.code == 1
    lines = done.err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "RuntimeError: no luck"
    assert [line for line in lines if "File" in line and "train.py" not in line] == []
    assert "nemo_run" in script("model.layers=1", "fail=raise", "--yes", "-v").err


def test_a_failure_under_an_executor_is_code_1_with_the_traceback_of_the_job(script):
    done = script("model.layers=1", "fail=raise", "run.executor=local", "--yes")
    assert done.code == 1
    assert "RuntimeError: no luck" in done.err
    assert "nemo-run experiment logs" in done.err


def test_an_exit_of_the_function_is_the_exit_of_the_script(script):
    assert script("model.layers=1", "fail=exit", "--yes").code == 7


def test_json_is_one_document_on_standard_output(script):
    direct = script("model.layers=3", "--yes", "--json")
    assert direct.code == 0
    assert direct.json["id"] is None
    assert direct.json["state"] == "SUCCEEDED"
    assert direct.json["results"] == {"train": 24}
    assert "layers=3" in direct.err
    recorded = script("model.layers=3", "run.executor=local", "--yes", "--json")
    assert recorded.json["state"] == "SUCCEEDED"
    assert [(job["id"], job["state"]) for job in recorded.json["jobs"]] == [("train", "SUCCEEDED")]
    assert recorded.json["results"] == {"train": 24}
    assert store.find(recorded.json["id"]).id == recorded.json["id"]


def test_json_tells_of_a_failure_too(script):
    direct = script("model.layers=3", "fail=raise", "--yes", "--json")
    assert direct.code == 1
    assert direct.json["jobs"][0]["state"] == "FAILED"
    assert direct.json["jobs"][0]["message"] == "RuntimeError: no luck"
    recorded = script("model.layers=3", "fail=raise", "run.executor=local", "--yes", "--json")
    assert recorded.code == 1
    assert recorded.json["jobs"][0]["state"] == "FAILED"
    assert recorded.json["results"] == {}


def test_json_of_a_dry_run_is_the_plan(script):
    here = script("model.layers=3", "--dryrun", "--json")
    assert here.json["dryrun"] is True
    assert here.json["configuration"]["model"]["layers"] == 3
    planned = script("model.layers=3", "--dryrun", "--json", "run.executor=local")
    assert planned.json["title"] == "train"
    assert [job["id"] for job in planned.json["jobs"]] == ["train"]


def test_quiet_says_nothing_of_ours(script):
    done = script("model.layers=3", "run.executor=local", "--yes", "--quiet")
    assert done.code == 0
    assert done.err == ""
    assert done.out == "layers=3 width=8 lr=0.1 note=''\n"


def test_without_tail_logs_the_output_stays_in_the_record(script):
    done = script("model.layers=3", "run.executor=local", "--yes", "--no-tail-logs")
    assert done.code == 0
    assert "layers=3" not in done.out + done.err


def test_detached_the_script_returns_and_the_run_goes_on_without_an_executor_named(script):
    done = script("model.layers=3", "--detach", "--yes", "--json")
    assert done.code == 0, done.err
    done_id = done.json["id"]
    finished = script_status(done_id)
    assert finished == "SUCCEEDED"


def script_status(experiment: str) -> str:
    import nemo_run as run

    run.Experiment.from_id(experiment).wait()
    return str(store.find(experiment).status().state)


def test_direct_runs_here_though_there_is_an_executor_and_asks_nobody(script, home):
    done = script("model.layers=3", "run.executor=local", "--direct")
    assert (done.code, done.err) == (0, "")
    assert "layers=3" in done.out
    assert not (home / "experiments").exists()


def test_the_configuration_is_printed_and_can_be_given_back(script, folder):
    printed = script("model.layers=3", "note=a: [b]", "--cfg")
    folder.write("again.yaml", printed.out)
    assert script("--config", "again.yaml", "--cfg").out == printed.out
    changed = script("--config", "again.yaml", "lr=0.5", "--cfg", "--json").json
    assert changed == {**script("-c", "again.yaml", "--cfg", "--json").json, "lr": 0.5}


def test_the_configuration_is_written_in_every_form_that_is_asked_for(script, folder):
    wanted = ["--export", "a.toml", "--to-json", "b.txt", "--export", "part.yaml:model"]
    done = script("model.layers=3", *wanted)
    assert done.code == 0, done.err
    direct = script("model.layers=3", "--yes").out
    assert script("--config", "a.toml", "--yes").out == direct
    assert '"layers": 3' in (folder.path / "b.txt").read_text()
    assert script("model=@part.yaml", "--yes").out == direct


def test_a_file_in_a_folder_that_is_not_there_is_refused(script, folder):
    done = script("model.layers=3", "--export", "nowhere/a.toml")
    assert done.code == 1
    assert "No such file or directory: nowhere/a.toml" in done.err
    assert not (folder.path / "nowhere").exists()


def test_files_are_laid_over_each_other_and_the_command_line_over_them(script, folder):
    folder.write("base.yaml", "model: {layers: 5, width: 6}\nlr: 0.5\nrun: {name: base}\n")
    folder.write("more.toml", "[model]\nwidth = 7\n")
    done = script("--config", "base.yaml", "--yaml", "more.toml", "lr=0.25", "--yes")
    assert done.out == "layers=5 width=7 lr=0.25 note=''\n"


def test_explain_tells_the_chain_from_the_default_to_the_command_line(script, folder):
    folder.write("base.yaml", "lr: 0.5\n")
    chain = script("-c", "base.yaml", "lr=0.25", "--explain", "lr", "--json").json["lr"]
    assert [(said["kind"], said["value"]) for said in chain] == [
        ("default", 0.1),
        ("file", 0.5),
        ("command line", 0.25),
    ]
    assert (chain[1]["file"], chain[1]["line"]) == ("base.yaml", 1)
    shown = script("-c", "base.yaml", "lr=0.25", "--explain", "lr").out
    assert "base.yaml:1" in shown
    assert "command line" in shown


def test_the_script_works_by_its_absolute_path_from_another_folder(folder, tmp_path):
    file = folder.write("train.py", TRAIN)
    other = folder.path / "elsewhere"
    other.mkdir()
    done = folder.run(
        "sh", "-c", f"cd {other} && {sys.executable} {file} model.layers=1 run.executor=local -y"
    )
    assert done.code == 0, done.err
    assert "layers=1" in done.out


def test_help_comes_in_time_and_imports_nothing_heavy(folder):
    folder.write("train.py", TRAIN)
    folder.write(
        "probe.py",
        """
        import json, runpy, sys
        sys.argv = ["train.py", "--help"]
        try:
            runpy.run_path("train.py", run_name="__main__")
        except SystemExit as end:
            assert not end.code
        print(json.dumps(sorted(sys.modules)))
        """,
    )
    out = folder.python("probe.py").out
    assert "What is trained." in out
    assert "--explain KEY" in out
    modules = set(json.loads(out.splitlines()[-1]))
    assert not modules & {"rich", "yaml", "jinja2", "fiddle", "torch", "asyncio", "sqlite3"}
    assert not any(name.startswith("nemo_run.execution") for name in modules)


PLUGGED = """
    from dataclasses import dataclass

    import nemo_run as run


    @dataclass(kw_only=True)
    class Doubled(run.Plugin):
        times: int = 2

        def setup(self, task, executor):
            task.lr *= self.times
            executor.env_vars["DOUBLED"] = str(self.times)


    def train(lr: float = 0.5) -> list:
        import os

        return [lr, os.environ.get("DOUBLED"), os.environ.get("TEAM")]


    def recipe(lr: float = 0.25):
        print("made once")
        return run.Partial(train, lr=lr)


    if __name__ == "__main__":
        run.cli.main(
            train,
            default_factory=recipe,
            default_executor=run.Config(run.LocalExecutor, env_vars={"TEAM": "red"}),
            default_plugins=run.Config(Doubled),
        )
"""


def test_defaults_of_the_script_hold_and_the_command_line_goes_on_top_of_them(folder):
    folder.write("train.py", PLUGGED)
    plain = folder.python("train.py", "--yes", "--json")
    assert plain.json["results"] == {"train": [0.5, "2", "red"]}
    assert plain.err.count("made once") == 1
    words = ["lr=1", "run.plugins.times=3", "run.executor.env_vars.TEAM=blue"]
    assert folder.python("train.py", *words, "--yes", "--json").json["results"] == {
        "train": [3.0, "3", "blue"]
    }
    here = folder.python("train.py", "--direct", "--json")
    assert here.json["results"] == {"train": [0.5, "2", "red"]}


def test_explain_goes_on_to_the_plugin_and_knows_the_executor(folder):
    folder.write("train.py", PLUGGED)
    keys = ["--explain", "lr", "--explain", "run.executor.env_vars"]
    said = folder.python("train.py", "lr=1", "run.executor.env_vars.TEAM=blue", *keys, "--json")
    assert said.code == 0, said.err
    document = said.json
    kinds = [one["kind"] for one in document["lr"]]
    assert kinds == ["default", "factory", "command line", "plugin"]
    assert [one["value"] for one in document["lr"]] == [0.5, 0.25, 1.0, 2.0]
    assert document["run.executor.env_vars"][-1]["kind"] == "command line"


def test_of_a_sweep_the_configuration_of_the_first_point_is_shown_and_that_said(script):
    done = script("model.layers=3", "lr=choice(0.5,0.25)", "--sweep", "--cfg", "--json")
    assert done.json["lr"] == 0.5
    assert done.err == "Of 2 points this is lr=0.5.\n"


def test_a_recipe_of_fiddle_is_a_beginning_like_any_other(folder):
    pytest.importorskip("fiddle")
    folder.write(
        "fid.py",
        """
        import fiddle as fdl
        import nemo_run as run

        class Model:
            def __init__(self, width: int = 1):
                self.width = width

        def train(model: Model, lr: float = 0.1) -> list:
            return [model.width, lr]

        def recipe():
            return fdl.Partial(train, model=fdl.Config(Model, width=5))

        if __name__ == "__main__":
            run.cli.main(train, default_factory=recipe)
        """,
    )
    words = ["model.width+=2", "lr=2", "--yes", "--json"]
    assert folder.python("fid.py", *words).json["results"] == {"train": [7, 2.0]}
    recorded = folder.python("fid.py", *words, "run.executor=local")
    assert recorded.json["results"] == {"train": [7, 2.0]}
    chain = folder.python("fid.py", "--explain", "model.width", "--json").json["model.width"]
    assert [said["value"] for said in chain][-1] == 5
    assert chain[-1]["file"].endswith("fid.py")


def test_the_entrypoint_of_a_function_is_a_program_too(folder):
    folder.write(
        "train.py", TRAIN.replace("run.cli.main(train)", "run.cli.Entrypoint(train).main()")
    )
    assert folder.python("train.py", "model.layers=1", "--yes").code == 0
    assert folder.python("train.py", "model.layer=1", "--yes").code == 2
    assert folder.python("train.py", "model.layers=1", "fail=raise", "--yes").code == 1


def test_what_the_decorator_says_holds_where_main_says_nothing(folder):
    plugins = "default_plugins=run.Config(Doubled)"
    text = PLUGGED.replace(f"            {plugins},\n", "            help='Help.',\n")
    text = text.replace("def train(", f"@run.cli.entrypoint({plugins})\n    def train(", 1)
    folder.write("train.py", text)
    assert folder.python("train.py", "--yes", "--json").json["results"] == {
        "train": [0.5, "2", "red"]
    }
    assert "Help." in folder.python("train.py", "--help").out
