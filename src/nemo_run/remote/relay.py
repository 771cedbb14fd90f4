"""A port of this machine that leads to a port of another one, which can be reached from here."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from nemo_run.exceptions import ConnectionFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

_BLOCK = 1 << 16


def relay(
    local_port: int, host: str, port: int, *, ready: Callable[[int], None] = lambda _: None
) -> None:
    """Pass connections on until the caller is interrupted.

    Args:
        local_port: The port of this machine, on its loopback address only; 0 for a free one.
        host: The other machine.
        port: The port there.
        ready: Called with the port of this machine once it takes connections.

    Raises:
        ConnectionFailedError: The port of this machine is taken.
        KeyboardInterrupt: The person ended it.
    """
    asyncio.run(_serve(local_port, host, port, ready))


async def _serve(local_port: int, host: str, port: int, ready: Callable[[int], None]) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection(host, port)
        except OSError:
            # Nobody listens there yet; the client tries again when it likes.
            writer.close()
            return
        await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
        for end in (there[1], writer):
            end.close()

    try:
        server = await asyncio.start_server(connected, "127.0.0.1", local_port)
    except OSError as error:
        raise ConnectionFailedError(
            f"Port {local_port} of this machine cannot be opened: {error.strerror or error}. "
            "Choose another one, as in 8080:6006."
        ) from error
    async with server:
        ready(server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on one direction; its end leaves the other direction open."""
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
        writer.write_eof()
