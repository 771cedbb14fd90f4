"""A port that leads elsewhere, with real sockets."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time

import pytest

from nemo_run.exceptions import ConnectionFailedError
from nemo_run.remote.relay import relay

_RELAY = """
import sys
from nemo_run.remote.relay import relay
relay(0, "127.0.0.1", int(sys.argv[1]), ready=lambda port: print(port, flush=True))
"""


@pytest.fixture
def echo():
    """A server that gives back what it gets, in capitals."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                taken, _ = server.accept()
            except OSError:
                return
            with taken:
                while data := taken.recv(65536):
                    taken.sendall(data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1]
    # A thread in accept() is not woken by close().
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


@pytest.fixture
def relayed(echo):
    process = subprocess.Popen(
        [sys.executable, "-c", _RELAY, str(echo)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.kill()
    process.wait()
    process.stdout.close()


def test_what_is_sent_arrives_and_comes_back(relayed):
    sent = b"x" * 1_000_000
    with socket.create_connection(("127.0.0.1", relayed)) as there:
        writer = threading.Thread(
            target=lambda: (there.sendall(sent), there.shutdown(socket.SHUT_WR))
        )
        writer.start()
        got = b""
        while block := there.recv(65536):
            got += block
        writer.join()
    assert got == b"X" * 1_000_000


def test_nobody_listens_there_yet():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", _RELAY, str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        here = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", here)) as there:
            assert there.recv(1) == b""
        time.sleep(0.1)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_port_that_is_taken():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConnectionFailedError, match="cannot be opened"),
    ):
        relay(taken.getsockname()[1], "127.0.0.1", 1)
