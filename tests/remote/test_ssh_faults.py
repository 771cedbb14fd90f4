"""What goes wrong between two machines, with real ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading

import pytest

from nemo_run import remote
from nemo_run.exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    HostKeyError,
    RemoteError,
    RemoteTimeoutError,
)

APPEND = """
import time
def main(request, stdin, emit):
    with open(request, "a") as file:
        file.write("ran\\n")
    emit("begun")
    time.sleep(0.5 if sum(1 for _ in open(request)) > 1 else 60)
    return "done"
"""


def test_a_connection_that_died_between_calls_is_made_anew(cluster, tunnel, wait_until):
    assert tunnel().run("echo 1").stdout == "1\n"
    cluster.cut()
    assert tunnel().run("echo 2").stdout == "2\n"
    assert cluster.logins() == 2


def test_what_a_dead_master_left_behind_does_not_disturb(cluster, tunnel):
    tunnel().connect()
    path = tunnel()._connection().socket
    cluster.cut()
    while path.exists():
        pass
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # a socket that nobody listens on
    assert tunnel().run("echo 2").stdout == "2\n"


def test_a_cut_in_the_middle_of_a_call_is_told_and_nothing_runs_twice(cluster, tunnel, tmp_path):
    file = tmp_path / "ran"
    with pytest.raises(ConnectionFailedError, match=r"cluster: .*may have been running"):
        remote.call(tunnel(), APPEND, str(file), on_event=lambda _: cluster.cut())
    assert file.read_text() == "ran\n"


def test_a_call_that_may_run_twice_is_made_again(cluster, tunnel, tmp_path):
    cuts = [cluster.cut]
    answer = remote.call(
        tunnel(),
        APPEND,
        str(tmp_path / "ran"),
        on_event=lambda _: cuts.pop()() if cuts else None,
        again=True,
    )
    assert answer.value == "done"
    assert (tmp_path / "ran").read_text() == "ran\nran\n"
    with pytest.raises(ConnectionFailedError):
        remote.call(tunnel(), APPEND, f"{tmp_path}/2", on_event=lambda _: cluster.cut(), again=True)
    assert (tmp_path / "2").read_text() == "ran\nran\n"


def test_a_command_that_is_silent_for_too_long_is_let_go_of(cluster, tunnel):
    with pytest.raises(RemoteTimeoutError, match=r"nothing came for 0\.5 s"):
        tunnel().run("sleep 60", timeout=0.5)
    assert tunnel().run("for i in 1 2 3 4 5; do echo $i; sleep 1; done", timeout=4).ok
    assert cluster.logins() == 1


def test_a_line_that_goes_dead_in_the_middle_is_noticed(lab, tunnel):
    cluster = lab.host("cluster", client="ServerAliveInterval 1\nServerAliveCountMax 2")
    tunnel().connect()
    threading.Timer(0.5, lambda: [os.kill(p, signal.SIGSTOP) for p in cluster.sessions()]).start()
    with pytest.raises(ConnectionFailedError, match="the shared connection ended"):
        tunnel().run("sleep 60")


def test_a_host_that_never_answers_is_given_up(lab, tunnel):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        lab.config.write_text(
            f"Host cluster\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n"
            "  ConnectTimeout 1\n"
        )
        with pytest.raises(RemoteTimeoutError, match=r"cluster: Connection .*timed out"):
            tunnel().run("true")


def test_nothing_is_held_open_where_connections_are_not_shared(lab, tunnel, monkeypatch):
    cluster = lab.host("cluster")
    monkeypatch.setenv("NEMORUN_SSH", f"ssh -o ControlPath=none -F {lab.config}")
    tunnel().connect()
    assert tunnel()._connection().socket is None
    cluster.stop()
    with pytest.raises(ConnectionFailedError, match="refused"):
        tunnel().connect()


def test_a_port_where_nobody_listens(lab, tunnel):
    from sshd_lab import free_port

    lab.config.write_text(f"Host cluster\n  HostName 127.0.0.1\n  Port {free_port()}\n")
    with pytest.raises(ConnectionFailedError, match=r"Connection refused.*Check the port"):
        tunnel().run("true")


def test_a_host_that_nobody_knows(lab, tunnel):
    lab.config.write_text("")
    with pytest.raises(ConnectionFailedError, match="Could not resolve hostname"):
        tunnel(host="no-such-host.invalid").run("true")


def test_a_key_that_is_not_let_in(cluster, tunnel, lab):
    from sshd_lab import key

    key(lab.folder / "wrong")
    lab.config.write_text(
        lab.config.read_text().replace(f"{cluster.key}\n", f"{lab.folder}/wrong\n")
    )
    with pytest.raises(AuthenticationError, match=r"Permission denied.*Run `ssh .*cluster`"):
        tunnel().run("true")


def test_why_is_told_though_ssh_is_to_be_quiet(lab, tunnel):
    cluster = lab.host("cluster", client="LogLevel QUIET\nPubkeyAuthentication no")
    with pytest.raises(AuthenticationError, match="Permission denied"):
        tunnel().run("true")
    cluster.stop()
    with pytest.raises(ConnectionFailedError, match="Connection refused"):
        tunnel(user="another").run("true")


def test_who_is_refused_does_not_knock_all_the_time(cluster, tunnel, lab):
    """As a process in the background would, which looks at its jobs every few seconds."""
    from sshd_lab import key

    right = lab.config.read_text()
    key(lab.folder / "wrong")
    lab.config.write_text(right.replace(f"{cluster.key}\n", f"{lab.folder}/wrong\n"))
    for _ in range(3):
        with pytest.raises(AuthenticationError, match="Permission denied"):
            tunnel().run("true")
    # Somebody logs in; nothing more is needed.
    path = tunnel()._connection().socket
    argv = ["ssh", "-F", str(lab.config), "-i", str(cluster.key), "-S", str(path), "-M"]
    subprocess.run(
        [*argv, "-o", "ControlPersist=60", "cluster", "exit 0"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    assert tunnel().run("echo in").stdout == "in\n"


def test_a_key_of_the_tunnel_itself(cluster, tunnel, lab):
    lab.config.write_text(lab.config.read_text().replace(f"{cluster.key}\n", "/nowhere\n"))
    assert tunnel(identity=str(cluster.key)).run("echo in").stdout == "in\n"
    with pytest.raises(RemoteError, match="There is no /nowhere/id"):
        tunnel(identity="/nowhere/id").run("true")


def test_a_host_key_that_changed(cluster, tunnel, lab):
    from sshd_lab import key

    other = key(lab.folder / "other").with_suffix(".pub").read_text()
    cluster.known_hosts.write_text(f"[127.0.0.1]:{cluster.port} {other}")
    with pytest.raises(HostKeyError, match=r"HAS CHANGED.*Ask its administrators"):
        tunnel().run("true")


def test_a_host_key_that_is_not_known(cluster, tunnel):
    cluster.known_hosts.write_text("")
    with pytest.raises(HostKeyError, match=r"not known here yet. Run `ssh .*cluster` once"):
        tunnel().run("true")
    assert cluster.known_hosts.read_text() == ""


def test_a_configuration_that_takes_any_key_does_not_take_a_changed_one(lab, tunnel):
    from sshd_lab import key

    cluster = lab.host("cluster", client="StrictHostKeyChecking no")
    cluster.known_hosts.write_text("")
    assert tunnel().run("echo new").stdout == "new\n"
    cluster.cut()
    other = key(lab.folder / "other").with_suffix(".pub").read_text()
    cluster.known_hosts.write_text(f"[127.0.0.1]:{cluster.port} {other}")
    with pytest.raises(HostKeyError):
        tunnel().run("true")


def test_through_a_jump_host(lab, tunnel):
    gate = lab.host("gate")
    inner = lab.host("cluster", client="ProxyJump gate")
    for _ in range(2):
        assert tunnel().run("echo inside").stdout == "inside\n"
    assert remote.call(tunnel(), "def main(a, b, c): return 7", 0).value == 7
    assert (gate.logins(), inner.logins()) == (1, 1)


def test_a_port_is_that_of_commands_copies_and_calls(lab, tunnel, tmp_path):
    cluster = lab.host("cluster")
    lab.config.write_text(lab.config.read_text().replace(f"Port {cluster.port}", "Port 1"))
    place = tunnel(port=cluster.port)
    assert place.run("echo 1").ok
    place.put(__file__, f"{tmp_path}/a")
    place.get(f"{tmp_path}/a", f"{tmp_path}/b")
    assert remote.call(place, "def main(a, b, c): return 7", 0).value == 7


@pytest.mark.parametrize("way", ["no folder", "no sharing", "one session"])
def test_without_a_shared_connection(lab, tunnel, way, monkeypatch):
    if way == "no folder":
        lab.host("cluster", client=f"ControlPath {lab.folder}/missing/%C")
    elif way == "no sharing":
        monkeypatch.setenv("NEMORUN_SSH", f"ssh -o ControlPath=none -F {lab.config}")
        lab.host("cluster")
    else:
        lab.host("cluster", "MaxSessions 1")
    running = [threading.Thread(target=tunnel().run, args=("sleep 1",)) for _ in range(2)]
    for one in running:
        one.start()
    tunnel().connect()
    assert tunnel().run("exit 255", warn=True).return_code == 255
    assert tunnel().run("echo err >&2; exit 3", warn=True).stderr == "err\n"
    assert remote.call(tunnel(), "def main(a, b, c): return len(b.read())", 0, [b"123"]).value == 3
    for one in running:
        one.join()


def test_a_shared_connection_of_the_user_is_used(lab, tunnel, tmp_path):
    own = lab.folder / "own"
    cluster = lab.host("cluster", client=f"ControlPath {own}-%C\nControlMaster auto")
    argv = ["ssh", "-F", str(lab.config), "-o", "ControlPersist=60", "cluster", "exit 0"]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
    assert tunnel().run("echo hello").stdout == "hello\n"
    assert cluster.logins() == 1


def test_what_is_configured_for_people_does_not_disturb(lab, tunnel):
    from sshd_lab import free_port

    lab.host(
        "cluster",
        client=f"LocalForward {free_port()} localhost:1\nRemoteCommand tmux\nRequestTTY force\n"
        "ExitOnForwardFailure yes\nLogLevel QUIET\nForwardX11 yes\nPermitLocalCommand yes\n"
        "LocalCommand echo hello",
    )
    assert tunnel().run("echo only this").stdout == "only this\n"


def test_a_configuration_that_cannot_be_read(lab, tunnel):
    lab.config.write_text("Host cluster\n  NoSuchOption yes\n")
    with pytest.raises(RemoteError, match=r"Bad configuration option: nosuchoption.*Correct"):
        tunnel().run("true")


def test_without_ssh(tunnel, monkeypatch):
    monkeypatch.setenv("NEMORUN_SSH", "/nowhere/ssh")
    with pytest.raises(RemoteError, match="There is no program '/nowhere/ssh' here"):
        tunnel().run("true")
