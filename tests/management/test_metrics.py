"""Metrics of jobs: read while they are written, whoever wrote them, from wherever they run."""

from __future__ import annotations

import json
import math
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.cli.app import app
from nemo_run.exceptions import PlanError
from nemo_run.management import metrics
from nemo_run.management.metrics.reading import MOST_NAMES, MOST_POINTS, Metrics
from nemo_run.management.store import create, find
from nemo_run.management.store.record import Record
from nemo_run.testing import FakeSlurm

LOG = "import nemo_run as run\n"


@pytest.fixture
def record() -> Record:
    return create("t", meta={"jobs": [{"id": "train"}]})


def write(record: Record, *lines: object, job: str = "train") -> Path:
    path = record.job_dir(job) / "metrics.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        for line in lines:
            file.write(line if isinstance(line, str) else json.dumps(line) + "\n")
    return path


def test_each_name_has_its_steps_and_its_last_value(record: Record) -> None:
    write(
        record,
        {"step": 0, "time": 1.0, "loss": 0.5},
        {"step": 1, "time": 2.0, "loss": 0.25, "accuracy": 0.5},
        {"step": 2, "time": 3.0, "loss": "NaN"},
    )
    found = metrics.read(record, "train")
    assert found
    assert found.names == ["loss", "accuracy"]
    assert found.series["loss"].steps == [0, 1, 2]
    assert found.series["loss"].values[:2] == [0.5, 0.25]
    assert math.isnan(found.last()["loss"])
    assert found.last()["accuracy"] == 0.5
    assert (found.series["loss"].least, found.series["loss"].most) == (0.25, 0.5)
    assert found.series["loss"].times == [1.0, 2.0, 3.0]


def test_of_several_values_for_a_step_the_last_one_counts(record: Record) -> None:
    write(record, *({"step": step, "loss": 1.0} for step in range(5)))
    write(record, *({"step": step, "loss": 2.0} for step in range(3, 5)))
    found = metrics.read(record, "train").series["loss"]
    assert list(zip(found.steps, found.values, strict=True)) == [
        (0, 1.0), (1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0),
    ]  # fmt: skip
    assert found.count == 7


def test_values_without_a_step_are_counted(record: Record) -> None:
    write(record, {"loss": 3}, {"loss": 2}, {"other": 1}, {"loss": 1})
    found = metrics.read(record, "train").series
    assert found["loss"].steps == [0, 1, 2]
    assert found["other"].steps == [0]


def test_nothing_is_read_twice(record: Record) -> None:
    path = write(record, {"step": 1, "loss": 1}, '{"step": 2, "lo')
    found = metrics.read(record, "train")
    assert found.series["loss"].steps == [1]
    assert not found.update()
    write(record, 'ss": 2}\n', {"step": 3, "loss": 3})
    assert found.update()
    assert found.series["loss"].values == [1, 2, 3]
    assert (found.lines, found.odd) == (3, 0)
    path.unlink()
    write(record, {"step": 9, "loss": 9})
    assert found.update()
    assert found.series["loss"].steps == [9]


def test_what_makes_no_sense_is_passed_over(record: Record) -> None:
    path = write(
        record, "garbage\n", "[1]\n", "{}\n", '{"loss": "high", "x": null, "y": {"a": 1}}\n', "\n",
        '{"step": "NaN", "z": 1}\n', '{"step": 1e400, "z": 2}\n', '{"z": 1' + "0" * 400 + "}\n",
        "[" * 100_000 + "\n", {"step": 1, "loss": 1},
    )  # fmt: skip
    with path.open("ab") as file:
        file.write(b"\xff\xfe\n\0\0\0\n" + b'{"step": 2, "loss": 2}\n')
    found = metrics.read(record, "train")
    assert found.series["loss"].values == [1, 2]
    assert found.odd == 5
    assert found.last()["z"] == math.inf


def test_a_line_without_end_takes_no_memory(record: Record) -> None:
    path = write(record, {"step": 1, "loss": 1})
    with path.open("ab") as file:
        file.truncate(64 << 20)  # zeros to its end
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b'{"step": 2, "loss": 2}\n')
    tracemalloc.start()
    found = metrics.read(record, "train")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.series["loss"].values == [1, 2]
    assert peak < 16 << 20


def test_a_long_series_is_thinned_and_keeps_its_last_point(record: Record) -> None:
    count = 50_001
    path = record.job_dir("train") / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(f'{{"step":{n},"loss":{n}.5}}\n' for n in range(count)))
    found = metrics.read(record, "train").series["loss"]
    assert found.count == count
    assert MOST_POINTS <= len(found.steps) <= 2 * MOST_POINTS + 1
    assert found.steps == sorted(set(found.steps))
    assert (found.steps[0], found.steps[-1]) == (0, count - 1)
    assert found.values == [step + 0.5 for step in found.steps]
    assert (found.least, found.most) == (0.5, count - 0.5)
    gaps = [b - a for a, b in zip(found.steps, found.steps[1:], strict=False)]
    assert max(gaps) <= 32


def test_names_without_number_take_no_memory(record: Record) -> None:
    for start in range(0, 10_000, 500):
        write(record, {f"name{n}": n for n in range(start, start + 500)})
    assert len(metrics.read(record, "train").names) == MOST_NAMES


def test_links_and_pipes_are_not_read(record: Record, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text('{"step": 1, "secret": 1}\n')
    path = record.job_dir("train") / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    path.symlink_to(other)
    assert metrics.read(record, "train").names == []
    path.unlink()
    os.mkfifo(path)
    assert metrics.read(record, "train").names == []


def test_a_job_that_logged_nothing_has_nothing(record: Record) -> None:
    found = metrics.read(record, "train")
    assert not found
    assert found.last() == {}


@pytest.mark.parametrize("name", ["..", "a/b", "", "a\0b", "/etc"])
def test_a_member_with_a_hostile_name_leads_nowhere(name: str) -> None:
    job = {"id": "train", "group": True, "members": [{"name": name}]}
    record = create("hostile", meta={"jobs": [job]})
    assert metrics.read(record, "train").path == record.job_dir("train") / "metrics.jsonl"


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=200)
@given(
    data=st.binary(max_size=300),
    more=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=4),
    ),
)
def test_no_file_is_too_odd(tmp_path_factory, data: bytes, more: object) -> None:
    path = tmp_path_factory.mktemp("m") / "metrics.jsonl"
    path.write_bytes(data + b"\n" + json.dumps(more).encode() + b'\n{"step": 1, "end": 1}\n')
    found = Metrics(path)
    found.update()
    assert found.last()["end"] == 1
    for series in found.series.values():
        assert len(series.points()) >= 1


def train(steps: int, where: str = "") -> float:
    for step in range(steps):
        run.log_metrics(step=step, loss=1 / (step + 1))
    return 1.0


def test_a_job_here_logs_and_the_command_shows_it() -> None:
    with run.Experiment("here") as exp:
        exp.add(run.Partial(train, steps=4), run.LocalExecutor(), name="train")
        exp.add([run.Partial(train, steps=2), run.Partial(train, steps=3)], run.LocalExecutor(),
                name="both", members=["a", "b"])  # fmt: skip
        exp.run()
    record = find("here")
    assert metrics.read(record, "train").series["loss"].steps == [0, 1, 2, 3]
    assert metrics.read(record, "both", "b").series["loss"].steps == [0, 1, 2]
    assert list(metrics.metrics_files(record, "both")) == [("a", 0), ("b", 0)]
    shown = CliRunner().invoke(app, ["experiment", "metrics", "here"], standalone_mode=False)
    assert [line.split()[:4] for line in shown.output.splitlines()[1:]] == [
        ["train", "loss", "0.25", "3"], ["both/a", "loss", "0.5", "1"],
        ["both/b", "loss", "0.33333", "2"],
    ]  # fmt: skip
    told = CliRunner().invoke(app, ["experiment", "metrics", "here", "train", "--json"])
    [document] = json.loads(told.stdout)
    assert document["points"][0][:2] == [0, 1.0]
    assert (document["name"], document["count"], document["last"]) == ("loss", 4, 0.25)
    table = CliRunner().invoke(app, ["experiment", "metrics", "here", "0", "--csv"]).stdout
    assert table.splitlines()[0] == "job,member,rank,name,step,value,time"
    assert table.splitlines()[4].startswith("train,train,0,loss,3,0.25,")


def test_a_task_in_this_process_logs_and_leaves_files_too(home: Path) -> None:
    def leaves() -> bytes:
        return (find("direct").job_dir("train") / "outputs" / "left").read_bytes()

    with run.Experiment("direct") as exp:
        exp.add(run.Partial(train, steps=2), run.LocalExecutor(), name="log")
        script = run.Script(inline='echo hi >"$NEMORUN_OUTPUT_DIR/left"')
        exp.add(script, run.LocalExecutor(), name="train")
        exp.run(direct=True)
    assert metrics.read(find("direct"), "log").last() == {"loss": 0.5}
    assert leaves() == b"hi\n"
    assert "NEMORUN_METRICS_FILE" not in os.environ


def fails_once(steps: int) -> None:
    again = os.environ["NEMORUN_ATTEMPT"] != "1"
    for step in range(steps // 2 if again else 0, steps):
        run.log_metrics(step=step, attempt=2 if again else 1)
    if not again:
        raise RuntimeError("lost")


def test_a_second_attempt_goes_on_in_the_same_file() -> None:
    with run.Experiment("again") as exp:
        exp.add(run.Partial(fails_once, steps=6), run.LocalExecutor(retries=1), name="train")
        exp.run()
    found = metrics.read(find("again"), "train").series["attempt"]
    assert found.steps == [0, 1, 2, 3, 4, 5]
    assert found.values == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("name", ["NEMORUN_METRICS_FILE", "NEMORUN_OUTPUT_DIR"])
def test_where_they_go_is_nobody_elses_to_say(name: str) -> None:
    with run.Experiment("t") as exp, pytest.raises(PlanError, match="tells a job who it is"):
        exp.add(run.Script(inline="true"), run.LocalExecutor(env_vars={name: "/tmp"}))
        exp.dryrun()


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    with FakeSlurm(tmp_path / "slurm", nodes=2) as slurm:
        monkeypatch.setenv("PATH", slurm.environment()["PATH"])
        yield slurm


TRAIN = """
echo '{"step":1,"time":1.0,"loss":0.5}' >>"$NEMORUN_METRICS_FILE"
until [ -e "$GO" ]; do sleep 0.1; done
echo '{"step":2,"time":2.0,"loss":0.25}' >>"$NEMORUN_METRICS_FILE"
echo '{"step":2,"time":2.0,"loss":0.75}' >>"${NEMORUN_METRICS_FILE%.jsonl}.rank-1.jsonl"
"""


def test_a_job_on_a_cluster_is_read_while_it_runs_and_whole_at_its_end(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    from engines.processes import until

    go = tmp_path / "go"
    executor = run.SlurmExecutor(
        account="a", time="10", env_vars={"GO": str(go)},
        tunnel=run.LocalTunnel(job_dir=str(tmp_path / "cluster")),
    )  # fmt: skip
    with run.Experiment("far") as exp:
        exp.add(run.Script(inline=TRAIN), executor, name="train")
        exp.run(detach=True)
    record = find("far")

    def fetched() -> list[float]:
        assert metrics.fetch(record, status=_looked(record)) == {}
        found = metrics.read(record, "train").series
        return found["loss"].values if "loss" in found else []

    until(lambda: fetched() == [0.5], 60, "the first value is here")
    assert not record.status().jobs["train"].state.terminal
    shown = CliRunner().invoke(app, ["experiment", "metrics", "far"]).stdout
    assert shown.splitlines()[1].split()[:4] == ["train", "loss", "0.5", "1"]
    (record.job_dir("train") / "metrics.jsonl").unlink()
    page = CliRunner().invoke(app, ["experiment", "show", "far"]).stdout
    assert "loss" in page
    go.touch()
    assert str(run.Experiment.from_title("far").wait()) == "SUCCEEDED"
    assert metrics.read(record, "train").last() == {"loss": 0.25}
    assert metrics.read(record, "train", rank=1).last() == {"loss": 0.75}
    assert metrics.fetch(record) == {}


def _looked(record: Record):
    from nemo_run.management.looking import looked_at

    return looked_at(record)
