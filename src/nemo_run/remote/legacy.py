"""What programs written for the reference implementation use beside tunnels."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tunnel import Tunnel


class Callback:
    """Told what happens while :meth:`Tunnel.keep_alive` stays; override what is of interest."""

    def setup(self, tunnel: Tunnel) -> None:
        """Take the tunnel, before it is connected."""
        self.tunnel = tunnel

    def on_start(self) -> None:
        """It is connected."""

    def on_interval(self) -> None:
        """The interval has passed once more."""

    def on_stop(self) -> None:
        """It ends, in whatever way."""

    def on_error(self, error: BaseException) -> None:
        """It ends because of ``error``, which is raised afterwards."""


def keep_alive(tunnel: Tunnel, *callbacks: Callback, interval: float = 1) -> None:
    """Connect and stay until interrupted; see :meth:`Tunnel.keep_alive`."""
    for one in callbacks:
        one.setup(tunnel)
    try:
        tunnel.connect()
        for one in callbacks:
            one.on_start()
        while True:
            time.sleep(interval)
            for one in callbacks:
                one.on_interval()
    except BaseException as error:
        for one in callbacks:
            one.on_error(error)
        raise
    finally:
        for one in callbacks:
            one.on_stop()
