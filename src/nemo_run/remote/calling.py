"""Runs a Python file on another machine, in one round trip."""

from __future__ import annotations

import json
import secrets
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nemo_run.exceptions import ConnectionFailedError, RemoteCommandError, RemoteError

from .counting import count, counted
from .streams import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .streams import Finished
    from .tunnel import Tunnel

# Only characters that bash, csh and fish read alike, in one line; the rest comes on standard input.
# Nothing is imported from the home folder: a json.py that lies there is not Python's own.
_BOOT = (
    "import sys;sys.path[:]=filter(None,sys.path);"
    "exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
)
_FAR_SIDE = Path(__file__).with_name("far_side.py")
# Without a byte in any direction for so long (seconds), a call is given up.
PATIENCE = 300.0
_SHOWN = 2000
_NOT_FOUND = 127


_LONGEST = 1 << 28
"""Bytes of one line, or of one event, that are taken from another machine."""


@dataclass(frozen=True)
class Event:
    """What an agent gave to ``emit``.

    Attributes:
        value: The object.
        data: The bytes that came with it.
    """

    value: Any
    data: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What an agent gave back.

    Attributes:
        value: What its ``main`` returned.
        events: What it emitted; empty where ``on_event`` took them.
        stderr: What it, and the login, wrote to standard error; its end.
    """

    value: Any
    events: tuple[Event, ...] = ()
    stderr: str = ""


@dataclass
class _Conversation:
    """What has been heard so far; a new try starts with nothing."""

    marker: bytes
    on_event: Callable[[Event], None] | None
    noise: bytes = b""
    heard: threading.Event = field(default_factory=threading.Event)
    runs: bool = False
    events: list[Event] = field(default_factory=list)
    last: dict[str, Any] | None = None

    def begin(self) -> None:
        self.heard.clear()
        self.events.clear()
        self.noise, self.last, self.runs = b"", None, False

    def take(self, pipe: IO[bytes]) -> None:
        while line := pipe.readline(_LONGEST):
            mine = line.startswith(self.marker)
            message = _message(line[len(self.marker) :]) if mine else None
            if message is None:
                self.noise = (self.noise + line)[-_SHOWN:]
                continue
            self._hear(message, pipe)
        self.heard.set()

    def _hear(self, message: dict[str, Any], pipe: IO[bytes]) -> None:
        self.runs = True
        self.heard.set()
        if "event" in message:
            size = message.get("bytes", 0)
            data = pipe.read(size) if size else b""
            if len(data) == size:
                self._happened(Event(message["event"], data))
        elif "hello" not in message:
            self.last = message

    def _happened(self, event: Event) -> None:
        if self.on_event is None:
            self.events.append(event)
        else:
            self.on_event(event)


def _message(line: bytes) -> dict[str, Any] | None:
    """Return what the far side says; None if it says nothing that it should."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    size = said.get("bytes", 0)
    if "event" in said:
        return said if type(size) is int and 0 <= size <= _LONGEST else None
    if "error" in said:
        error = said["error"]
        told = isinstance(error, dict) and {"type", "message"} <= error.keys()
        return said if told else None
    return said if "hello" in said or "result" in said else None


def round_trips(tunnel: Tunnel) -> int:
    """Return how often this process has spoken to the tunnel's machine."""
    return counted(tunnel.key)


def call(
    tunnel: Tunnel,
    agent: str,
    request: Any,
    payload: Iterable[bytes] | None = None,
    on_event: Callable[[Event], None] | None = None,
    timeout: float | None = PATIENCE,
    again: bool = False,
) -> Answer:
    """Run a Python file on the tunnel's machine and return what it answers.

    The file needs Python 3.6 and nothing else. It defines ``main(request, stdin, emit)``:
    ``stdin`` is a binary file with the payload, and ``emit(object, data=b"")`` sends something
    before the end. What it, or a program that it starts, prints goes to standard error.

    Args:
        tunnel: The machine.
        agent: The text of the file.
        request: What ``main`` gets; JSON data.
        payload: Bytes for the agent, sent while they come, after it has started.
        on_event: Called with each event as it comes; without it they are in the answer.
        timeout: Seconds without a byte in any direction after which it is given up; None: never.
        again: Run it a second time when the connection breaks and nobody knows how far it came;
            ``payload`` must then be something that can be gone through twice, and ``on_event``
            sees the events of both.

    Raises:
        RemoteCommandError: The agent raised; the message ends with its traceback, and ``result``
            has ``type``, ``message`` and ``traceback``.
        RemoteTimeoutError: Nothing moved for ``timeout`` seconds.
        RemoteError: The machine could not be reached, has no Python 3.6, or the connection broke.
        ValueError: It may run twice, and its payload can be gone through only once.
    """
    if again and isinstance(payload, Iterator):
        raise ValueError(
            "call(again=True): the payload can be gone through only once, so it could not be sent "
            "again. Give a list, or an object whose __iter__ starts anew."
        )
    talk = _Conversation(f"nemo_run:{secrets.token_hex(8)} ".encode(), on_event)
    opening = _opening(talk.marker, agent, request)

    def feed(pipe: IO[bytes]) -> None:
        pipe.write(opening)
        pipe.flush()
        if payload is None:
            return
        # Not a byte of it is taken before the agent runs: a connection that failed can be tried
        # again then, even with a payload that comes only once.
        talk.heard.wait()
        for piece in payload if talk.runs else ():
            pipe.write(piece)
        pipe.flush()

    count(tunnel.key)
    exchange = Exchange(
        command=tunnel._python(_BOOT),  # noqa: SLF001 - the tunnel's other half
        take=talk.take,
        begin=talk.begin,
        feed=feed,
        timeout=timeout,
        again=again,
    )
    finished = tunnel._exchange(exchange)  # noqa: SLF001
    if talk.last is None:
        raise _no_answer(tunnel, talk, finished)
    if "error" in talk.last:
        raise _raised(tunnel, talk.last["error"])
    stderr = finished.stderr.decode("utf-8", "replace")
    return Answer(talk.last["result"], tuple(talk.events), stderr)


def _opening(marker: bytes, agent: str, request: Any) -> bytes:
    """Return what comes before the payload: each part behind its length, the large ones small."""
    large = (agent.encode(), json.dumps(request).encode())
    parts = [_FAR_SIDE.read_bytes(), marker, *(zlib.compress(part) for part in large)]
    return b"".join(b"%d\n%s" % (len(part), part) for part in parts)


def _raised(tunnel: Tunnel, error: dict[str, str]) -> RemoteError:
    if error["type"] == "OldPython":
        return RemoteError(f"{tunnel.key} has {error['message']}; {_needs(tunnel)}")
    what = f"{error['type']}: {error['message']}".rstrip(": ")
    return RemoteCommandError(f"{what} (on {tunnel.key})\n\n{error.get('traceback', '')}", error)


def _needs(tunnel: Tunnel) -> str:
    return (
        "Python 3.6 or newer is needed there as `python3`, without any packages. Where modules "
        f"provide it, say so: {type(tunnel).__name__}(..., pre_command='module load python')."
    )


def _no_answer(tunnel: Tunnel, talk: _Conversation, finished: Finished) -> RemoteError:
    said = finished.stderr.decode("utf-8", "replace").strip()[-_SHOWN:]
    noise = talk.noise.decode("utf-8", "replace").strip()
    if talk.runs and finished.return_code < 0:
        return ConnectionFailedError(f"The program on {tunnel.key} was ended by a signal. {said}")
    lacks = finished.return_code == _NOT_FOUND or "not found" in said.lower()
    if lacks and "python3" in said:
        return RemoteError(f"{tunnel.key} has no python3 ({said}). {_needs(tunnel)}")
    return RemoteError(
        f"{tunnel.key} did not answer as expected: the program there ended with exit code "
        f"{finished.return_code}. {said or noise or 'It said nothing.'}"
    )
