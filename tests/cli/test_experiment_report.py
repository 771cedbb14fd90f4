"""``nemo-run experiment report``: one page, safe whatever was in the record, seen in a browser."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nemo_run.console import html
from nemo_run.console.report.graph import boxes_of
from nemo_run.management import store
from nemo_run.management.describe import dag

HOSTILE = "</pre></script><script>alert(1)</script>"
PROGRAM = f"""\
import nemo_run as run


def train(lr: float, api_key: str = "") -> dict:
    for step in range(20):
        run.log_metrics({{"loss": 1 / (1 + lr * step)}}, step=step)
    print("\\x1b[31m{HOSTILE}\\x1b[0m")
    if lr > 0.5:
        raise ValueError("rate is too high")
    return {{"accuracy": 1 - lr}}


if __name__ == "__main__":
    with run.Experiment("<b>rates</b>") as experiment:
        experiment.add(run.Script(inline="echo ready"), name="prepare")
        task = run.Partial(train, lr=0.1, api_key="sk-very-secret")
        points = run.sweep(task, lr=[0.0001, 0.01, 0.1, 0.9])
        experiment.add_sweep(points, dependencies=["prepare"])
        experiment.run()
"""
LOOKING = """<!DOCTYPE html><body><script>
const told = [];
async function look(width) {
  const frame = document.createElement("iframe");
  frame.style.width = width + "px"; frame.style.height = "900px";
  frame.src = "/report.html"; document.body.append(frame);
  await new Promise(done => frame.onload = done);
  const page = frame.contentDocument;
  told.push({width, inner: page.documentElement.clientWidth,
    scroll: page.documentElement.scrollWidth,
    sizes: [...page.querySelectorAll("svg")].map(one => {
      const box = one.getBoundingClientRect(); return [box.width, box.height]; }),
    background: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
    scripts: page.scripts.length, text: page.body.textContent});
}
look(400).then(() => look(1400)).then(() => {
  const shown = document.createElement("pre"); shown.id = "told";
  shown.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(told))));
  document.body.append(shown);
});
</script>"""


@pytest.fixture
def ran(tmp_path: Path) -> store.record.Record:
    """A sweep with hostile output, one of whose points failed."""
    (tmp_path / "rates.py").write_text(PROGRAM)
    subprocess.run([sys.executable, "rates.py"], cwd=tmp_path, capture_output=True, timeout=60)
    return store.find("<b>rates</b>")


@pytest.fixture
def chromium() -> str:
    """A real browser."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("CI"):
        pytest.fail("chromium is missing (tests/install_engines.py installs it)")
    if found is None:
        pytest.skip("a real browser is needed, and chromium is not installed")
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder, its address, and what was asked of it."""
    folder, asked = tmp_path / "served", []
    folder.mkdir()

    class Server(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def seen(chromium: str, address: str, profile: Path, *options: str) -> list[dict[str, Any]]:
    import base64

    quiet = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-sync", "--disable-background-networking", "--disable-component-update"),
    )
    done = subprocess.run(
        [chromium, *quiet, f"--user-data-dir={profile}", "--virtual-time-budget=9000", *options,
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--enable-logging=stderr",
         "--dump-dom", f"{address}/look.html"],
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="told">([^<]*)</pre>', done.stdout)
    assert found, done.stderr[-2000:]
    return json.loads(base64.b64decode(found[1]))


def test_a_browser_shows_it_on_small_and_large_screens_and_asks_for_nothing(
    nemo_run, ran, chromium, served, tmp_path
):
    folder, address, asked = served
    (folder / "look.html").write_text(LOOKING)
    assert nemo_run("report", ran.id, "-o", str(folder / "report.html")).code == 0
    light = seen(chromium, address, tmp_path / "light", "--blink-settings=preferredColorScheme=1")
    assert {path for path in asked if "favicon" not in path} == {"/look.html", "/report.html"}
    for view in light:
        assert view["scroll"] <= view["inner"], view["width"]
        assert len(view["sizes"]) >= 4  # graph, time line, results over lr, loss
        assert all(width > 50 and height > 30 for width, height in view["sizes"])
        assert view["scripts"] == 0
        assert "prepare" in view["text"]
        assert "rate is too high" in view["text"]
        assert HOSTILE in view["text"]  # shown as text
    dark = seen(chromium, address, tmp_path / "dark", "--blink-settings=preferredColorScheme=0")
    assert light[0]["background"] == "rgb(255, 255, 255)"
    assert dark[0]["background"] == "rgb(18, 22, 27)"


def test_what_is_foreign_stays_text_and_secrets_are_covered(nemo_run, ran):
    outcome = nemo_run("report", ran.id, "-o", "-")
    assert outcome.code == 0, outcome.err
    assert "<script" not in outcome.out
    assert "\x1b" not in outcome.out
    assert "sk-very-secret" not in outcome.out
    assert "&lt;/script&gt;" in outcome.out
    for heading in ("What failed", "Jobs", "Time", "Results", "Metrics", "Ends of logs"):
        assert f"<h2>{heading}</h2>" in outcome.out


def test_several_experiments_are_in_one_file_of_a_name_of_its_own(
    nemo_run, ran, tmp_path, monkeypatch
):
    subprocess.run([sys.executable, "rates.py"], cwd=tmp_path, capture_output=True, timeout=60)
    other = store.find("<b>rates</b>")
    monkeypatch.chdir(tmp_path)
    assert nemo_run("report", ran.id, other.id).code == 0
    text = (tmp_path / "report.html").read_text()
    assert ran.id in text
    assert other.id in text


def test_a_log_of_a_gigabyte_and_a_lost_journal_do_no_harm(nemo_run, ran):
    from nemo_run.management.results import failed_log

    bad = next(job for job in ran.status().jobs.values() if job.state == "FAILED")
    os.truncate(failed_log(ran, bad).path, 1 << 30)
    outcome = nemo_run("report", ran.id, "-o", "-")
    assert outcome.code == 0, outcome.err
    assert len(outcome.out) < 500_000
    (ran.path / "events.jsonl").write_bytes(b"\0garbage\n{")
    assert nemo_run("report", ran.id, "-o", "-").code == 0


def test_many_jobs_alike_are_one_box():
    nodes = [dag.node("first"), *(dag.node(f"job-{n}", ["first"]) for n in range(200))]
    assert [len(box.jobs) for box in boxes_of(nodes)] == [1, 200]


def test_text_is_escaped_and_markup_is_not():
    body = html.section("a < b", html.table(["x"], [["<i>"]]) + "</main>")
    page = html.page("</title>", body + html.pre("\x1b[1m\ud800"))
    page.encode()
    assert "&lt;/title&gt;" in page
    assert "<i>" not in page
    assert page.count("</main>") == 1
    assert "\\x1b[1m\\ud800" in page
