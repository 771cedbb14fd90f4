"""Pushing an experiment to ``$NEMORUN_REMOTE`` when it has ended, by a process of its own.

Whatever goes wrong is no matter of the run: it is told in ``push.log``, and whenever somebody
asks how the experiment stands.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import NemoRunError
from nemo_run.invocation import command_line
from nemo_run.management import detached
from nemo_run.management.store.files import read_file
from nemo_run.management.store.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = "push.log"
TOLD = "push.json"
_WAITS = (0, 2, 20)
_TOO_OLD = 24 * 3600.0


def push_at_end(record: Record) -> str:
    """Start the process that pushes an experiment, if it has ended and a remote home is set.

    Args:
        record: The experiment.

    Returns:
        Why it could not be started; else nothing.
    """
    if not os.environ.get("NEMORUN_REMOTE"):
        return ""
    try:
        if record.copied or record.status().ended is None:
            return ""
        _tell(record, {"state": "going"})
        detached.start("nemo_run.management.sharing.at_end", [str(record.path)], record.path / LOG)
    except (NemoRunError, OSError) as error:
        return f"it cannot be pushed: {error}"
    return ""


def unpushed(record: Record) -> str:
    """Return the sentence about a push at the end that did not succeed; else nothing."""
    try:
        said = json.loads(read_file(record.path / TOLD))
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(said, dict) or said.get("state") not in {"going", "failed"}:
        return ""
    when = said.get("time")
    if said["state"] == "going":
        # Killed, it could not say so.
        age = time.time() - when if isinstance(when, (int, float)) else _TOO_OLD
        if age < _TOO_OLD and _is_alive(said.get("pid")):
            return ""
    why = str(said.get("why") or "it was interrupted.")
    return f"It was not pushed: {why} Push it with: {command_line('remote', 'push', record.id)}"


def pushed(record: Record) -> None:
    """Note that an experiment was pushed by hand, where it was to be pushed by itself."""
    if (record.path / TOLD).exists():
        _tell(record, {"state": "done"})


def main(arguments: list[str], pause: Callable[[float], None] = time.sleep) -> int:
    """Push the experiment in the folder that is the first argument."""
    from .remote.place import Place, remote_url
    from .remote.pushing import Pushing

    record, why = Record(arguments[0]), ""
    _tell(record, {"state": "going", "pid": os.getpid()})
    for wait in _WAITS:
        pause(wait)
        try:
            done = Pushing(Place(remote_url())).push(record)
        except (NemoRunError, OSError) as error:
            why = str(error)
            _log(why)
        else:
            _log(f"pushed, {done.sent} bytes")
            _tell(record, {"state": "done"})
            return 0
    _tell(record, {"state": "failed", "why": why})
    return 1


def _tell(record: Record, said: dict[str, Any]) -> None:
    content = json.dumps({"time": time.time(), **said}) + "\n"
    try:
        atomic.write_text(record.path / TOLD, content)
    except OSError as error:
        _log(f"{record.path / TOLD} cannot be written: {error.strerror}")


def _is_alive(pid: object) -> bool:
    # Just started, it has not said its number yet; on another machine nobody can tell.
    return pid is None or (isinstance(pid, int) and Path(f"/proc/{pid}").exists())


def _log(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)  # noqa: T201 - this is push.log


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
