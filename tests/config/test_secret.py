"""A secret is its name, whatever is done with it."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any, Optional

import pytest

import nemo_run as run
from nemo_run.config import YamlSerializer, ZlibJSONSerializer, build
from nemo_run.config.checks.check import check_task
from nemo_run.config.files import codec
from nemo_run.config.files.covering import covered, secrets_of
from nemo_run.config.files.layers import overrides_of, task_of
from nemo_run.config.files.load import load
from nemo_run.config.files.written_forms import export
from nemo_run.config.overrides.apply import apply
from nemo_run.config.secret import looked_up, secrets_in
from nemo_run.config.values.parse import parse
from nemo_run.exceptions import ArgumentError, CheckError, OverrideError

SECRETS = [
    run.Secret("HF_TOKEN"),
    run.Secret("HF_TOKEN", env="MY_TOKEN"),
    run.Secret("HF_TOKEN", file="/etc/token"),
    run.Secret("HF_TOKEN", keyring="hub/me"),
]


def train(token: str, other: Optional[str] = None, many: tuple[str, ...] = (), n: int = 1) -> str:  # noqa: UP045
    return token


def task(secret: run.Secret) -> run.Partial:
    return run.Partial(train, token=secret, other=secret, many=("a", secret))


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
def test_it_is_shown_copied_and_compared_by_its_name(secret: run.Secret) -> None:
    again = pickle.loads(pickle.dumps(secret))
    for same in (again, copy.copy(secret), copy.deepcopy(secret)):
        assert same == secret == run.Secret("HF_TOKEN")
        assert hash(same) == hash(run.Secret("HF_TOKEN"))
        assert repr(same) == str(same) == f"{same}" == repr(secret)
    assert secret != run.Secret("OTHER")
    with pytest.raises(AttributeError):
        secret.name = "x"  # type: ignore[misc]


@pytest.mark.parametrize("secret", SECRETS, ids=repr)
def test_it_is_written_and_read_as_its_name(secret: run.Secret, tmp_path: Path) -> None:
    graph = task(secret)
    for again in (
        codec.loads(codec.dumps(graph)),
        ZlibJSONSerializer().deserialize(ZlibJSONSerializer().serialize(graph)),
        YamlSerializer().deserialize(YamlSerializer().serialize(graph)),
    ):
        assert again == graph
        assert [repr(one) for one in secrets_in(again)] == [repr(secret)]
        assert repr(again.many[1]) == repr(secret)
    for form in ("yaml", "toml", "json"):
        loaded = load(str(export(graph, str(tmp_path / f"task.{form}"))))
        for again in (task_of(loaded), apply(run.Partial(train), overrides_of(loaded, train))):
            assert again == graph
            assert [repr(one) for one in secrets_in(again)] == [repr(secret)]
    executor = run.LocalExecutor(env_vars={"HF_TOKEN": secret})
    read = codec.loads(codec.dumps(executor)).resolve()
    assert repr(read.env_vars) == repr(executor.env_vars)


def test_documents_show_it_though_the_argument_is_secret_by_name() -> None:
    document = json.loads(codec.dumps(task(run.Secret("HF_TOKEN"))))
    assert covered(document) == document
    assert secrets_of(document) == set()


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a b"},
        {"name": "hf-Abcdefgh"},
        {"name": ""},
        {"name": 3},
        {"name": "A", "env": "a-b"},
        {"name": "A", "file": ""},
        {"name": "A", "file": 3},
        {"name": "A", "keyring": "alone"},
        {"name": "A", "env": "B", "file": "/x"},
    ],
)
def test_what_is_no_name_is_refused_and_not_repeated(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as error:
        run.Secret(**given)
    assert "hf-Abcdefgh" not in str(error.value)


def test_a_check_takes_it_for_a_text() -> None:
    check_task(task(run.Secret("A")))
    with pytest.raises(CheckError, match="int is expected"):
        check_task(run.Partial(train, token="x", n=run.Secret("A")))


def test_building_keeps_it_unless_a_task_runs_right_here() -> None:
    secret = run.Secret("A")
    config = run.Config(dict, a=secret, inner=[run.Config(dict, b=secret)])
    assert build(config) == {"a": secret, "inner": [{"b": secret}]}
    with looked_up(lambda one: f"value of {one.name}"):
        assert build(config)["inner"] == [{"b": "value of A"}]
    assert build(config)["a"] is secret
    executor = build(run.Config(run.LocalExecutor, env_vars={"A": secret}))
    assert executor.env_vars == {"A": secret}


def test_one_name_at_two_places_is_no_name() -> None:
    with pytest.raises(ArgumentError, match="one name and two places"):
        secrets_in([run.Secret("A"), run.Secret("A", file="/x")])


@pytest.mark.parametrize(
    ("text", "hint", "expected"),
    [
        ("Secret(HF_TOKEN)", str, "Secret('HF_TOKEN')"),
        ("run.Secret(HF_TOKEN)", Optional[str], "Secret('HF_TOKEN')"),  # noqa: UP045
        ("Secret(A, file=~/my key)", str, "Secret('A', file='~/my key')"),
        ("Secret('A', keyring=hub/me)", Any, "Secret('A', keyring='hub/me')"),
        ("[x, Secret(A)]", list[str], "['x', Secret('A')]"),
        ("{K: Secret(A, env=B)}", dict[str, str], "{'K': Secret('A', env='B')}"),
        ("'Secret(A)'", Any, "'Secret(A)'"),
        ("MySecret(A)", str, "'MySecret(A)'"),
        ("Secret (A)", str, "'Secret (A)'"),
    ],
)
def test_a_text_may_name_one(text: str, hint: Any, expected: str) -> None:
    assert repr(parse(text, hint)) == expected


@pytest.mark.parametrize("text", ["Secret()", "Secret(A, B)", "Secret(A, x=1)", "Secret(a-b)"])
def test_a_text_that_names_none_is_refused(text: str) -> None:
    with pytest.raises(OverrideError):
        parse(text, str)


def test_a_profile_names_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    file.write_text(
        """
        [tool.nemo-run.executors.a]
        executor = "local"
        env_vars = { HF_TOKEN = { secret = "TOKEN" }, B = "plain" }
        [tool.nemo-run.executors.b]
        extends = "a"
        env_vars = { B = { secret = "B", file = "~/b" } }
        [tool.nemo-run.executors.bad]
        executor = "local"
        env_vars = { B = { secret = "no name" } }
        """
    )
    assert repr(run.executor_profile("a").env_vars) == "{'HF_TOKEN': Secret('TOKEN'), 'B': 'plain'}"
    found = repr(run.executor_profile("b").env_vars)
    assert found == "{'HF_TOKEN': Secret('TOKEN'), 'B': Secret('B', file='~/b')}"
    with pytest.raises(OverrideError, match=r"pyproject\.toml:\d+: bad\.env_vars\.B"):
        run.executor_profile("bad")
