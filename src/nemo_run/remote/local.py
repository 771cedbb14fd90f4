"""This machine, as a target."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import RemoteTimeoutError

from .tunnel import Tunnel

if TYPE_CHECKING:
    from .streams import Exchange, Finished


@dataclass
class LocalTunnel(Tunnel):
    """This machine: for programs that run where the engine is, such as a login node.

    Attributes:
        job_dir: The folder that experiments go to; empty: that of the records.
    """

    @property
    def host(self) -> str:
        """The name of this machine for itself."""
        return "localhost"

    @property
    def user(self) -> str:
        """Nobody in particular: whoever runs the program."""
        return ""

    @property
    def key(self) -> str:
        """What tells this machine from others."""
        return "localhost"

    def setup(self) -> None:
        """Make the folder for experiments."""
        if self.job_dir:
            Path(self.job_dir).expanduser().mkdir(parents=True, exist_ok=True)

    def put(self, local_path: str, remote_path: str) -> None:
        """Copy a file or folder; see :meth:`Tunnel.put`."""
        from .copying import copy_here

        copy_here(local_path, remote_path)

    def get(self, remote_path: str, local_path: str) -> None:
        """Copy a file or folder; see :meth:`Tunnel.get`."""
        from .copying import copy_here

        copy_here(remote_path, local_path)

    def _exchange(self, exchange: Exchange) -> Finished:
        from .streams import converse

        if isinstance(exchange.command, str):
            shell = shutil.which("bash") or "/bin/sh"
            argv = [shell, "-c", exchange.command]
        else:
            argv = exchange.command
        if exchange.env:
            exchange.env = {**os.environ, **exchange.env}
        finished = converse(argv, exchange)
        if finished.timed_out:
            raise RemoteTimeoutError(f"Nothing came for {exchange.timeout:g} s; it was ended.")
        return finished

    def _python(self, code: str) -> Any:
        return [sys.executable, "-c", code]
