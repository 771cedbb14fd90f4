"""Commands and calls on another machine, over a real sshd."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run import remote
from nemo_run.exceptions import RemoteCommandError, RemoteError

AGENT = """
import os, subprocess
def main(request, stdin, emit):
    print("noise of the agent", flush=True)
    subprocess.call(["echo", "noise of a program"])
    emit({"got": request}, b"bytes\\n\\x00")
    return sum(len(piece) for piece in iter(lambda: stdin.read(1 << 16), b""))
"""


def program(name: str) -> None:
    """Demand a program: continuous integration has it, other machines may not."""
    if shutil.which(name) is None and os.environ.get("CI") != "true":
        pytest.skip(f"There is no {name} on this machine.")


def test_a_command_says_what_it_said_and_how_it_ended(cluster, tunnel):
    result = tunnel().run("echo out; echo err >&2; exit 3", hide=True, warn=True)
    assert (result.stdout, result.stderr, result.return_code) == ("out\n", "err\n", 3)
    assert (result.exited, result.ok, result.failed, bool(result)) == (3, False, True, False)
    assert tunnel().run("printf 'caf\\303\\251 \\377'").stdout == "café \udcff"


def test_a_command_that_fails_raises_with_what_it_said(cluster, tunnel):
    with pytest.raises(RemoteCommandError, match="exit code 4: no such partition") as caught:
        tunnel().run("echo no such partition >&2; exit 4")
    assert caught.value.result.return_code == 4


def test_standard_input_is_closed(cluster, tunnel):
    assert tunnel().run("cat; echo end", timeout=20).stdout == "end\n"


def test_output_can_be_shown_while_it_comes(cluster, tunnel, capfd):
    tunnel().run("echo out; echo err >&2", hide=False)
    assert capfd.readouterr() == ("out\n", "err\n")
    tunnel().run("echo out; echo err >&2", hide="stdout")
    assert capfd.readouterr() == ("", "err\n")
    tunnel().run("echo out; echo err >&2", hide=True)
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="hide is 'everything'"):
        tunnel().run("true", hide="everything")


def test_many_commands_copies_and_calls_share_one_login(cluster, tunnel, tmp_path):
    for _ in range(3):
        assert tunnel().run("echo hello").stdout == "hello\n"
    remote.call(tunnel(), AGENT, None)
    tunnel().put(__file__, f"{tmp_path}/there.py")
    tunnel().get(f"{tmp_path}/there.py", f"{tmp_path}/back.py")
    assert cluster.logins() == 1


def test_another_process_uses_the_same_login(cluster, tunnel):
    tunnel().connect()
    code = (
        "import nemo_run as run; t = run.SSHTunnel(job_dir='/tmp', host='cluster')\n"
        "print(t.run('echo from another').stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "from another\n\n"
    assert cluster.logins() == 1


def test_the_socket_is_private(cluster, tunnel):
    tunnel().connect()
    path = tunnel()._connection().socket
    assert len(os.fsencode(path)) < 80  # ssh appends 17 bytes, and the limit is 104 or 108
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_255_of_a_command_is_its_own(cluster, tunnel):
    assert tunnel().run("exit 255", warn=True).return_code == 255
    # The login shell itself is ended: nobody tells an exit status, and the connection goes on.
    assert tunnel().run("kill -9 $$", warn=True).return_code == 255
    assert cluster.logins() == 1


def test_what_comes_before_each_command(cluster, tunnel):
    assert tunnel(pre_command="cd / && X=1").run("pwd; echo $X").stdout == "/\n1\n"
    assert tunnel(pre_command="false").run("echo not run", warn=True).stdout == ""
    agent = "import os\ndef main(a, b, c): return os.environ['X'], os.getcwd()"
    place = tunnel(pre_command="cd / && export X='it is $set'", shell="/bin/sh -e")
    assert remote.call(place, agent, 0).value == ["it is $set", "/"]
    assert tunnel(shell="/bin/sh", pre_command="X='a b'").run('echo $0 "$X"').stdout == (
        "/bin/sh a b\n"
    )


@pytest.mark.parametrize("shell", ["bash", "dash", "fish", "tcsh", "zsh"])
def test_noise_of_the_login_shell_is_not_the_commands(lab, tunnel, shell, tmp_path):
    """Not a real login shell: an account has one only. ForceCommand runs any with its noise."""
    program(shell)
    noisy = tmp_path / "noisy"
    noisy.write_text(
        "#!/bin/sh\necho Welcome to the cluster; printf 'unfinished line'; echo warn >&2\n"
        f'exec {shell} -c "$SSH_ORIGINAL_COMMAND"\n'
    )
    noisy.chmod(0o755)
    lab.host("cluster", f"ForceCommand {noisy}")
    assert tunnel().run("echo 4242").stdout == "4242\n"
    answer = remote.call(tunnel(), AGENT, {"it's": "a \\ ! $x"}, payload=[b"x" * 100_000])
    assert answer.value == 100_000
    assert answer.events[0].value == {"got": {"it's": "a \\ ! $x"}}
    assert "noise of the agent" in answer.stderr
    tunnel().put(__file__, f"{tmp_path}/it's a ! file")
    tunnel().get(f"{tmp_path}/it's a ! file", f"{tmp_path}/back")
    assert (tmp_path / "back").read_text() == Path(__file__).read_text()


def test_a_call_is_one_round_trip(cluster, tunnel):
    place = tunnel()
    before = remote.round_trips(place)
    answer = remote.call(place, AGENT, {"a": 1}, payload=[b"x" * 1000, b"y"])
    assert answer.value == 1001
    assert answer.events == (remote.Event({"got": {"a": 1}}, b"bytes\n\0"),)
    assert remote.round_trips(place) == before + 1


def test_events_come_while_the_agent_works(cluster, tunnel):
    """The agent goes on only once its first event has made the payload come."""
    came = threading.Event()

    def payload():
        assert came.wait(20)
        yield b"go on"

    agent = "def main(request, stdin, emit):\n emit('first'); return stdin.read().decode()\n"
    answer = remote.call(tunnel(), agent, 0, payload(), on_event=lambda _: came.set())
    assert answer == remote.Answer("go on", (), answer.stderr)


def test_what_an_agent_raises_comes_back_with_its_traceback(cluster, tunnel):
    agent = "def main(request, stdin, emit):\n    return {}['missing']\n"
    with pytest.raises(RemoteCommandError, match="KeyError: 'missing'") as caught:
        remote.call(tunnel(), agent, 1)
    assert "return {}['missing']" in str(caught.value)
    assert caught.value.result["type"] == "KeyError"


def test_an_agent_that_cannot_be_compiled_or_answers_no_json_is_told(cluster, tunnel):
    with pytest.raises(RemoteCommandError, match="SyntaxError"):
        remote.call(tunnel(), "def main(:", 1)
    with pytest.raises(RemoteCommandError, match="not JSON serializable"):
        remote.call(tunnel(), "def main(a, b, c): return {1, 2}", 1)


def test_files_of_the_home_folder_are_not_pythons_own(cluster, tunnel, tmp_path):
    (tmp_path / "json.py").write_text("raise RuntimeError('not the json that was meant')")
    assert remote.call(tunnel(pre_command=f"cd {tmp_path}"), AGENT, 1).value == 0


def test_an_agent_that_is_killed_gives_no_answer(cluster, tunnel):
    agent = "import os\ndef main(request, stdin, emit):\n    os.kill(os.getpid(), 9)\n"
    with pytest.raises(RemoteError, match="did not answer"):
        remote.call(tunnel(), agent, 1)


def test_a_machine_without_python_is_told_what_to_do(cluster, tunnel, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RemoteError, match=r"no python3.*pre_command='module load python'"):
        remote.call(tunnel(pre_command=f"PATH={tmp_path}/empty"), AGENT, 1)


def test_a_payload_that_fails_ends_the_call(cluster, tunnel):
    def payload():
        yield b"some"
        raise FileNotFoundError("the file went away")

    with pytest.raises(FileNotFoundError, match="the file went away"):
        remote.call(tunnel(), AGENT, 1, payload())


def test_a_payload_that_comes_only_once_is_not_sent_twice(cluster, tunnel, wait_until):
    """Not a byte of it is taken before the agent runs."""
    taken = []

    def payload():
        taken.append(1)
        yield b"x"

    with pytest.raises(RemoteError, match="no python3"):
        remote.call(tunnel(pre_command="PATH=/nowhere"), AGENT, 0, payload())
    assert not taken
    tunnel().connect()
    cluster.cut()
    assert remote.call(tunnel(), AGENT, 0, payload()).value == 1
    with pytest.raises(ValueError, match="gone through only once"):
        remote.call(tunnel(), AGENT, 0, payload(), again=True)


def test_an_agent_that_leaves_its_payload_unread_answers_all_the_same(cluster, tunnel):
    agent = "def main(request, stdin, emit):\n    return 'enough'\n"
    assert remote.call(tunnel(), agent, 1, (b"x" * 65536 for _ in range(200))).value == "enough"


def test_calls_of_many_threads_do_not_disturb_each_other(cluster, tunnel):
    """More at once than the shared connection takes: sshd's MaxSessions is 10."""
    found = {}

    def ask(number):
        found[number] = tunnel().run(f"sleep 1; echo {number}").stdout

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(14)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {n: f"{n}\n" for n in range(14)}
    assert tunnel()._connection().socket is not None


def test_ports_are_forwarded_until_it_is_ended(cluster, tunnel, wait_until):
    from sshd_lab import free_port, greets

    port = free_port()
    process = subprocess.Popen(tunnel().forward(f"127.0.0.1:{port}:127.0.0.1:{cluster.port}"))
    try:
        wait_until(lambda: greets(port))
        assert process.poll() is None
    finally:
        process.terminate()
    assert process.wait() == 0
    assert not greets(port)
    assert cluster.logins() == 1


def test_a_program_for_a_person_runs_over_the_same_connection(cluster, tunnel):
    argv = tunnel(pre_command="cd /").command(["echo", "a  b", "$HOME"])
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "a  b $HOME\n"
    assert "-t" in tunnel().command(tty=True)
    assert cluster.logins() == 1


def test_a_tunnel_is_data(cluster):
    tunnel = run.SSHTunnel(job_dir="/tmp/x", host="cluster", user="ada", port=2222)
    assert tunnel.key == "ada@cluster:2222"
    assert run.SSHTunnel("/tmp/x", "cluster", "ada", 2222) == tunnel
    assert copy.deepcopy(tunnel) == tunnel == pickle.loads(pickle.dumps(tunnel))
    assert tunnel.to_config().host == "cluster"
    here = run.SSHTunnel(job_dir="/tmp/x", host="cluster")
    here.connect()
    assert copy.deepcopy(here) == here == pickle.loads(pickle.dumps(here))
    here.cleanup()
    here.disconnect()
    assert here.run("echo on").stdout == "on\n"
    assert cluster.logins() == 1


def test_who_logs_out_ends_the_connection_of_all(cluster, tunnel, wait_until):
    tunnel().log_out()
    tunnel().connect()
    tunnel().log_out()
    wait_until(lambda: not tunnel()._connection().socket.exists())
    assert tunnel().run("echo in").stdout == "in\n"
    assert cluster.logins() == 2


def test_setup_makes_the_folder(cluster, tunnel, tmp_path):
    tunnel(job_dir=f"{tmp_path}/it's new/x").setup()
    assert (tmp_path / "it's new/x").is_dir()
    tunnel(job_dir="~/a b/c", pre_command=f"export HOME={tmp_path}").setup()
    assert (tmp_path / "a b/c").is_dir()


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch /tmp/x", "two words"])
def test_a_host_is_a_host(host):
    with pytest.raises(RemoteError, match="the host is an address"):
        run.SSHTunnel(job_dir="/x", host=host).run("true")
