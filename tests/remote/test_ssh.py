"""Commands on another machine, over a real sshd."""

from __future__ import annotations

from nemo_run import remote


def tunnel(**fields: object) -> remote.SSHTunnel:
    return remote.SSHTunnel(**{"job_dir": "/tmp/nowhere", "host": "cluster", **fields})


def test_a_command_says_what_it_said_and_how_it_ended(cluster):
    result = tunnel().run("echo out; echo err >&2; exit 3", hide=True, warn=True)
    assert (result.stdout, result.stderr, result.return_code) == ("out\n", "err\n", 3)
    assert (result.exited, result.ok, result.failed, bool(result)) == (3, False, True, False)


def test_many_commands_share_one_login(cluster):
    for _ in range(3):
        assert tunnel().run("echo hello").stdout == "hello\n"
    assert cluster.logins() == 1


def test_255_of_a_command_is_its_own(cluster):
    assert tunnel().run("exit 255", warn=True).return_code == 255
    assert tunnel().run("kill -9 $$", warn=True).return_code != 0


AGENT = """
def main(request, stdin, emit):
    print("noise")
    emit({"got": request}, b"bytes\\n\\x00")
    return len(stdin.read())
"""


def test_a_call_is_one_round_trip(cluster):
    place = tunnel()
    before = remote.round_trips(place)
    answer = remote.call(place, AGENT, {"a": 1}, payload=[b"x" * 1000, b"y"])
    assert answer.value == 1001
    assert answer.events == (remote.Event({"got": {"a": 1}}, b"bytes\n\0"),)
    assert remote.round_trips(place) == before + 1
    assert cluster.logins() == 1
