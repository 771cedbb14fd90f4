"""salloc: an allocation for as long as a command runs."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from . import wire
from .client import show, write

if TYPE_CHECKING:
    import socket


def follow(link: socket.socket) -> int:
    """Wait for the allocation, run the command in it, and return its exit status."""
    reader = wire.Reader()
    while messages := wire.receive(link, reader):
        for message in messages:
            show(message)
            if "granted" in message:
                return _command(link, reader, message)
            if "rc" in message:
                return int(message["rc"])
    return 1


def _command(link: socket.socket, reader: wire.Reader, message: dict[str, object]) -> int:
    words = message["granted"]
    variables = message["environment"]
    assert isinstance(words, list)
    assert isinstance(variables, dict)
    child = subprocess.Popen(
        words or [os.environ.get("SHELL", "/bin/sh")], env={**os.environ, **variables}
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake, waker = os.pipe()

    def watch() -> None:
        child.wait()
        os.write(waker, b".")

    threading.Thread(target=watch, daemon=True).start()
    with selectors.DefaultSelector() as selector:
        selector.register(wake, selectors.EVENT_READ)
        selector.register(link, selectors.EVENT_READ)
        while child.returncode is None:
            for key, _ in selector.select():
                if key.fileobj is not link:
                    continue
                heard = wire.receive(link, reader)
                for told in heard:
                    show(told)
                selector.unregister(link)
                child.send_signal(signal.SIGHUP)
    code = child.returncode if child.returncode >= 0 else 128 - child.returncode
    write(2, f"salloc: Relinquishing job allocation {message['job']}\n")
    try:
        link.sendall(wire.pack({"left": code}))
        wire.receive(link, reader)
    except OSError:
        return code
    return code
