"""Logins that ask somebody: a person at a terminal, or a program that stands in for one."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

WORK = """
import pathlib, subprocess, sys
import nemo_run as run
from nemo_run import remote
place = run.SSHTunnel(job_dir="/tmp", host="cluster")
print(place.run("echo first").stdout, end="")
print(place.run("echo second").stdout, end="")
place.put(sys.argv[1], sys.argv[1] + ".there")
place.get(sys.argv[1] + ".there", sys.argv[1] + ".back")
print(remote.call(place, "def main(a, b, c): return 'called'", 0).value)
"""


def with_passphrase(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", path], check=True)
    return path


def at_a_terminal(code: str, *arguments: str, answers: dict[str, str]) -> tuple[str, int]:
    """Run Python at a terminal of its own, and type the answer to each question as it is asked."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", code, *arguments])
    seen, answered = "", 0
    while True:
        try:
            piece = os.read(terminal, 4096).decode()
        except OSError:  # the terminal of a process that has ended
            break
        seen += piece
        for question, answer in answers.items():
            if re.search(question, seen[answered:]):
                answered = len(seen)
                os.write(terminal, f"{answer}\n".encode())
    os.close(terminal)
    return seen.replace("\r", ""), os.waitpid(child, 0)[1]


def in_the_background(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as the conductor runs: without a terminal."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_a_person_is_asked_once_for_commands_copies_calls_and_processes(lab, cluster, tmp_path):
    """Two secrets: sshd wants two keys, and each has a passphrase."""
    from sshd_lab import key

    lab.close()
    second = key(lab.folder / "second")
    public = second.with_suffix(".pub").read_text()
    with (lab.folder / "id.pub").open("a") as file:
        file.write(public)
    with_passphrase(cluster.key)
    with_passphrase(second)
    (tmp_path / "file").write_text("content")
    lab.config.unlink()
    host = lab.host(
        "cluster",
        "AuthenticationMethods publickey,publickey",
        client=f"IdentityFile {second}\nAddKeysToAgent no\nIdentityAgent none",
    )
    assert in_the_background(WORK, f"{tmp_path}/file").returncode != 0, "nobody to ask"
    answers = {r"Enter passphrase for key '[^']*': $": "secret"}
    seen, status = at_a_terminal(WORK, f"{tmp_path}/file", answers=answers)
    assert seen.count("Enter passphrase") == 2, seen
    assert seen.splitlines()[-3:] == ["first", "second", "called"]
    assert status == 0
    assert (tmp_path / "file.back").read_text() == "content"
    later = in_the_background(WORK, f"{tmp_path}/file")
    assert later.stdout == "first\nsecond\ncalled\n", later.stderr
    assert host.logins() == 1


def test_nobody_to_ask_is_told_at_once_and_nothing_waits(lab, cluster, tmp_path):
    with_passphrase(cluster.key)
    code = "import nemo_run as run; run.SSHTunnel(job_dir='/tmp', host='cluster').connect()"
    done = in_the_background(code)
    assert "AuthenticationError" in done.stderr
    assert "once for all its processes" in done.stderr


PAM = Path("/etc/pam.d")


@pytest.fixture
def second_factor(lab, tmp_path):
    """An sshd with keyboard-interactive logins of two questions, through a PAM service of ours."""
    module = next(Path("/").glob("lib/*/security/pam_exec.so"), None) or next(
        Path("/").glob("usr/lib*/**/security/pam_exec.so"), None
    )
    if os.geteuid() or not os.access(PAM, os.W_OK) or module is None:
        pytest.skip("A PAM service can only be made by root, with pam_exec.")
    from sshd_lab import SSHD

    # The name of the program is that of its service (auth-pam.c of OpenSSH: SSHD_PAM_SERVICE).
    program = lab.folder / f"nrl{os.getpid()}sshd"
    shutil.copy(SSHD, program)
    check = lab.folder / "check"
    check.write_text('#!/bin/sh\nread -r said || :\n[ "$said" = secret ]\n')
    check.chmod(0o755)
    service = PAM / program.name
    service.write_text(
        f"auth required {module} quiet expose_authtok {check}\nauth required pam_permit.so\n"
        "account required pam_permit.so\nsession required pam_permit.so\n"
    )
    ask = lab.folder / "ask"
    ask.write_text(f'#!/bin/sh\necho "$1" >>{lab.folder}/asked\necho secret\n')
    ask.chmod(0o755)
    try:
        yield lab.host(
            "cluster",
            "UsePAM yes",
            "KbdInteractiveAuthentication yes",
            "AuthenticationMethods keyboard-interactive,keyboard-interactive",
            program=str(program),
        )
    finally:
        service.unlink()


def test_a_second_factor_is_asked_for_once(second_factor, lab, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("content")
    assert "AuthenticationError" in in_the_background(WORK, f"{tmp_path}/file").stderr
    answers = {r"[Pp]assword: ?$": "secret"}
    seen, status = at_a_terminal(WORK, f"{tmp_path}/file", answers=answers)
    assert len(re.findall("[Pp]assword:", seen)) == 2, seen
    assert seen.splitlines()[-3:] == ["first", "second", "called"]
    assert status == 0
    later = in_the_background(WORK, f"{tmp_path}/file")
    assert later.stdout == "first\nsecond\ncalled\n", later.stderr
    assert second_factor.logins() == 1


def test_ssh_askpass_stands_in_for_the_terminal(second_factor, lab, tmp_path, monkeypatch):
    monkeypatch.setenv("SSH_ASKPASS", f"{lab.folder}/ask")
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    (tmp_path / "file").write_text("content")
    for _ in range(2):
        done = in_the_background(WORK, f"{tmp_path}/file")
        assert done.stdout == "first\nsecond\ncalled\n", done.stderr
    assert len((lab.folder / "asked").read_text().splitlines()) == 2
    assert second_factor.logins() == 1


def test_several_processes_at_once_log_in_once(cluster, tmp_path):
    code = (
        "import nemo_run as run\n"
        "print(run.SSHTunnel(job_dir='/tmp', host='cluster').run('echo in').stdout)\n"
    )
    several = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [one.communicate(timeout=60)[0] for one in several] == ["in\n\n"] * 4
    assert cluster.logins() == 1


def test_who_waits_for_another_login_does_not_wait_for_ever(cluster, tunnel):
    """As when a person has gone away from the question."""
    import fcntl

    code = (
        "from nemo_run.remote import SSHTunnel, connection\n"
        "connection._OTHERS = 0.3\n"
        "SSHTunnel(job_dir='/tmp', host='cluster').run('true')\n"
    )
    path = tunnel()._connection().socket
    with path.with_name(f"{path.name[:2]}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = in_the_background(code)
        assert "another process has been logging in for 0.3 s" in done.stderr
    assert in_the_background(code).returncode == 0


@pytest.mark.parametrize("fault", ["somebody else's", "open to others", "a link"])
def test_a_folder_that_is_not_ours_alone_holds_no_socket(fault, tmp_path, monkeypatch):
    from nemo_run.remote import openssh

    folder = tmp_path / "nemo-run"
    monkeypatch.setattr(openssh, "_FOLDERS", ("{runtime}/nemo-run",))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if fault == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to("elsewhere")
    elif fault == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    elif os.geteuid() == 0:
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, -1)
    else:
        pytest.skip("Only root can make a folder of somebody else.")
    assert openssh.private_folder() is None
    shutil.rmtree(folder) if not folder.is_symlink() else folder.unlink()
    assert openssh.private_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_ctrl_c_at_the_question_ends_it(lab, cluster, tmp_path):
    with_passphrase(cluster.key)
    code = textwrap.dedent("""
        import nemo_run as run
        try:
            run.SSHTunnel(job_dir="/tmp", host="cluster").connect()
        except KeyboardInterrupt:
            print("interrupted")
    """)
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.execv(sys.executable, [sys.executable, "-c", code])
    seen = ""
    while "passphrase" not in seen:
        seen += os.read(terminal, 4096).decode()
    os.write(terminal, b"\x03")
    while "interrupted" not in seen:
        seen += os.read(terminal, 4096).decode()
    os.waitpid(child, 0)
    os.close(terminal)
