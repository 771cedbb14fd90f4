"""Work on another machine: run commands, copy files and call small programs there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy as _lazy

if TYPE_CHECKING:
    from .calling import Answer, Event, call, round_trips
    from .local import LocalTunnel
    from .ssh import SSHTunnel
    from .tunnel import PackagingJob, RunResult, Tunnel

_HOMES = {
    "Answer": "calling",
    "Event": "calling",
    "LocalTunnel": "local",
    "PackagingJob": "tunnel",
    "RunResult": "tunnel",
    "SSHTunnel": "ssh",
    "Tunnel": "tunnel",
    "call": "calling",
    "round_trips": "calling",
}

__all__ = [
    "Answer",
    "Event",
    "LocalTunnel",
    "PackagingJob",
    "RunResult",
    "SSHTunnel",
    "Tunnel",
    "call",
    "round_trips",
]

__getattr__, __dir__ = _lazy.names(__name__, _HOMES)
