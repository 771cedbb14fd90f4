"""Sentences on standard error, as other programs at the same terminal meet them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

PROGRAM = """
import nemo_run as run

with run.Experiment("digits") as exp:
    exp.add(run.Script(inline="echo hello"), name="good")
    exp.run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sockets of Unix")
def test_a_line_and_its_end_are_written_at_once(home, tmp_path):
    program = tmp_path / "launch.py"
    program.write_text(PROGRAM)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # one message each write
    with ours:
        with theirs:
            done = subprocess.run(
                [sys.executable, str(program)], timeout=60, check=True, stderr=theirs,
                stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        assert done.returncode == 0
        ours.setblocking(False)
        written = []
        while len(written) < 100:
            try:
                written.append(ours.recv(1 << 16))
            except BlockingIOError:
                break
    assert b"good: SUCCEEDED\n" in written
    assert all(piece.endswith(b"\n") for piece in written)
