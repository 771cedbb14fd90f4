"""A program: forwards ports in a shared connection until it is ended.

There a forwarding belongs to the connection and outlives the ssh that asked for it (``-O`` of
ssh(1)), so somebody has to stay and take it back. Its arguments are the socket, then those of ssh.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# How often (seconds) to see whether the connection is still there.
_LOOK = 1.0


def main(arguments: Sequence[str]) -> int:
    """Forward until ended by a signal; return the exit code."""
    from .connection import listens

    path, program, *rest = arguments
    for ending in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(ending, _end)
    try:
        asked = subprocess.run([program, "-O", "forward", *rest], check=False, stdout=sys.stderr)
        if asked.returncode:
            return asked.returncode
        while listens(Path(path)):
            time.sleep(_LOOK)
    except KeyboardInterrupt:
        _quietly([program, "-O", "cancel", *rest])
        return 0
    sys.stderr.write("The connection that ports were forwarded in has ended.\n")
    return 1


def _end(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _quietly(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
