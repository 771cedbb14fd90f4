"""Metrics and files of jobs on a real cluster, over ssh."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

import nemo_run as run
from engines import images
from engines.processes import until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import NEMO_RUN, SOON, Way, experiment, launched, shell, wait_for
from nemo_run.execution.observation import State
from nemo_run.management import artifacts, metrics
from nemo_run.management.store import find

TRAIN = """
import os, time
from pathlib import Path
import nemo_run as run

@run.cli.entrypoint
def train(go: str) -> str:
    out = Path(os.environ["NEMORUN_OUTPUT_DIR"])
    for step in range(3):
        run.log_metrics(step=step, loss=1 / (step + 1))
    (out / "checkpoints").mkdir(exist_ok=True)
    (out / "checkpoints" / "w.pt").write_bytes(b"w" * 1000)
    (out / "last").symlink_to("checkpoints")
    while not (out / go).exists():
        time.sleep(0.1)
    run.log_metrics(step=3, loss=0.1)
    return str(run.__file__)
"""

LAUNCH = """
import json
import nemo_run as run
from train import train
with run.Experiment("inside", clean_mode=True) as exp:
    executor = run.SlurmExecutor(tunnel={tunnel}, container_image={image!r},
        packager=run.PatternPackager(include_pattern="train.py", relative_path="."))
    exp.add(run.Partial(train, go="go"), executor, name="train", outputs=["**/*.pt", "last"])
    exp.run(detach=True)
print(json.dumps(exp.id))
"""


@pytest.fixture
def ssh(slurm: Slurm, login: Login) -> Way:
    return Way("ssh", slurm, login)


def cli(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(NEMO_RUN), *words], capture_output=True, text=True, timeout=120)


def test_a_container_without_nemo_run_logs_and_leaves_files(ssh: Way, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "train.py").write_text(TRAIN)
    exp_id = launched(project, LAUNCH.format(tunnel=ssh.source(), image=images.PYTHON))
    exp, record = run.Experiment.from_id(exp_id), find(exp_id)
    wait_for(exp_id, "train", State.RUNNING)

    def loss() -> list[float]:
        assert metrics.fetch(record) == {}
        found = metrics.read(record, "train").series
        return found["loss"].values if "loss" in found else []

    until(lambda: len(loss()) == 3, SOON, "what it logs is here while it runs")
    until(lambda: len(exp.artifacts("train")) == 2, SOON, "its files are listed")
    assert artifacts.listed(record) == []
    to = tmp_path / "to"
    pulled = exp.artifacts("train").pull(to)
    assert pulled.problems == {}
    assert (to / "last" / "w.pt").read_bytes() == b"w" * 1000
    folder = record_folder(exp)
    ssh.login.run(f"touch {folder}/outputs/go")
    assert str(exp.wait("train")) == "SUCCEEDED"
    # The stand-in, for the image has no nemo_run.
    assert exp.results()["train"] == "/nemo_run/stand_in/nemo_run.py"
    assert metrics.read(record, "train").last() == {"loss": 0.1}
    shown = cli("experiment", "metrics", exp.id, "--json")
    assert [row["count"] for row in json.loads(shown.stdout)] == [4]


def record_folder(exp: run.Experiment) -> str:
    """Return the folder of the one job on the cluster."""
    spec = json.loads((find(exp.id).job_dir("train") / "spec.json").read_text())
    return str(spec["directory"])


def test_a_pull_goes_on_where_the_connection_was_cut(ssh: Way, tmp_path: Path) -> None:
    size = 200 << 20
    big = '"$NEMORUN_OUTPUT_DIR/big"'
    leaves = f"head -c {size} /dev/urandom >{big}; sha256sum <{big}"
    with experiment("cut") as exp:
        exp.add(shell(leaves), ssh.executor(), name="train")
        exp.run()
    record = find(exp.id)
    cut = threading.Event()

    def tell(state: object) -> None:
        if not cut.is_set() and state.arrived > size // 3:  # type: ignore[attr-defined]
            cut.set()
            ssh.login.cut()

    to = tmp_path / "to"
    found = artifacts.pull(record, to=to, tell=tell)
    assert cut.is_set()
    assert found.problems == {}
    assert [one.path for one in found.copied] == ["big"]
    # What had arrived did not come again.
    assert size <= found.sent < size + (32 << 20)
    said = subprocess.run(["sha256sum", to / "big"], capture_output=True, text=True, check=True)
    log = cli("experiment", "logs", exp.id).stdout
    assert said.stdout.split()[0] in log
    again = cli("artifacts", "pull", exp.id, "--to", str(to))
    assert (again.returncode, again.stdout.splitlines()[0]) == (
        0, "Copied 0 files (0 B); 1 was here.",
    )  # fmt: skip


def test_each_rank_finds_its_folder(ssh: Way) -> None:
    line = 'echo $SLURM_PROCID >"$NEMORUN_OUTPUT_DIR/$SLURM_PROCID"'
    with experiment("ranks") as exp:
        exp.add(shell(line), ssh.executor(nodes=2, ntasks_per_node=2), name="train")
        exp.run()
    assert sorted(one.path for one in exp.artifacts()) == ["0", "1", "2", "3"]
