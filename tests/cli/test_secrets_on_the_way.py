"""What is secret by its name is shown nowhere on the way of a command, and the job still has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts import Done, Folder

# Long, and no part of anything else.
TOKEN = "hf_ThisIsNoWord4711"

SCRIPT = """\
import os

import nemo_run as run


def train(api_key: str = "", d: dict = {}, n: int = 1, pad_token: str = "<pad>") -> int:
    print("length", len(api_key or d.get("HF_TOKEN", "") or os.environ.get("HF_TOKEN", "")))
    return n


if __name__ == "__main__":
    run.cli.main(train)
"""


@pytest.fixture
def train(folder: Folder, program: list[str]):
    folder.write("train.py", SCRIPT)

    def run(*words: str, **environment: str) -> Done:
        return folder.run(*program, "run", "train.py:train", *words, **environment)

    return run


WAYS = [
    (f"api_key={TOKEN}",),
    (f"d={{HF_TOKEN: {TOKEN}}}",),
    (f"d.HF_TOKEN={TOKEN}",),
    (f"run.executor=local(env_vars={{HF_TOKEN: {TOKEN}}})",),
    ("run.executor=local", f"run.executor.env_vars={{HF_TOKEN: {TOKEN}, N: a}}"),
    ("run.executor=local", f"run.executor.env_vars.HF_TOKEN={TOKEN}"),
    ("--sweep", f"api_key=choice({TOKEN},{TOKEN}2)"),
    ("--sweep", f"d=choice({{HF_TOKEN: {TOKEN}}},{{HF_TOKEN: {TOKEN}2}})"),
]


@pytest.mark.parametrize("words", WAYS, ids=lambda words: words[-1].partition(TOKEN)[0])
def test_a_dry_run_and_a_configuration_show_no_secret(train, words) -> None:
    for shown in (("--dryrun",), ("--cfg",)):
        done = train(*words, *shown)
        assert done.code == 0, done.err
        assert TOKEN not in done.out + done.err, shown


@pytest.mark.parametrize("words", WAYS[3::4], ids=lambda words: words[-1].partition(TOKEN)[0])
def test_the_job_has_the_secret_and_the_record_shows_none(
    train, words, program: list[str], folder: Folder
) -> None:
    done = train(*words, "--yes", "--json")
    assert done.code == 0, done.err
    told = [done.out, done.err]
    for command in (("show",), ("show", "--json"), ("logs",)):
        found = folder.run(*program, "experiment", command[0], done.json["id"], *command[1:])
        assert found.code == 0, found.err
        told.append(found.out)
    assert not [text for text in told if TOKEN in text]
    assert f"length {len(TOKEN)}" in told[-1]
    record = Path(done.json["path"])
    assert TOKEN not in (record / "experiment.json").read_text()
    assert TOKEN not in "".join(str(path) for path in record.rglob("*"))
    holding = [p for p in record.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert holding
    assert not [path for path in holding if path.stat().st_mode & 0o077]


def test_points_of_a_sweep_over_a_secret_are_counted(train) -> None:
    done = train("--sweep", f"api_key=choice({TOKEN},other)", "n=choice(1,2)", "--dryrun", "--json")
    assert [job["id"] for job in done.json["jobs"]] == [
        "api_key=secret-1_n=1", "api_key=secret-1_n=2",
        "api_key=secret-2_n=1", "api_key=secret-2_n=2",
    ]  # fmt: skip


def test_where_a_secret_came_from_is_told_without_it(train) -> None:
    words = ("run.executor=local", f"run.executor.env_vars.HF_TOKEN={TOKEN}", f"api_key={TOKEN}")
    keys = ("run.executor.env_vars", "run.executor.env_vars.HF_TOKEN", "api_key")
    for form in ((), ("--json",)):
        done = train(*words, *(w for key in keys for w in ("--explain", key)), *form)
        assert done.code == 0, done.err
        assert TOKEN not in done.out
        assert done.out.count("***") == 3
    done = train("run.executor=local", "run.executor.env_vars={A: '${oc.env:WK}', HF_TOKEN: "
                 "'${oc.env:WK}'}", "--explain", "run.executor.env_vars", WK=TOKEN)  # fmt: skip
    assert "***" in done.out


def test_errors_show_no_secret(train, folder: Folder) -> None:
    for words in (
        ("run.executor=local", f"run.executor.env_vars.HF_TOKEN={TOKEN}",
         "run.executor.env_vars.HF_TOKEN[0]=x"),
        (f"api_key.deep={TOKEN}",),
        (f"d={{HF_TOKEN: {TOKEN}}}", "d.HF_TOKEN.x=1"),
    ):  # fmt: skip
        done = train(*words, "--cfg")
        assert done.code == 2
        assert TOKEN not in done.err + done.out
    folder.write("n.yaml", "n: ${oc.env:HF_TOKEN}\n")
    done = train("--config", "n.yaml", "--cfg", HF_TOKEN=TOKEN)
    assert (done.code, TOKEN in done.err) == (2, False)
    assert "'***' is no int" in done.err


def test_an_exported_file_is_whole_and_other_tokens_are_shown(train, folder: Folder) -> None:
    done = train(f"api_key={TOKEN}", "--export", "all.yaml", "--cfg", "--json")
    assert done.code == 0, done.err
    assert TOKEN in (folder.path / "all.yaml").read_text()
    assert json.loads(done.out)["api_key"] == "***"
    assert json.loads(train("pad_token=<p>", "--cfg", "--json").out)["pad_token"] == "<p>"
