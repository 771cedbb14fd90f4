"""Code that travels with jobs of this machine: as it was when the experiment was written down."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import PackagingError, PlanError
from nemo_run.packaging import GitArchivePackager


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository with a script, and the launcher in it."""
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "say.sh").write_text("pwd; cat data.txt\n")
    (folder / "data.txt").write_text("committed\n")
    (folder / ".gitignore").write_text("ignored.sh\n")
    (folder / "ignored.sh").write_text("true\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


def experiment(*scripts: run.Script, packager: run.Packager | None = None) -> run.Experiment:
    made = run.Experiment("t", clean_mode=True)
    for number, script in enumerate(scripts):
        executor = run.LocalExecutor(packager=packager or GitArchivePackager())
        made.add(script, executor, name=f"job{number}")
    return made


def log(made: run.Experiment, job: str) -> str:
    return Path(made._exp_dir, "jobs", job, "logs/1/rank-0.log").read_text()


def test_a_job_has_the_working_state_of_its_submission(project: Path) -> None:
    (project / "data.txt").write_text("changed\n")
    made = experiment(run.Script("scripts/say.sh"), run.Script(inline="echo own >>data.txt"))
    plan = made.dryrun(log=False)
    made.run()
    folder, data = log(made, "job0").splitlines()
    assert folder == f"{made._exp_dir}/jobs/job0/code"
    assert data == "changed"
    # What one job writes into its folder is not seen by the others, nor by the project.
    assert (project / "data.txt").read_text() == "changed\n"
    assert Path(folder, "data.txt").read_text() == "changed\n"
    tree = made._plan_of_record("job0").code
    assert f"git tree {tree}" in plan.text()


def test_a_dry_run_keeps_nothing(project: Path, home: Path) -> None:
    experiment(run.Script("scripts/say.sh")).dryrun(log=False)
    assert not home.exists()


def test_code_that_changes_changes_the_plan(project: Path) -> None:
    def planned() -> str:
        return experiment(run.Script("scripts/say.sh")).dryrun(log=False).hash

    first = planned()
    assert planned() == first
    (project / "data.txt").write_text("other\n")
    assert planned() != first


def test_a_rerun_has_the_code_of_the_first_run(project: Path) -> None:
    made = experiment(run.Script("scripts/say.sh"))
    made.run()
    (project / "data.txt").write_text("later\n")
    again = run.Experiment.from_id(made.id).reset()
    again._manner = made._manner
    again.run()
    assert log(again, "job0").splitlines()[1] == "committed"
    assert again._plan_of_record("job0").code == made._plan_of_record("job0").code


def test_a_script_that_does_not_travel(project: Path) -> None:
    with pytest.raises(PlanError, match=r"'ignored.sh' does not travel.*ignored by git"):
        experiment(run.Script("ignored.sh")).dryrun(log=False)
    with pytest.raises(PlanError, match=r"no script 'scripts/sya.sh'.*'say.sh'"):
        experiment(run.Script("scripts/sya.sh")).dryrun(log=False)


def test_a_folder_that_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackagingError, match="PatternPackager"):
        experiment(run.Script(inline="true")).dryrun(log=False)


def test_members_of_a_group_share_their_code(project: Path) -> None:
    made = run.Experiment("t", clean_mode=True)
    scripts = [run.Script(inline="cat data.txt"), run.Script(inline="cat data.txt")]
    packagers = [GitArchivePackager(), GitArchivePackager(subpath="scripts")]
    made.add(scripts, [run.LocalExecutor(packager=one) for one in packagers])
    with pytest.raises(PlanError, match="share one code folder"):
        made.dryrun(log=False)


def test_the_packager_of_a_cluster_needs_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = experiment(run.Script(inline="pwd"), packager=GitArchivePackager(required=False))
    plan = made.dryrun(log=False)
    assert any("in no git repository, so no code travels" in one for one in plan.warnings)
    made.run()
    assert log(made, "job0").strip() == str(tmp_path)


def test_an_import_that_does_not_travel(project: Path) -> None:
    (project / "data").mkdir()
    (project / "data" / "__init__.py").write_text("")
    (project / "train.py").write_text("import data\n")
    (project / ".gitignore").write_text("data/\n")
    plan = experiment(run.Script("train.py", entrypoint="python")).dryrun(log=False)
    assert any("imports data" in one and "git-ignored" in one for one in plan.warnings), plan
