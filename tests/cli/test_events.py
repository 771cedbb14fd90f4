"""``nemo-run experiment events``."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import nemo_run as run
from nemo_run.management import store


def command(*words):
    argv = [sys.executable, "-m", "nemo_run", "experiment", "events", *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60)


def made(inline="true", *, detach=False):
    with run.Experiment("happening", clean_mode=True) as exp:
        exp.add(run.Script(inline=inline), name="a")
        exp.add(run.Script(inline="true"), name="b", dependencies=["a"])
        exp.run(detach=detach)
    return exp


def test_the_journal_is_printed():
    exp = made()
    done = command(exp.id)
    assert done.returncode == 0
    assert "experiment.ended" in done.stdout
    assert len(done.stdout.splitlines()) == len(store.find(exp.id).journal.read()[0])
    only = command(exp.id, "b", "--json").stdout.splitlines()
    assert {json.loads(line)["job"] for line in only} == {"b"}


def test_each_line_is_one_document_and_one_goes_on_after_a_number():
    exp = made()
    events = [json.loads(line) for line in command(exp.id, "--json").stdout.splitlines()]
    assert events == store.find(exp.id).journal.read()[0]
    rest = command(exp.id, "--json", "--after", "4").stdout.splitlines()
    assert [json.loads(line) for line in rest] == events[4:]


def test_following_shows_what_happens_until_the_end(tmp_path):
    gate = tmp_path / "gate"
    exp = made(f"until [ -e {gate} ]; do sleep 0.05; done", detach=True)
    argv = [sys.executable, "-m", "nemo_run", "experiment", "events", exp.id, "-f", "--json"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["event"] == "experiment.created"
        time.sleep(0.5)
        assert process.poll() is None
        gate.touch()
        rest = [json.loads(line) for line in process.stdout]
        assert process.wait(30) == 0
    # What the conductor says of itself may come after that.
    assert "experiment.ended" in [event["event"] for event in rest]


def test_a_hostile_journal_is_shown_as_text():
    exp = made()
    record = store.find(exp.id)
    with open(record.path / "events.jsonl", "a") as file:
        file.write('{"seq": 99, "time": 1e99, "event": "\\u001b[31mred", "job": ["x"]}\nno json\n')
    done = command(exp.id)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "journal.corrupt" in done.stdout
