"""What ssh says when it fails, as errors. Pure.

The sentences are those of OpenSSH's ssh(1), which has one exit code (255) for all of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nemo_run.exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    HostKeyError,
    RemoteError,
    RemoteTimeoutError,
)

# ssh's exit code for its own failures (ssh(1), EXIT STATUS); a command may end with it as well.
SSH_FAILED = 255


@dataclass(frozen=True)
class _Kind:
    pattern: re.Pattern[str]
    error: type[RemoteError]
    advice: str


def _kind(pattern: str, error: type[RemoteError], advice: str) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), error, advice)


# The first that fits counts.
_KINDS = (
    _kind(
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        HostKeyError,
        "Its key is not the one that is known: either the machine was set up anew, or somebody "
        "is in between. Ask its administrators; `{ssh}` says which line of known_hosts to remove.",
    ),
    _kind(
        r"Host key verification failed|No .* host key is known|REVOKED HOST KEY",
        HostKeyError,
        "Its key is not known here yet. Run `{ssh}` once, compare the fingerprint, answer yes.",
    ),
    _kind(
        r"Could not resolve hostname|Name or service not known",
        ConnectionFailedError,
        "Check the host's name, and that ~/.ssh/config has it.",
    ),
    _kind(r"Connection refused", ConnectionFailedError, "Check the port, and that it is up."),
    _kind(
        r"No route to host|Network is unreachable|Host is down",
        ConnectionFailedError,
        "Check the network, and whether a VPN or a jump host is needed.",
    ),
    _kind(
        r"timed out|Timeout, server .* not responding",
        RemoteTimeoutError,
        "Check the network; ConnectTimeout in ~/.ssh/config says how long ssh tries.",
    ),
    _kind(
        r"Permission denied|Too many authentication failures|No more authentication methods"
        r"|UNPROTECTED PRIVATE KEY|Load key .*(error|invalid|denied)|sign_and_send_pubkey",
        AuthenticationError,
        "Run `{ssh}` in a terminal: it shows what the login needs. A password or a second factor "
        "is asked for where NeMo Run is started in a terminal, once for all its processes.",
    ),
    _kind(
        r"Session open refused by peer",
        ConnectionFailedError,
        "It lets no more sessions into one connection (MaxSessions of its sshd), and one beside it "
        "was not let in. Wait until others have ended.",
    ),
    _kind(
        r"Bad configuration option|Bad owner or permissions on|no argument after keyword"
        r"|Can't open user config file|unknown key type|keyword .* extra arguments",
        RemoteError,
        "Correct ~/.ssh/config.",
    ),
)
_BROKEN = "The connection broke{while_}. Try again; `{ssh}` shows whether the machine is there."
# What ssh writes for its developers.
_NOISE = re.compile(r"^(debug\d: |@@@|\s*$|OpenSSH_)")
# The end of the session was told by the other side (channels.c and mux.c of OpenSSH).
_ENDED = re.compile(r"rtype exit-s(tatus|ignal) |Received exit status from master")
# The shared connection did not take the session, so nothing has run.
_NOT_TAKEN = re.compile(
    r"Session open refused by peer|session request failed"
    r"|Control socket .*(connect\(|does not exist)"
    r"|^mux_client_hello_exchange|^mux_client_request_alive",
    re.MULTILINE,
)


def told_status(log: str) -> bool:
    """Return whether ssh's log says that the command on the other side has ended."""
    return bool(_ENDED.search(log))


def not_taken(log: str) -> bool:
    """Return whether a shared connection was not there, or took no more sessions."""
    return bool(_NOT_TAKEN.search(log))


def is_full(log: str) -> bool:
    """Return whether a shared connection took no more sessions (MaxSessions of sshd_config(5))."""
    return "Session open refused by peer" in log


def cannot_share(log: str) -> bool:
    """Return whether ssh gave up because it cannot make the socket of a shared connection."""
    return "unix_listener:" in log or "ControlPath too long" in log


def lost(log: str) -> bool:
    """Return whether a session in a shared connection ended without an exit status."""
    return "Control master terminated unexpectedly" in log


def said(log: str) -> str:
    """Return the lines of ssh's log that are for people."""
    lines = [line.strip() for line in log.splitlines() if not _NOISE.match(line)]
    return "\n".join(line for line in lines if line)


def error_of(log: str, place: str, ssh: str, during: str = "") -> RemoteError:
    """Return the error that ssh's messages stand for.

    Args:
        log: What ssh said.
        place: The machine, as the user calls it.
        ssh: The command that a person would type to log in there.
        during: What was going on, where the other side had begun.
    """
    words = said(log)
    for kind in _KINDS:
        if kind.pattern.search(words):
            return kind.error(f"{place}: {_line(kind, words)}. {kind.advice.format(ssh=ssh)}")
    if words:
        end = words.splitlines()[-1].rstrip(".")
    else:
        end = "the shared connection ended" if lost(log) else "ssh ended without a word"
    advice = _BROKEN.format(while_=f" while {during}" if during else "", ssh=ssh)
    return ConnectionFailedError(f"{place}: {end}. {advice}")


def _line(kind: _Kind, words: str) -> str:
    found = next(line for line in words.splitlines() if kind.pattern.search(line))
    return found.strip("@ ").rstrip(".")
