"""Telling one hook of one event: a program is run, an address is posted to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from nemo_run.config.secret import Secret
from nemo_run.exceptions import NemoRunError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .hook import Hook
    from .notice import Notice

_LONGEST_WAIT = 60.0
_SHOWN = 2000

# Read from standard input, so that a long event needs no argument.
_CALL = (
    "import importlib, json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "module, _, name = sys.argv[1].partition(':'); found = importlib.import_module(module)\n"
    "for part in name.split('.'): found = getattr(found, part)\n"
    "found(json.load(sys.stdin))"
)


class NotDeliveredError(NemoRunError):
    """A hook was not told.

    Attributes:
        again: Whether another try may help.
        wait: Seconds that the other side wants us to wait; 0 if it did not say.
    """

    def __init__(self, message: str, *, again: bool = True, wait: float = 0.0) -> None:
        super().__init__(message)
        self.again = again
        self.wait = wait


def deliver(
    hook: Hook,
    notice: Notice,
    surroundings: Mapping[str, Any],
    pause: Callable[[float], None] = time.sleep,
) -> str:
    """Tell a hook of an event, several times if need be.

    Args:
        hook: The hook.
        notice: The event.
        surroundings: ``cwd`` and ``sys_path`` of the process that made the experiment.
        pause: Waits for some seconds.

    Returns:
        What it printed, for the log.

    Raises:
        NotDeliveredError: All tries failed.
    """
    for attempt in range(1, hook.tries + 1):
        try:
            return _once(hook, notice, surroundings)
        except NotDeliveredError as error:
            if attempt == hook.tries or not error.again:
                raise
            pause(min(max(error.wait, 2.0 ** (attempt - 1)), _LONGEST_WAIT))
    raise NotDeliveredError("there were no tries")  # pragma: no cover - tries is at least one


def _once(hook: Hook, notice: Notice, surroundings: Mapping[str, Any]) -> str:
    body = json.dumps(notice.document)
    if hook.url:
        return _post(hook, body)
    if hook.call:
        paths = json.dumps(surroundings.get("sys_path") or sys.path)
        argv = [sys.executable, "-c", _CALL, str(hook.call), paths]
    elif isinstance(hook.command, str):
        argv = ["sh", "-c", hook.command]
    else:
        argv = list(hook.command)
    return _run(argv, body, notice, hook.timeout, str(surroundings.get("cwd") or "/"))


def _run(argv: list[str], body: str, notice: Notice, timeout: float, cwd: str) -> str:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd if os.path.isdir(cwd) else "/",  # noqa: PTH112
            env={**os.environ, **_variables(notice)},
            # Ended with all that it started, should it take too long.
            start_new_session=True,
        )
    except OSError as error:
        raise NotDeliveredError(
            f"{argv[0]} could not be started: {error.strerror}.", again=False
        ) from error
    try:
        said, _ = process.communicate(body.encode(), timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise NotDeliveredError(f"it took longer than {timeout:g} s and was ended.") from None
    text = said.decode("utf-8", "replace")[-_SHOWN:]
    if process.returncode:
        raise NotDeliveredError(f"it ended with {process.returncode}: {text.strip()}")
    return text


def _variables(notice: Notice) -> dict[str, str]:
    document = notice.document
    found = {
        "NEMORUN_EVENT": notice.kind,
        "NEMORUN_STATE": notice.state,
        "NEMORUN_TEXT": document["text"],
        "NEMORUN_EXPERIMENT_ID": str(document["experiment"].get("id") or ""),
        "NEMORUN_JOB": str(document.get("job") or ""),
    }
    return {name: value.replace("\0", "") for name, value in found.items()}


def _post(hook: Hook, body: str) -> str:
    # Imported where it is needed: it takes longer than all else here.
    import urllib.error
    import urllib.request

    class NoRedirects(urllib.request.HTTPRedirectHandler):
        # A redirected POST becomes a GET without the event.
        def redirect_request(self, *_arguments: Any, **_keywords: Any) -> None:
            return None

    url = _resolved(hook.url)
    if not url.startswith(("http://", "https://")):
        raise NotDeliveredError(
            "its address begins with neither https:// nor http://.", again=False
        )
    headers = {"Content-Type": "application/json", "User-Agent": "nemo-run"}
    headers |= {name: _resolved(value) for name, value in hook.headers.items()}
    try:
        request = urllib.request.Request(url, body.encode(), headers, method="POST")  # noqa: S310
        with urllib.request.build_opener(NoRedirects).open(request, timeout=hook.timeout) as got:
            return str(got.read(_SHOWN).decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        with error:
            again = error.code == 429 or error.code >= 500  # RFC 9110, 15.6; RFC 6585, 4
            wait = error.headers.get("Retry-After") or ""
        raise NotDeliveredError(
            f"the answer was {error.code} {error.reason}.",
            again=again,
            wait=float(wait) if wait.isdecimal() else 0.0,
        ) from None
    except (OSError, ValueError) as error:
        # Not the error itself: it may hold the address, and that may hold a token.
        why = getattr(error, "reason", None) or error
        why = why if isinstance(why, OSError) and not isinstance(why, TimeoutError) else type(why)
        text = (why.strerror or type(why).__name__) if isinstance(why, OSError) else why.__name__
        raise NotDeliveredError(f"it could not be reached: {text}.") from None


def _resolved(value: str | Secret) -> str:
    if not isinstance(value, Secret):
        return value
    from nemo_run.execution.secrets import source_of
    from nemo_run.execution.secrets import value as value_of

    try:
        return value_of(value.name, source_of(value, "/"))
    except NemoRunError as error:
        raise NotDeliveredError(str(error), again=False) from None
