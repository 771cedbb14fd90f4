"""``nemo-run experiment rerun``: the code of then, with other values or elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from repeating import Project, project

from nemo_run.management import store
from nemo_run.packaging.store import CodeStore

__all__ = ["project"]


def ended(experiment: str) -> dict[str, str]:
    """Return the states of an experiment's jobs when it is over."""
    deadline = time.monotonic() + 60
    while store.find(experiment).status().ended is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return {job.id: str(job.state) for job in store.find(experiment).status().jobs.values()}


def meta(project: Project, experiment: str) -> dict:
    return json.loads((project.record(experiment) / "experiment.json").read_text())


def rerun(project: Project, *words: str) -> str:
    done = project.experiment("rerun", *words)
    assert done.code == 0, done.err
    new = done.out.strip()
    assert ended(new) == {"train": "SUCCEEDED", "check": "SUCCEEDED"}
    return new


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_code_is_that_of_then_byte_for_byte(project: Project) -> None:
    (project.path / "data.bin").write_bytes(bytes(range(256)) + b"\r\n")
    first = project.launch(0.1)
    before = files_of(project.record(first) / "jobs/train/code")
    assert before["data.bin"] == bytes(range(256)) + b"\r\n"
    # Since then everything has changed, and cannot even be imported.
    (project.path / "model.py").write_text("raise RuntimeError('the code of today')\n")
    (project.path / "data.bin").unlink()
    (project.path / "later.py").write_text("")
    new = rerun(project, first, "model.lr=0.5")
    parent, child = meta(project, first), meta(project, new)
    assert [job["code"] for job in child["jobs"]] == [job["code"] for job in parent["jobs"]]
    assert files_of(project.record(new) / "jobs/train/code") == before
    assert (child["rerun_of"], child["rerun_overrides"]) == (first, ["model.lr=0.5"])
    assert "rerun_executor" not in child
    result = json.loads((project.record(new) / "jobs/train/result.json").read_text())
    assert result["value"]["accuracy"] == 1.5
    document = project.experiment("diff", first, new, "--json").json
    (change,) = document["configuration"]["changes"]
    assert (change["path"], change["new_from"]) == ("model.lr", "command line")
    assert not document["code"]["differs"]


def test_a_rerun_can_be_run_again(project: Project) -> None:
    first = project.launch(0.1)
    second = rerun(project, first, "train:model.width=4")
    third = rerun(project, second, "steps=10")
    assert meta(project, third)["rerun_of"] == second
    result = json.loads((project.record(third) / "jobs/train/result.json").read_text())
    assert result["value"] == {"accuracy": 1.0, "width": 4}


def test_where_it_runs_is_changed(project: Project) -> None:
    first = project.launch(0.1)
    (project.path / "nemo-run.toml").write_text(
        '[executors.here]\nexecutor = "local"\nenv_vars = {WHERE = "here"}\n'
    )
    words = ("--executor", "here", "run.executor.env_vars.MORE=1")
    new = rerun(project, first, *words)
    told = meta(project, new)
    assert told["rerun_executor"] == "here"
    spec = json.loads((project.record(new) / "jobs/check/spec.json").read_text())
    environment = spec["members"][0]["environment"]
    assert (environment["WHERE"], environment["MORE"]) == ("here", "1")
    assert told["jobs"][0]["code"]["tree"] == meta(project, first)["jobs"][0]["code"]["tree"]


def test_only_one_job_is_changed(project: Project) -> None:
    first = project.launch(0.1)
    new = rerun(project, first, "check:inline=true", "check:run.executor.env_vars.X=1")
    specs = {
        job: (project.record(new) / f"jobs/{job}/spec.json").read_text()
        for job in ("train", "check")
    }
    assert '"X": "1"' in specs["check"]
    assert '"X": "1"' not in specs["train"]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("model.lrr=1", "Did you mean 'lr'"),
        ("model.lr=much", "no float"),
        ("trian:steps=1", "Did you mean 'train'"),
        ("check:steps=1", "'steps'"),
        ("run.detach=true", "only the executor"),
        ("run.executor.ndoes=1", "Did you mean 'nodes'"),
        ("run.executor=nowhere", "no executor is called 'nowhere'"),
        ("steps", "has no '='"),
        ("steps=", "steps"),
    ],
)
def test_what_cannot_be_changed_is_a_sentence_and_starts_nothing(
    project: Project, word: str, says: str
) -> None:
    first = project.launch(0.1)
    done = project.experiment("rerun", first, word)
    assert done.code == 2
    assert says in done.err
    assert "Traceback" not in done.err
    assert project.ids == [first]


def test_a_dry_run_starts_nothing(project: Project) -> None:
    first = project.launch(0.1)
    done = project.experiment("rerun", first, "steps=7", "--dryrun")
    assert done.code == 0, done.err
    assert '"steps": 7' in done.out
    assert "hf_abcdef" not in done.out
    assert project.ids == [first]


def test_code_that_is_gone_is_a_sentence(project: Project) -> None:
    first = project.launch(0.1)
    shutil.rmtree(project.home / "code.git")
    done = project.experiment("rerun", first)
    assert done.code != 0
    assert "not in" in done.err
    assert project.ids == [first]


def test_code_is_copied_from_the_store_beside_the_record(project: Project, tmp_path: Path) -> None:
    first = project.launch(0.1)
    other = tmp_path / "their_home"
    shutil.copytree(project.home, other)
    shutil.rmtree(project.home / "code.git")
    tree = meta(project, first)["jobs"][0]["code"]["tree"]
    done = project.experiment("rerun", str(other / "experiments/digits" / first))
    assert done.code == 0, done.err
    assert CodeStore(project.home / "code.git").has(tree)
    deadline = time.monotonic() + 60
    folder = other / "experiments/digits" / done.out.strip()
    while not list(folder.glob("jobs/train/result.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_code_that_never_traveled_is_told_of(project: Project) -> None:
    text = (project.path / "launch.py").read_text()
    (project.path / "launch.py").write_text(text.replace("packager=run.GitArchivePackager(), ", ""))
    first = project.launch(0.1)
    source = (project.path / "model.py").read_text()
    (project.path / "model.py").write_text(source.replace("* steps", "* steps + 1"))
    done = project.experiment("rerun", first, "steps=10")
    assert "What runs is the code as it is now" in done.err
    new = done.out.strip()
    ended(new)
    result = json.loads((project.record(new) / "jobs/train/result.json").read_text())
    assert result["value"]["accuracy"] == 2.0


def test_python_runs_it_again(project: Project) -> None:
    first = project.launch(0.1)
    program = f"""
        import nemo_run as run
        from nemo_run.management import operations, store

        new = operations.rerun(store.find({first!r}), overrides=["steps=5"])
        assert new.wait() == "SUCCEEDED"
        assert new.results()["train"]["accuracy"] == 0.5
        again = run.Experiment.from_id({first!r}).reset()
        again.run(detach=True)
        assert again.wait() == "SUCCEEDED"
    """
    project.write("again.py", program)
    done = project.python("again.py")
    assert done.code == 0, done.err
    assert len(project.ids) == 3


def test_secrets_of_overrides_are_covered(project: Project) -> None:
    first = project.launch(0.1)
    new = rerun(project, first, "run.executor.env_vars.HF_TOKEN=hf_other1")
    assert "hf_other1" not in json.dumps(meta(project, new)["rerun_overrides"])
    text = subprocess.run(
        ["grep", "-l", "hf_other1", str(project.record(new) / "experiment.json")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert text.returncode == 1


MANY = """
    import nemo_run as run
    from model import Model, train

    if __name__ == "__main__":
        code = run.LocalExecutor(packager=run.GitArchivePackager())
        with run.Experiment("digits", executor=code) as exp:
            base = run.Partial(train, model=run.Config(Model), steps=1)
            exp.add([base, run.Script(inline="true")], name="pair")
            exp.add_sweep(run.sweep(base, {"model.lr": [0.1, 0.2]}), name="lr")
            exp.run()
"""


def test_groups_and_sweeps_are_changed(project: Project) -> None:
    project.write("launch.py", MANY)
    first = project.launch(0)
    jobs = [job["id"] for job in meta(project, first)["jobs"]]
    assert len(jobs) == 3
    member = meta(project, first)["jobs"][0]["members"][0]["name"]
    words = ("steps=10", f"pair/{member}:steps=5", f"{jobs[1]}:model.width=2", "model.lr=1")
    done = project.experiment("rerun", first, *words)
    assert done.code == 0, done.err
    new = done.out.strip()
    assert set(ended(new).values()) == {"SUCCEEDED"}
    folder = project.record(new) / "jobs"
    results = {
        job: json.loads(next((folder / job).rglob("result.json")).read_text())["value"]
        for job in jobs
    }
    assert results["pair"] == {"accuracy": 5.0, "width": 8}
    assert results[jobs[1]] == {"accuracy": 10.0, "width": 2}
    assert results[jobs[2]] == {"accuracy": 10.0, "width": 8}
    swept = [job["sweep"]["values"] for job in meta(project, new)["jobs"][1:]]
    assert [list(values.values()) for values in swept] == [[1], [1]]
    told = project.experiment("diff", first, new, "--json").json
    assert told["configuration"]["differs"]
