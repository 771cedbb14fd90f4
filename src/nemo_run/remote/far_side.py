"""Runs an agent; it is sent ahead of it, so it is Python 3.6 without any packages.

Its input is the rest of standard input: a marker, the agent and the request (both compressed),
each behind a line with its length; then the payload.
"""
# It is Python of other versions.
# ruff: noqa: UP031, UP036

import json
import linecache
import os
import sys
import traceback
import zlib
from typing import IO, Any


def part(stdin: "IO[bytes]") -> bytes:
    """Return what lies behind the next length."""
    return stdin.read(int(stdin.readline()))


def nemo_run_far_side() -> None:
    """Read the agent, run it, and send what it has to say."""
    stdin = sys.stdin.buffer
    marker = part(stdin)
    # What the agent and its programs print must not come between the messages.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(message: "dict[str, Any]", data: bytes = b"") -> None:
        out.write(marker + json.dumps(message).encode() + b"\n")
        out.write(data)
        out.flush()

    def emit(value: Any, data: bytes = b"") -> None:
        send({"event": value, "bytes": len(data)}, data)

    # Files of the login shell may have printed an unfinished line.
    out.write(b"\n")
    send({"hello": 1})
    if sys.version_info < (3, 6):
        found = "Python %d.%d" % sys.version_info[:2]
        send({"error": {"type": "OldPython", "message": found, "traceback": ""}})
        return
    source = zlib.decompress(part(stdin)).decode()
    request = json.loads(zlib.decompress(part(stdin)).decode())
    linecache.cache["<agent>"] = (len(source), None, source.splitlines(keepends=True), "<agent>")
    names = {"__name__": "agent", "__file__": "<agent>"}
    try:
        exec(compile(source, "<agent>", "exec"), names)  # noqa: S102 - it is what was sent
        result = names["main"](request, stdin, emit)  # type: ignore[operator]
        send({"result": result})
    except BaseException as error:  # noqa: BLE001 - it is raised again where the call was made
        kind, text = type(error).__name__, traceback.format_exc()
        send({"error": {"type": kind, "message": str(error), "traceback": text}})


nemo_run_far_side()
