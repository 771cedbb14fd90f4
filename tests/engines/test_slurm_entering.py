"""Getting into a job that runs on the real cluster, from its login node and from elsewhere."""

from __future__ import annotations

import socket
import subprocess
import urllib.request
from contextlib import suppress

import pytest

from engines.processes import until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import NEMO_RUN, SOON, Way, experiment, shell
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.store import find

# The nodes are one machine here, on which only one process can have a port.
SERVER = '[ "$RANK" = 0 ] || exec sleep 300; exec python3 -m http.server {port} --directory /etc'


@pytest.fixture(params=["here", "ssh"])
def way(request: pytest.FixtureRequest, slurm: Slurm, login: Login) -> Way:
    return Way(request.param, slurm, login)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def fetched(port: int) -> bytes:
    with suppress(OSError):
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/hosts", timeout=5).read()
    return b""


def test_a_shell_and_a_port_of_a_running_job(way: Way) -> None:
    port, here = free_port(), free_port()
    with experiment() as exp:
        executor = way.executor(nodes=2)
        exp.add(shell(SERVER.format(port=port)), executor, name="serve")
        exp.run(detach=True)
    record = find(exp.id)

    def runs() -> bool:
        return operations.status(record).jobs["serve"].state is State.RUNNING

    try:
        until(runs, SOON, "the job does not run")
        words = [NEMO_RUN, "experiment", "shell", exp.id, "serve", "--node", "1", "--"]
        said = [
            subprocess.run([*words, *more], capture_output=True, text=True, timeout=SOON)
            for more in (["sh", "-c", "echo $SLURM_JOB_ID; hostname"], ["sh", "-c", "exit 7"])
        ]
        job, host = said[0].stdout.split()
        assert job in way.slurm.run("squeue", "-h", "-o", "%A").split(), said[0].stderr
        nodes = way.slurm.run("squeue", "-h", "-j", job, "-o", "%N").strip()
        names = way.slurm.run("scontrol", "show", "hostnames", nodes).split()
        assert (host, said[1].returncode) == (names[1], 7)
        forward = subprocess.Popen(
            [NEMO_RUN, "experiment", "port-forward", exp.id, "serve", f"{here}:{port}"],
            stderr=subprocess.PIPE,
        )
        try:
            until(lambda: b"localhost" in fetched(here), SOON, "the port leads nowhere")
        finally:
            forward.terminate()
            _, told = forward.communicate(timeout=30)
        assert f"localhost:{here} is port {port}".encode() in told
    finally:
        operations.cancel(record)


def test_a_job_that_has_ended_cannot_be_entered(way: Way) -> None:
    with experiment() as exp:
        exp.add(shell("true"), way.executor(), name="short")
        exp.run()
    words = [NEMO_RUN, "experiment", "shell", exp.id, "short"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "only a job that runs can be entered" in done.stderr
