"""Runs a local program and moves bytes in and out of it. The only module that starts processes."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# Of a program's standard error the end is kept: it says why.
KEPT = 1 << 20
_PIECE = 1 << 16
# What a program leaves behind may hold its standard error open; nobody waits for that.
_DRAIN = 1.0


@dataclass
class Exchange:
    """A command, and who writes its input and reads its output.

    Attributes:
        command: For a tunnel over SSH the command line for the other side's shell, else an
            argument list.
        feed: Writes the standard input, in a thread of its own; None: it is empty.
        take: Reads the standard output to its end.
        begin: Called before each try.
        error: Called with each piece of standard error.
        timeout: Seconds without a byte in any direction after which it is given up; None: never.
        again: Whether it may be run twice.
        env: Variables for it, where it runs on this machine.
    """

    command: Any
    take: Callable[[IO[bytes]], None]
    begin: Callable[[], None] | None = None
    feed: Callable[[IO[bytes]], None] | None = None
    error: Callable[[bytes], None] | None = None
    timeout: float | None = None
    again: bool = False
    env: Mapping[str, str] | None = None


@dataclass
class Finished:
    """How a program ended.

    Attributes:
        return_code: Its exit status; negative for the signal that ended it.
        stderr: The end of what it said.
        timed_out: Whether it was ended for being silent.
        log: What ssh itself said.
    """

    return_code: int
    stderr: bytes = b""
    timed_out: bool = False
    log: str = ""


@dataclass
class _Pulse:
    """When something last moved."""

    last: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        self.last = time.monotonic()


class _Stream:
    """A pipe that reports each byte that moves through it."""

    def __init__(self, raw: IO[bytes], pulse: _Pulse) -> None:
        self._raw = raw
        self._pulse = pulse

    def read(self, size: int = -1) -> bytes:
        found = bytearray()
        while size < 0 or len(found) < size:
            piece = self.read1(_PIECE if size < 0 else min(_PIECE, size - len(found)))
            if not piece:
                break
            found += piece
        return bytes(found)

    def read1(self, size: int = _PIECE) -> bytes:
        found: bytes = self._raw.read1(size)  # type: ignore[attr-defined]
        self._pulse.beat()
        return found

    def readline(self, size: int = -1) -> bytes:
        found = self._raw.readline(size)
        self._pulse.beat()
        return found

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        for start in range(0, len(view), _PIECE):
            self._raw.write(view[start : start + _PIECE])
            self._pulse.beat()
        return len(view)

    def flush(self) -> None:
        self._raw.flush()


def converse(argv: Sequence[str], exchange: Exchange) -> Finished:
    """Run a program to its end.

    Args:
        argv: Its argument list.
        exchange: Its input and output; ``command`` does not matter here.

    Raises:
        OSError: It cannot be started.
        Exception: What ``feed`` or ``take`` raised; the program was ended.
    """
    if exchange.begin:
        exchange.begin()
    process = subprocess.Popen(
        [*argv],
        stdin=subprocess.PIPE if exchange.feed else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if exchange.env is None else {**exchange.env},
    )
    pulse = _Pulse()
    finished = Finished(0)
    over = threading.Event()
    raised: list[BaseException] = []
    threads = [_started(_collect, process.stderr, exchange.error, finished, pulse)]
    feeding = _started(_feed, process, exchange.feed, pulse, raised) if exchange.feed else None
    if exchange.timeout is not None:
        threads.append(_started(_watch, process, exchange.timeout, pulse, over, finished))
    assert process.stdout
    try:
        exchange.take(_Stream(process.stdout, pulse))  # type: ignore[arg-type]
        finished.return_code = process.wait()
    finally:
        over.set()
        if process.poll() is None:
            process.kill()
            process.wait()
        for thread in threads:
            thread.join(_DRAIN)
        # A feed may wait for something that will not come now; it is a daemon's thread.
        if feeding:
            feeding.join(_DRAIN)
        process.stdout.close()
        if not threads[0].is_alive() and process.stderr:
            process.stderr.close()
    if raised:
        raise raised[0]
    return finished


def _started(target: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def _feed(
    process: subprocess.Popen[bytes],
    feed: Callable[[Any], None],
    pulse: _Pulse,
    raised: list[BaseException],
) -> None:
    assert process.stdin
    try:
        feed(_Stream(process.stdin, pulse))
    except (BrokenPipeError, ConnectionResetError):
        pass  # it ended without reading all; its exit status says why
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that called
        raised.append(error)
        process.kill()
    finally:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _collect(
    pipe: IO[bytes], error: Callable[[bytes], None] | None, finished: Finished, pulse: _Pulse
) -> None:
    with contextlib.suppress(ValueError, OSError):  # closed meanwhile
        while piece := pipe.read1(_PIECE):  # type: ignore[attr-defined]
            pulse.beat()
            finished.stderr = (finished.stderr + piece)[-KEPT:]
            if error:
                error(piece)


def _watch(
    process: subprocess.Popen[bytes],
    timeout: float,
    pulse: _Pulse,
    over: threading.Event,
    finished: Finished,
) -> None:
    while not over.wait(max(0.01, pulse.last + timeout - time.monotonic())):
        if time.monotonic() - pulse.last >= timeout:
            finished.timed_out = True
            process.kill()
            return
