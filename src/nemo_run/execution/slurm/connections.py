"""How a handle's host is reached: the tunnels that jobs were submitted through, kept by host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nemo_run import atomic
from nemo_run.config.home import get_nemorun_home
from nemo_run.exceptions import BackendError
from nemo_run.remote import LocalTunnel, SSHTunnel, call

from .handles import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from nemo_run.remote import Event, Tunnel

_AGENT = Path(__file__).with_name("agent.py")

# What is kept of a tunnel. There is no password among its fields, and none is ever written.
_KEPT = ("host", "user", "port", "identity", "shell", "pre_command", "job_dir")


def host_of(options: Mapping[str, Any]) -> str:
    """Return the host that handles of jobs with these options name."""
    tunnel = options.get("tunnel") or {}
    if tunnel.get("kind", "local") == "local":
        return LOCAL
    user = f"{tunnel['user']}@" if tunnel.get("user") else ""
    port = f":{tunnel['port']}" if tunnel.get("port") else ""
    host = str(tunnel["host"])
    return f"{user}{f'[{host}]' if ':' in host else host}{port}"


def store_of(options: Mapping[str, Any]) -> str:
    """Return the folder on the target that keeps the code that was sent there."""
    if options.get("store"):
        return str(options["store"])
    root = str((options.get("tunnel") or {}).get("job_dir") or "").rstrip("/")
    return f"{root}/.nemo_run" if root else get_nemorun_home()


def tunnel_of(options: Mapping[str, Any]) -> Tunnel:
    """Return the tunnel that a job was described with."""
    fields = options.get("tunnel") or {}
    if fields.get("kind", "local") == "local":
        return LocalTunnel(job_dir=str(fields.get("job_dir") or ""))
    return _ssh(fields)


def remember(options: Mapping[str, Any]) -> None:
    """Keep how the host of a job is reached, so that its handle alone leads there."""
    host = host_of(options)
    if host == LOCAL:
        return
    kept = {k: v for k, v in options["tunnel"].items() if k in _KEPT and v is not None}
    text = json.dumps(kept, indent=2, sort_keys=True) + "\n"
    path = place(host, ".json")
    if _read(path) != text:
        atomic.make_folder(path.parent)
        atomic.write_text(path, text)


def reach(host: str) -> Tunnel:
    """Return the tunnel to the host of a handle: the one it was submitted through, or plain ssh."""
    if host == LOCAL:
        return LocalTunnel()
    try:
        fields = json.loads(_read(place(host, ".json")) or "{}")
    except ValueError:
        fields = {}
    return _ssh(fields if isinstance(fields, dict) and fields.get("host") else _named(host))


def place(host: str, ending: str) -> Path:
    """Return the path of a file about one host."""
    return Path(get_nemorun_home(), "connections", f"{quote(host, safe='@')}{ending}")


def ask(
    tunnel: Tunnel,
    request: Mapping[str, Any],
    payload: Iterable[bytes] | None = None,
    *,
    on_event: Callable[[Event], None] | None = None,
    timeout: float = 180.0,
    again: bool = True,
) -> dict[str, Any]:
    """Have one operation done where Slurm's commands are; one round trip.

    Args:
        tunnel: The way there.
        request: What the agent is asked for.
        payload: Bytes that go with it.
        on_event: Called with what comes before the answer.
        timeout: Seconds of silence after which it is given up.
        again: Whether it may be asked a second time when the connection breaks.

    Raises:
        BackendError: It could not be reached, or Slurm there did not answer.
    """
    agent = _AGENT.read_text(encoding="utf-8")
    answer = call(tunnel, agent, dict(request), payload, on_event, timeout, again)
    value: dict[str, Any] = answer.value
    if "error" in value:
        raise BackendError(f"{tunnel.key}: {value['error']}")
    return value


def _ssh(fields: Mapping[str, Any]) -> SSHTunnel:
    known = SSHTunnel.__dataclass_fields__
    given = {k: v for k, v in fields.items() if k in _KEPT and k in known and v is not None}
    return SSHTunnel(**{"job_dir": "", **given})


def _named(host: str) -> dict[str, Any]:
    user, _, rest = host.rpartition("@")
    name, colon, port = rest.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in name and not name.endswith("]")):
        name, port = rest, ""
    fields: dict[str, Any] = {"host": name.strip("[]")}
    if user:
        fields["user"] = user
    return {**fields, "port": int(port)} if port else fields


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
