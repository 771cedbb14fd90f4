"""Hooks are told of what happens, at least once and in order, and can harm no run."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import sys
import threading
import time

import pytest

import nemo_run as run
from nemo_run.exceptions import ArgumentError, JobFailedError, OverrideError
from nemo_run.execution.profiles import Layer
from nemo_run.management import store
from nemo_run.management.hooks import delivering, launch, stored
from nemo_run.management.hooks.configured import configured
from nemo_run.management.hooks.hook import wants
from nemo_run.management.hooks.notice import Notice, Noticing


def until(true, what, limit=30.0):
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, what() if callable(what) else what
        time.sleep(0.05)


def told(exp):
    """Return how far the hooks were told, and what their log says."""
    record = store.find(exp.id)
    log = record.path / stored.LOG
    return stored.told(record, 9), log.read_text() if log.exists() else "no log"


def run_one(hooks, inline="true", title="told"):
    exp = run.Experiment(title, hooks=hooks, clean_mode=True)
    with exp:
        exp.add(run.Script(inline=inline), name="job")
        with contextlib.suppress(JobFailedError):
            exp.run()
    return exp


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def all_told(exp, number=0):
    last = store.find(exp.id).journal.read()[0]
    ended = next(event["seq"] for event in last if event["event"] == "experiment.ended")
    until(lambda: told(exp)[0][number] >= ended, lambda: str(told(exp)))


def test_a_command_hears_of_every_change_of_a_state(tmp_path):
    file = tmp_path / "heard"
    exp = run_one([run.Hook(command=f"cat >> {file}; echo >> {file}")])
    all_told(exp)
    heard = lines(file)
    kinds = [(one["event"], one["state"]) for one in heard]
    assert kinds[0] == ("experiment.started", "RUNNING")
    assert kinds[-1] == ("experiment.ended", "SUCCEEDED")
    assert ("job.observed", "SUCCEEDED") in kinds
    assert [one["seq"] for one in heard] == sorted({one["seq"] for one in heard})
    assert heard[-1]["experiment"]["title"] == "told"
    assert heard[-1]["text"] == "told SUCCEEDED"


def test_a_command_hears_what_it_asked_for_by_its_variables(tmp_path):
    file = tmp_path / "heard"
    words = f'echo "$NEMORUN_EXPERIMENT_ID $NEMORUN_JOB $NEMORUN_STATE $NEMORUN_TEXT" >> {file}'
    hooks = [run.Hook(command=["sh", "-c", words], on=["job.*:FAILED", "CANCELLED"])]
    exp = run_one(hooks, "exit 3")
    until(file.exists, lambda: str(told(exp)))
    time.sleep(0.3)
    assert file.read_text() == f"{exp.id} job FAILED told: job FAILED (exit code 3)\n"


def test_a_function_of_a_module_is_called(tmp_path, monkeypatch):
    heard = str(tmp_path / "heard")
    (tmp_path / "alerts_of_test.py").write_text(
        f"import json\ndef notify(event): open({heard!r}, 'a').write(json.dumps(event) + '\\n')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import alerts_of_test

    exp = run_one([run.Hook(call=alerts_of_test.notify, on=["experiment.ended"])])
    until(lambda: lines(tmp_path / "heard"), lambda: str(told(exp)))
    assert [one["event"] for one in lines(tmp_path / "heard")] == ["experiment.ended"]


@contextlib.contextmanager
def server(answers):
    """An HTTP server that answers with each status in turn, and the last one for ever."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.path, dict(self.headers), json.loads(body)))
            status = answers[min(len(got), len(answers)) - 1]
            if status is None:
                time.sleep(3)
                return
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/hook?token=s3cr3t", got
        served.shutdown()


def test_an_address_gets_a_post_and_is_tried_again():
    with server([503, 429, 200]) as (url, got):
        hook = run.Hook(url=url, on=["experiment.ended"], headers={"X-Team": "lab"})
        exp = run_one([hook])
        all_told(exp)
    assert [body["event"] for _, _, body in got] == ["experiment.ended"] * 3
    assert got[-1][1]["X-Team"] == "lab"
    assert got[-1][1]["Content-Type"] == "application/json"
    assert "not told" not in told(exp)[1]


def notice(seq=1):
    document = {"text": "t", "experiment": {"id": "x"}}
    return Notice(seq, "experiment.ended", "SUCCEEDED", document)


def failing(hook, waits=None):
    with pytest.raises(delivering.NotDeliveredError) as error:
        delivering.deliver(hook, notice(), {}, pause=(waits if waits is not None else []).append)
    return str(error.value)


@pytest.mark.parametrize(
    ("status", "tries", "says"),
    [(404, 1, "404 Not Found"), (302, 1, "302 Found"), (500, 3, "500 Internal Server Error")],
)
def test_what_an_address_refuses_is_said(status, tries, says):
    with server([status]) as (url, got):
        waits = []
        assert says in failing(run.Hook(url=url, retries=2), waits)
    assert len(got) == tries
    assert run.Hook.from_json(run.Hook(url="http://x", retries=0).to_json()).tries == 1
    assert waits == [1.0, 2.0][: tries - 1]


def test_an_address_that_does_not_answer_is_given_up_and_its_token_is_not_told():
    with server([None]) as (url, _):
        said = failing(run.Hook(url=url, retries=0, timeout=0.3))
        assert "could not be reached" in said
        assert "s3cr3t" not in said
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert "Connection refused" in failing(run.Hook(url=f"http://127.0.0.1:{port}", retries=0))


def test_an_address_may_be_a_secret(monkeypatch, tmp_path):
    with server([200]) as (url, got):
        monkeypatch.setenv("URL_OF_TEST", url)
        hook = run.Hook(url=run.Secret("URL_OF_TEST"), on=["experiment.ended"])
        exp = run_one([hook])
        all_told(exp)
    assert len(got) == 1
    record = store.find(exp.id)
    for file in record.path.rglob("*"):
        if file.is_file():
            assert b"s3cr3t" not in file.read_bytes(), file
    monkeypatch.delenv("URL_OF_TEST")
    assert "URL_OF_TEST" in failing(hook)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["/no/such/program"], "could not be started: No such file"),
        ("echo oh no; exit 7", "it ended with 7: oh no"),
        ("sleep 60 & sleep 60", "it took longer than 0.5 s"),
    ],
)
def test_a_command_that_fails_is_said_and_leaves_nothing(command, says):
    assert says in failing(run.Hook(command=command, timeout=0.5))


def test_a_failing_hook_harms_neither_the_run_nor_other_hooks(tmp_path):
    file = tmp_path / "heard"
    hooks = [
        run.Hook(command=["/no/such/program"]),
        run.Hook(command="sleep 60", timeout=60),
        run.Hook(command=f"cat >> {file}; echo >> {file}", on=["experiment.ended"]),
    ]
    began = time.monotonic()
    exp = run_one(hooks)
    assert time.monotonic() - began < 20
    assert store.find(exp.id).status().state == "SUCCEEDED"
    until(lambda: lines(file), lambda: str(told(exp)))
    assert "command /no/such/program was not told" in told(exp)[1]
    said = stored.untold(store.find(exp.id))
    assert "command /no/such/program was not told: /no/such/program could not be started" in said
    kill_teller(exp)


def teller(exp):
    """Return the number of the process that tells the hooks of an experiment."""
    folder = str(store.find(exp.id).path)
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().decode("utf-8", "replace").split("\0")
            except OSError:
                continue
            if folder in words and any("hooks.process" in word for word in words):
                return int(entry)
    return 0


def kill_teller(exp):
    until(lambda: teller(exp), "nobody tells")
    os.killpg(teller(exp), signal.SIGKILL)


def test_a_killed_process_is_missed_until_the_next_one_goes_on(tmp_path):
    file, gate = tmp_path / "heard", tmp_path / "gate"
    hook = run.Hook(command=f"cat >> {file}; echo >> {file}")
    exp = run.Experiment("killed", hooks=[hook], clean_mode=True)
    with exp:
        exp.add(run.Script(inline=f"until [ -e {gate} ]; do sleep 0.05; done"), name="job")
        exp.run(detach=True)
    until(lambda: len(lines(file)) >= 2, lambda: str(told(exp)))
    kill_teller(exp)
    gate.touch()
    record = store.find(exp.id)
    until(lambda: record.status().ended, "it does not end")
    before = len(lines(file))
    assert lines(file)[-1]["event"] != "experiment.ended"
    assert launch.start(record) == ""
    all_told(exp)
    heard = [one["seq"] for one in lines(file)]
    assert heard[before - 1 :] == sorted(heard[before - 1 :])
    # The one it was killed over may be told twice, and none is missing.
    wanted = [n.seq for n in Noticing({}).of(record.journal.read()[0]) if n.state]
    assert sorted({*heard}) == wanted
    assert len(heard) <= len(wanted) + 1


def test_two_processes_do_not_tell_twice(tmp_path):
    file = tmp_path / "heard"
    exp = run_one([run.Hook(command=f"cat >> {file}; echo >> {file}")])
    record = store.find(exp.id)
    for _ in range(3):
        launch.start(record)
    all_told(exp)
    until(lambda: not teller(exp), "it does not end")
    heard = [one["seq"] for one in lines(file)]
    assert len(heard) == len({*heard})


def test_a_copy_of_a_record_tells_nobody(tmp_path):
    import shutil

    file = tmp_path / "heard"
    exp = run_one([run.Hook(command=f"cat >> {file}; echo >> {file}")])
    all_told(exp)
    record = store.find(exp.id)
    copy = tmp_path / "home" / "experiments" / "told" / exp.id
    shutil.copytree(record.path, copy)
    (copy / stored.CURSOR).unlink()
    before = file.read_text()
    launch.start(store.Record(copy))
    time.sleep(1)
    assert file.read_text() == before
    assert not stored.are_ours(store.Record(copy))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "it was given none of them"),
        ({"command": "x", "url": "http://x"}, "command and url"),
        ({"command": [1]}, "must be a list of texts"),
        ({"url": "ftp://x"}, "begins with https://"),
        ({"call": "alerts.notify"}, "package.module:function"),
        ({"call": lambda event: None}, "another process cannot import"),
        ({"command": "x", "on": ["FAILD"]}, "Did you mean 'FAILED'?"),
        ({"command": "x", "on": ["experiment.end"]}, "Did you mean 'experiment.ended'?"),
        ({"command": "x", "on": "FAILED"}, "must be a list"),
        ({"command": "x", "timeout": 0}, "timeout is 0"),
        ({"command": "x", "retries": -1}, "retries is -1"),
        ({"url": "http://x", "headers": {"a": "b\r\nc: d"}}, "texts of one line"),
    ],
)
def test_wrong_hooks_are_refused(given, says):
    with pytest.raises(ArgumentError) as error:
        run.Hook(**given)
    assert says in str(error.value)


def test_hooks_are_given_as_a_list():
    with pytest.raises(ArgumentError, match="it must hold run"):
        run.Experiment("x", hooks=["echo"])


def test_hooks_survive_being_written_down():
    hook = run.Hook(
        url=run.Secret("URL", file="~/url"), on=["FAILED"], headers={"A": run.Secret("TOKEN")}
    )
    again = run.Hook.from_json(json.loads(json.dumps(hook.to_json())))
    assert (again.url, again.url.file, again.headers, again.on) == (
        hook.url, "~/url", hook.headers, ("FAILED",),
    )  # fmt: skip


def test_hooks_of_a_file():
    tables = [{"command": ["x"], "on": ["FAILED"]}, {"url": {"secret": "URL"}}]
    hooks = configured([Layer("user", "a.toml", {"hooks": tables})])
    assert [hook.label for hook in hooks] == ["command x", "url URL"]
    with pytest.raises(OverrideError, match="hook 1 has no 'comand'"):
        configured([Layer("user", "a.toml", {"hooks": [{"comand": "x"}]})])
    with pytest.raises(OverrideError, match=r"write each as a table"):
        configured([Layer("user", "a.toml", {"hooks": 3})])


def test_a_project_has_hooks(tmp_path, monkeypatch):
    file = tmp_path / "heard"
    (tmp_path / "nemo-run.toml").write_text(
        f'[[hooks]]\ncommand = "cat >> {file}"\non = ["experiment.ended"]\n'
    )
    monkeypatch.chdir(tmp_path)
    exp = run_one([])
    all_told(exp)
    assert len(lines(file)) == 1


@pytest.mark.parametrize(
    ("on", "kind", "state", "wanted"),
    [
        ((), "job.observed", "RUNNING", True),
        ((), "job.retried", "", False),
        (("job.*",), "job.retried", "", True),
        (("FAILED",), "job.observed", "FAILED", True),
        (("FAILED",), "experiment.ended", "FAILED", True),
        (("FAILED",), "job.observed", "RUNNING", False),
        (("experiment.ended:FAILED",), "job.observed", "FAILED", False),
        (("experiment.ended:FAILED",), "experiment.ended", "FAILED", True),
        (("RUNNING", "experiment.*"), "experiment.ended", "FAILED", True),
    ],
)
def test_what_a_hook_wants(on, kind, state, wanted):
    assert wants(on, kind, state) == wanted


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 9}', '{"format":1,"hooks":[{"a":1}]}'])
def test_a_damaged_file_tells_nobody_and_says_why(text):
    exp = run_one([run.Hook(command="true")])
    all_told(exp)
    record = store.find(exp.id)
    (record.path / stored.FILE).write_text(text)
    launch.start(record)
    until(lambda: "nobody is told any more" in told(exp)[1], lambda: str(told(exp)))


def test_a_run_without_hooks_starts_no_process_for_them():
    exp = run_one([])
    assert not [file.name for file in store.find(exp.id).path.glob("hooks*")]


def test_python_is_the_one_that_runs(tmp_path):
    file = tmp_path / "heard"
    words = [sys.executable, "-c", f"import sys; open({str(file)!r}, 'a').write(sys.stdin.read())"]
    exp = run_one([run.Hook(command=words, on=["experiment.started"])])
    until(lambda: lines(file), lambda: str(told(exp)))
