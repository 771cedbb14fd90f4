"""This machine as a target; and what is the same wherever it runs."""

from __future__ import annotations

import ast
import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run import remote
from nemo_run.exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    HostKeyError,
    RemoteCommandError,
    RemoteError,
    RemoteTimeoutError,
)
from nemo_run.remote import calling, failures


def test_commands_of_this_machine():
    place = run.LocalTunnel(job_dir="")
    assert place.run("echo out; echo err >&2", hide=True) == remote.RunResult(
        "out\n", "err\n", 0, "echo out; echo err >&2"
    )
    assert place.run("exit 3", warn=True).exited == 3
    assert place.run("cat").stdout == ""
    with pytest.raises(RemoteCommandError, match="`exit 3` on localhost ended with exit code 3"):
        place.run("exit 3")
    with pytest.raises(RemoteTimeoutError, match=r"Nothing came for 0\.2 s"):
        place.run("sleep 30", timeout=0.2)
    assert (place.host, place.user, place.key) == ("localhost", "", "localhost")


def test_an_agent_of_this_machine_runs_in_a_process_of_its_own():
    agent = (
        "import os\n"
        "def main(request, stdin, emit):\n"
        "    print('printed'); emit(os.getpid(), stdin.read()); return request\n"
    )
    answer = remote.call(run.LocalTunnel(), agent, {"é": [1, None]}, [b"a", b"b"])
    assert answer.value == {"é": [1, None]}
    assert answer.events[0].data == b"ab"
    assert answer.events[0].value != os.getpid()
    assert answer.stderr == "printed\n"
    with pytest.raises(RemoteCommandError, match="ZeroDivisionError"):
        remote.call(run.LocalTunnel(), "def main(a, b, c): 1 / 0", 0)
    with pytest.raises(RemoteTimeoutError):
        remote.call(
            run.LocalTunnel(), "import time\ndef main(a, b, c): time.sleep(30)", 0, timeout=1
        )


def test_what_on_event_raises_ends_the_call():
    def refuse(event):
        raise LookupError(event.value)

    agent = "import time\ndef main(a, b, c):\n c('first'); time.sleep(60)\n"
    with pytest.raises(LookupError, match="first"):
        remote.call(run.LocalTunnel(), agent, 0, on_event=refuse)


def test_a_tunnel_is_data():
    place = run.LocalTunnel(job_dir="/a")
    assert place == copy.deepcopy(place) == pickle.loads(pickle.dumps(place))
    assert place != run.LocalTunnel()
    place.packaging_jobs["job"] = remote.PackagingJob(symlink=True, src_path="/a", dst_path="/b")
    assert place.to_config().job_dir == "/a"
    place.connect()
    place.cleanup()


def test_setup_makes_the_folder(tmp_path):
    run.LocalTunnel(job_dir=f"{tmp_path}/a/b").setup()
    assert (tmp_path / "a/b").is_dir()
    run.LocalTunnel().setup()


def test_what_is_sent_ahead_of_agents_is_python_3_6():
    source = calling._FAR_SIDE.read_text()
    ast.parse(source, feature_version=(3, 6))
    assert "import nemo_run" not in source
    # For a still older one, which says so, it must at least be readable.
    ast.parse(source, feature_version=(3, 4))


def test_importing_nemo_run_loads_no_tunnel():
    code = "import sys, nemo_run; print([m for m in sys.modules if 'remote' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# What OpenSSH 7.4 to 9.9 says, by the kind of failure that it is.
SAID = {
    ConnectionFailedError: """\
ssh: Could not resolve hostname x: Name or service not known
ssh: Could not resolve hostname x: Temporary failure in name resolution
ssh: connect to host x port 22: Connection refused
ssh: connect to host x port 22: No route to host
ssh: connect to host x port 22: Network is unreachable
Connection closed by 1.2.3.4 port 22
kex_exchange_identification: read: Connection reset by peer
client_loop: send disconnect: Broken pipe
debug1: nothing for people""",
    RemoteTimeoutError: """\
ssh: connect to host x port 22: Connection timed out
ssh: connect to host x port 22: Operation timed out
Connection timed out during banner exchange
Timeout, server x not responding.""",
    AuthenticationError: """\
u@x: Permission denied (publickey,keyboard-interactive).
Received disconnect from 1.2.3.4 port 22:2: Too many authentication failures""",
    HostKeyError: """\
Host key verification failed.
No ED25519 host key is known for x and you have requested strict checking.
@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @""",
    RemoteError: "/home/u/.ssh/config: line 3: Bad configuration option: nope",
}


@pytest.mark.parametrize(
    ("log", "kind"), [(line, kind) for kind, lines in SAID.items() for line in lines.splitlines()]
)
def test_what_ssh_says_is_told_as_the_failure_that_it_is(log, kind):
    error = failures.error_of(log, "cluster", "ssh cluster")
    assert type(error) is kind
    assert str(error).startswith("cluster: ")
    assert "debug1" not in str(error)


def test_hosts_are_added_to_a_configuration_and_removed(tmp_path):
    from nemo_run.core.tunnel.client import SSHConfigFile

    file = tmp_path / "new" / "config"
    hosts = SSHConfigFile(str(file))
    hosts.add_entry("ada", "10.0.0.1", 2222, "space")
    mine = "# mine\nHost other\n  User bob\n"
    file.write_text(mine + file.read_text())
    hosts.add_entry("ada", "10.0.0.2", 2223, "space")
    said = subprocess.run(["ssh", "-F", file, "-G", "space"], capture_output=True, text=True).stdout
    assert {"user ada", "hostname 10.0.0.2", "port 2223"} <= set(said.splitlines())
    assert file.read_text().count("Host space") == 1
    hosts.remove_entry("space")
    assert file.read_text() == mine
    hosts.remove_entry("space")


def test_callbacks_are_told_until_it_ends():
    from nemo_run.core.tunnel.callback import Callback

    seen = []

    class Mine(Callback):
        def setup(self, tunnel):
            seen.append(tunnel.key)

        def on_start(self):
            seen.append("start")

        def on_interval(self):
            seen.append("interval")
            if len(seen) > 3:
                raise KeyboardInterrupt

        def on_stop(self):
            seen.append("stop")

        def on_error(self, error):
            seen.append(type(error))

    with pytest.raises(KeyboardInterrupt):
        run.LocalTunnel().keep_alive(Mine(), interval=0.01)
    assert seen == ["localhost", "start", "interval", "interval", KeyboardInterrupt, "stop"]


def test_rsync_goes_over_the_same_connection(cluster, tunnel, tmp_path):
    import shutil

    from nemo_run.core.tunnel.rsync import rsync

    if not shutil.which("rsync"):
        pytest.skip("There is no rsync on this machine.")
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "a b").write_text("content")
    (tmp_path / "from" / "no").write_text("not this")
    rsync(tunnel(), f"{tmp_path}/from/", f"{tmp_path}/to", exclude=["no"])
    assert [path.name for path in Path(tmp_path, "to").iterdir()] == ["a b"]
    assert cluster.logins() == 1
    with pytest.raises(ValueError, match="host keys are always checked"):
        rsync(tunnel(), "a", "b", strict_host_keys=False)
    with pytest.raises(RemoteCommandError, match="rsync to cluster"):
        rsync(tunnel(), f"{tmp_path}/missing", f"{tmp_path}/to")


def test_folders_of_tunnels_are_deleted(tmp_path):
    from nemo_run.core.tunnel.client import delete_tunnel_dir

    (tmp_path / "a/b").mkdir(parents=True)
    delete_tunnel_dir(tmp_path / "a")
    delete_tunnel_dir(tmp_path / "a")
    assert not (tmp_path / "a").exists()
