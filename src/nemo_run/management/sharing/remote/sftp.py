"""SFTP with the user's ~/.ssh/config, known hosts that are checked, and time-outs.

fsspec's own takes any host key, and knows no configuration.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator


def opened(url: str, *, connect: float, answer: float) -> tuple[Any, str]:
    """Return the files of a host, and the folder that an address names.

    Args:
        url: ``sftp://[user@]host[:port]/folder``; the host may be one of ~/.ssh/config.
        connect: Seconds until a host must have let us in.
        answer: Seconds until each answer must be there.

    Raises:
        StoreError: The host is not known, or has another key.
    """
    import paramiko  # type: ignore[import-untyped]
    from fsspec.implementations.sftp import SFTPFileSystem

    parts = urlsplit(url)
    if not parts.hostname:
        raise StoreError(f"{url} names no host; write sftp://host/folder.")
    settings = _settings(parts.hostname)
    host = str(settings.get("hostname") or parts.hostname)

    class Files(SFTPFileSystem):  # type: ignore[misc]
        def _connect(self) -> None:
            client = paramiko.SSHClient()
            client.set_missing_host_key_policy(paramiko.RejectPolicy())
            client.load_system_host_keys()
            for file in str(settings.get("userknownhostsfile") or "").split():
                if os.path.exists(file):  # noqa: PTH110
                    client.load_system_host_keys(file)
            keys = settings.get("identityfile")
            client.connect(
                host,
                port=parts.port or int(settings.get("port") or 22),
                username=parts.username or settings.get("user"),
                password=unquote(parts.password) if parts.password else None,
                key_filename=[key for key in keys or () if os.path.exists(key)] or None,  # noqa: PTH110
                timeout=connect,
                banner_timeout=connect,
                auth_timeout=connect,
                channel_timeout=connect,
            )
            self.client = client
            self.ftp = client.open_sftp()
            self.ftp.get_channel().settimeout(answer)

        def makedirs(self, path: str, exist_ok: bool = False, mode: int = 0o777) -> None:
            # Somebody else may make one of them meanwhile, which SFTP calls a failure; then the
            # rest is still to be made, and each time at least one more is there.
            for _ in range(path.count("/")):
                with contextlib.suppress(OSError):
                    super().makedirs(path, exist_ok=True, mode=mode)
                if self.exists(path):
                    return
            super().makedirs(path, exist_ok, mode)

    with _told(parts.hostname):
        files = Files(parts.hostname, skip_instance_cache=True)
    path = unquote(parts.path) or "/"
    if path.startswith("/~/"):
        path = path[3:]  # a path without a root begins at the user's folder there
    return files, path.rstrip("/") or "/"


@contextlib.contextmanager
def _told(host: str) -> Iterator[None]:
    """Say what a failed connection means."""
    import paramiko

    try:
        yield
    except paramiko.BadHostKeyException as error:
        raise StoreError(f"{host} has another key than the one that is known: {error}.") from error
    except paramiko.AuthenticationException as error:
        raise StoreError(f"{host} does not let us in ({error}).") from error
    except paramiko.SSHException as error:
        raise StoreError(
            f"{host} cannot be used over SFTP: {error}. Is it known? Log in once with "
            f"`ssh {host}`, which asks for its key."
        ) from error


def _settings(host: str) -> dict[str, Any]:
    import paramiko

    file = Path(os.environ.get("NEMORUN_SSH_CONFIG") or "~/.ssh/config").expanduser()
    if not file.exists():
        return {}
    return dict(paramiko.SSHConfig.from_path(str(file)).lookup(host))
