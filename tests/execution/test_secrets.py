"""Secrets are found where they are said to be, and plans hold their names only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run import masking
from nemo_run.exceptions import ArgumentError, CorruptRecordError, PlanError, SecretError
from nemo_run.execution import secrets
from nemo_run.execution.jobspec import JobSpec, Member

VALUE = "hf_planned-4711-'\"$x"
NAME = "TEST_PLANNED"


def train(token: str = "", other: str = "") -> None:
    """What nobody calls here."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv(NAME, VALUE)
    subprocess.run(["git", "init", "-q"], check=True)
    return folder


def planned(task, executor=None, **more):
    experiment = run.Experiment("planned", clean_mode=True)
    experiment.add(task, executor or run.LocalExecutor(), name="job", **more)
    return experiment._plan()


def shell(**env) -> run.Script:
    return run.Script(inline="true", env=env)


def test_a_plan_names_secrets_and_holds_none(repository: Path) -> None:
    token = run.Secret(NAME)
    executor = run.LocalExecutor(env_vars={"HF_TOKEN": token, "PLAIN": "1"})
    plan = planned(run.Partial(train, token=token), executor)
    (job,) = plan.jobs
    (member,) = job.spec.members
    assert job.spec.secrets == {NAME: f"env:{NAME}"}
    assert member.secrets == {"HF_TOKEN": NAME, f"NEMORUN_SECRET_{NAME}": NAME}
    assert "HF_TOKEN" not in member.environment
    assert member.environment["PLAIN"] == "1"
    text = plan.text(full=True)
    assert VALUE not in text
    assert f"Secret('{NAME}')" in text
    assert JobSpec.from_json(json.loads(json.dumps(job.spec.to_json()))).secrets == job.spec.secrets


def test_the_hash_of_a_plan_does_not_depend_on_the_value(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = run.Partial(train, token=run.Secret(NAME))
    first = planned(task).hash
    monkeypatch.setenv(NAME, "another-value-of-it")
    assert planned(task).hash == first


def test_what_comes_last_says_what_a_variable_is(repository: Path) -> None:
    secret = run.Secret(NAME)
    plan = planned(shell(A="plain", B=secret), run.LocalExecutor(env_vars={"A": secret, "B": "b"}))
    (member,) = plan.jobs[0].spec.members
    assert (member.environment["A"], member.secrets) == ("plain", {"B": NAME})
    assert "B" not in member.environment


def test_a_secret_that_is_not_there_is_said_before_anything_is_sent(
    repository: Path, home: Path, error_snapshot
) -> None:
    (repository / "empty").touch()
    (repository / ".gitignore").write_text("empty\n")
    sayings = []
    for secret in (
        run.Secret("TEST_ABSENT"),
        run.Secret("TEST_ABSENT", file="nowhere"),
        run.Secret("TEST_ABSENT", file="empty"),
    ):
        with pytest.raises(SecretError) as error:
            planned(shell(A=secret))
        assert isinstance(error.value, PlanError)
        sayings.append(str(error.value).replace(str(repository), "<project>"))
    assert not (home / "experiments").exists()
    error_snapshot("secrets that are not there", "\n".join(sayings))


def test_a_secret_comes_from_a_file_whose_last_newline_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("two\nlines\n")
    source = secrets.source_of(run.Secret("KEY", file="key"), str(tmp_path))
    assert source == f"file:{tmp_path}/key"
    assert secrets.value("KEY", source) == "two\nlines"


def test_a_secret_comes_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    source = secrets.source_of(run.Secret("KEY", keyring="hub/me"), "/")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(SecretError, match="pip install keyring"):
        secrets.value("KEY", source)
    ring = types.ModuleType("keyring")
    known = {("hub", "me"): "from the ring"}
    monkeypatch.setattr(ring, "get_password", lambda *who: known.get(who), raising=False)
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert secrets.value("KEY", source) == "from the ring"
    with pytest.raises(SecretError, match="keyring set hub you"):
        secrets.value("KEY", "keyring:hub/you")


@pytest.mark.parametrize(
    ("task", "where"),
    [
        (lambda: run.Partial(train, token=run.Secret(NAME), other=f"--x {VALUE}"), "task.json"),
        (lambda: shell(A=run.Secret(NAME), B=f"Bearer {VALUE}"), "the variable B"),
        (
            lambda: run.Script(inline=f"curl -H '{VALUE}'", env={"A": run.Secret(NAME)}),
            "scripts/",
        ),
        (
            lambda: run.Script("/bin/true", args=[VALUE], env={"A": run.Secret(NAME)}),
            "the command",
        ),
    ],
)
def test_a_value_in_plain_text_is_refused(repository: Path, task, where: str) -> None:
    with pytest.raises(SecretError, match="in plain text") as error:
        planned(task())
    assert where in str(error.value)
    assert VALUE not in str(error.value)


def test_a_value_in_the_code_that_travels_is_refused(repository: Path) -> None:
    (repository / "settings.env").write_text(f"{NAME}={VALUE}\n")
    code = run.LocalExecutor(packager=run.GitArchivePackager())
    with pytest.raises(SecretError, match=r"settings\.env, which is part of the code"):
        planned(shell(A=run.Secret(NAME)), code)
    (repository / ".gitignore").write_text("*.env\n")
    planned(shell(A=run.Secret(NAME)), code)


def test_a_file_of_a_secret_that_would_travel_is_refused(repository: Path) -> None:
    (repository / "key").write_text("in-a-file-12345")
    code = run.LocalExecutor(packager=run.GitArchivePackager())
    with pytest.raises(SecretError, match=r"Name it in \.gitignore"):
        planned(shell(A=run.Secret("KEY", file="key")), code)
    (repository / ".gitignore").write_text("key\n")
    planned(shell(A=run.Secret("KEY", file="key")), code)


def test_one_name_is_one_value(repository: Path) -> None:
    with pytest.raises(PlanError, match="a name stands for one value"):
        planned(shell(A=run.Secret(NAME), B=run.Secret(NAME, file="/etc/hostname")))


def test_a_variable_that_no_shell_can_hold_is_refused(repository: Path) -> None:
    with pytest.raises(PlanError, match="a-b"):
        planned(shell(**{"a-b": run.Secret(NAME)}))


def test_a_secret_among_the_arguments_of_a_script_is_refused() -> None:
    with pytest.raises(ArgumentError, match="everybody on the machine"):
        run.Script("x.sh", args=["--token", run.Secret(NAME)])  # type: ignore[list-item]


@pytest.mark.parametrize("command", ["srun", "request"])
def test_commands_that_would_show_a_secret_are_refused(command: str, tmp_path: Path) -> None:
    executor = run.SlurmExecutor(account="a", env_vars={"HF_TOKEN": run.Secret(NAME)})
    executor.job_dir = str(tmp_path)
    executor.job_name = "x"
    from nemo_run.execution.slurm import interactive
    from nemo_run.execution.slurm.request import SlurmBatchRequest

    with pytest.raises(PlanError, match="others can read"):
        if command == "srun":
            interactive.program(executor, "true", job_name="x")
        else:
            SlurmBatchRequest(
                launch_cmd=["sbatch"],
                jobs=["x"],
                command_groups=[["true"]],
                executor=executor,
                max_retries=0,
            ).materialize()


@pytest.mark.parametrize(
    "damage",
    [
        {"secrets": {"x; touch /tmp/oops": "env:A"}},
        {"secrets": {}, "members": [{"name": "a", "secrets": {"A": "B"}}]},
        {"members": [{"name": "a", "secrets": {"A$(id)": "B"}}]},
    ],
)
def test_a_damaged_plan_puts_nothing_into_a_script(damage: dict) -> None:
    member = Member("a", "/x", ("true",))
    data = JobSpec("e", "j", "local", "/x", (member,), secrets={"B": "env:A"}).to_json()
    members = [{**data["members"][0], **one} for one in damage.pop("members", [{}])]
    with pytest.raises(CorruptRecordError):
        JobSpec.from_json({**data, **damage, "members": members})


def test_values_that_were_looked_up_are_covered_wherever_something_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TEST_COVERED", "covered-value'4711")
    secrets.value("KEY", "env:TEST_COVERED")
    spelled = "a covered-value'4711 b"
    assert masking.mask_all({"PLAIN": spelled}) == {"PLAIN": "a *** b"}
    assert masking.mask_arguments(["--x", spelled]) == ["--x", "a *** b"]
    assert masking.without("covered-value'\\''4711", ()) == "***"
    assert masking.is_secret("NEMORUN_SECRET_SOMETHING_FILE")


def test_variables_that_hold_a_value_are_hidden_from_engines() -> None:
    values = {"LONG": "a-long-value", "SHORT": "b"}
    environment = {"A": "Bearer a-long-value", "B": "b", "PATH": "/bin:/usr/bin"}
    assert secrets.hidden(values, environment) == {"A", "B"}


def test_the_environment_of_the_launcher_is_told_without_it(repository: Path) -> None:
    os.environ["NEMO_OF_THIS_TEST"] = f"x={VALUE}"
    try:
        source = "run.Script(inline='true', env={'A': run.Secret('TEST_PLANNED')})"
        program = f"import nemo_run as run; run.run({source}, run.LocalExecutor(), name='told')"
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    finally:
        del os.environ["NEMO_OF_THIS_TEST"]
    from nemo_run.management.store import find

    text = (find("told").path / "experiment.json").read_text()
    assert '"NEMO_OF_THIS_TEST": "x=***"' in text
    assert VALUE not in text
