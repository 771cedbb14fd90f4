"""A hook: who is told, and of what. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nemo_run.config.secret import Secret
from nemo_run.exceptions import ArgumentError, nearest, shown
from nemo_run.execution.observation import State

from .notice import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_WAYS = ("command", "url", "call")
_LONGEST_TIMEOUT = 3600.0


@dataclass(frozen=True)
class Hook:
    """A program, a web address or a function that is told what happens to an experiment.

    ::

        run.Experiment("digits", hooks=[
            run.Hook(command=["notify-send", "NeMo Run"], on=["FAILED", "experiment.ended"]),
            run.Hook(url=run.Secret("SLACK_URL"), on=["experiment.ended"]),
            run.Hook(call="my_project.alerts:notify"),
        ])

    One of ``command``, ``url`` and ``call`` is given. Each gets one JSON document an event:
    a command on its standard input, a function as its argument, an address by POST.

    Args:
        command: A program and its arguments; a text is given to ``sh -c``.
        url: An ``http`` or ``https`` address, or the secret that holds it.
        call: A function, or its place as ``package.module:name``; called in a new process.
        on: Kinds of events (``experiment.ended``, ``job.*``), states (``FAILED``), or both
            (``experiment.ended:FAILED``); by default every change of a state.
        headers: Of the request to ``url``; values may be secrets.
        timeout: Seconds after which one try is given up.
        retries: How often it is tried again; by default 3 times for ``url``, else never.

    Raises:
        ArgumentError: None or several of the three, or a value that cannot be used.
    """

    command: Sequence[str] | str = ()
    url: str | Secret = ""
    call: Callable[..., Any] | str = ""
    on: Sequence[str] = ()
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    timeout: float = 10.0
    retries: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in _WAYS if getattr(self, name)]
        if len(given) != 1:
            have = " and ".join(given) or "none of them"
            raise ArgumentError(f"A hook takes one of command, url and call; it was given {have}.")
        _check_command(self.command)
        _check_url(self.url)
        object.__setattr__(self, "call", _place(self.call))
        object.__setattr__(self, "on", _checked_on(self.on))
        _check_headers(self.headers)
        _check_numbers(self.timeout, self.retries)

    @property
    def tries(self) -> int:
        """How often it is tried in all."""
        return 1 + (self.retries if self.retries is not None else 3 if self.url else 0)

    @property
    def label(self) -> str:
        """What it is called where its failures are told: never with a secret part of an address."""
        if self.command:
            words = [self.command] if isinstance(self.command, str) else list(self.command)
            return f"command {words[0]}"
        if isinstance(self.url, Secret):
            return f"url {self.url.name}"
        return f"url {urlsplit(self.url).hostname}" if self.url else f"call {self.call}"

    def to_json(self) -> dict[str, Any]:
        """Return it as data that JSON can hold; of secrets, the names."""
        return {
            key: value
            for key, value in {
                "command": self.command if isinstance(self.command, str) else list(self.command),
                "url": _named(self.url),
                "call": self.call,
                "on": list(self.on),
                "headers": {name: _named(value) for name, value in self.headers.items()},
                "timeout": self.timeout,
                "retries": self.retries,
            }.items()
            if value or (key in ("timeout", "retries") and value is not None)
        }

    @classmethod
    def from_json(cls, data: object, where: str = "The hook") -> Hook:
        """Return the hook that :meth:`to_json` wrote, or a table of a TOML file.

        Raises:
            ArgumentError: It is none; the message begins with ``where``.
        """
        if not isinstance(data, dict):
            raise ArgumentError(f"{where} is {shown(data)}; it must be a table.")
        known = [one.name for one in fields(cls)]
        for key in data:
            if key not in known:
                raise ArgumentError(f"{where} has no {key!r}.{nearest(key, known)}")
        values = dict(data)
        try:
            values["url"] = _value(values.get("url", ""))
            headers = values.get("headers", {})
            if isinstance(headers, dict):
                values["headers"] = {name: _value(value) for name, value in headers.items()}
            return cls(**values)
        except ArgumentError as error:
            raise ArgumentError(f"{where}: {error}") from None


def checked_hooks(given: Any) -> list[Hook]:
    """Return the hooks that were given: none, or several.

    Raises:
        ArgumentError: One of them is none.
    """
    listed = [given] if isinstance(given, Hook) else given
    if not isinstance(listed, (list, tuple)):
        raise ArgumentError(f"hooks is {shown(given)}; it must be a list of run.Hook(…).")
    for one in listed:
        if not isinstance(one, Hook):
            raise ArgumentError(f"hooks holds {shown(one)}; it must hold run.Hook(…) alone.")
    return list(listed)


def _named(value: str | Secret) -> Any:
    if not isinstance(value, Secret):
        return value
    places = {"env": value.env, "file": value.file, "keyring": value.keyring}
    return {"secret": value.name, **{key: text for key, text in places.items() if text}}


def _value(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    places = {key: text for key, text in value.items() if key != "secret"}
    if set(places) - {"env", "file", "keyring"} or "secret" not in value:
        raise ArgumentError(f'{shown(value)} is no secret; write {{ secret = "NAME" }}.')
    return Secret(value["secret"], **places)


def _check_command(command: Any) -> None:
    listed = [command] if isinstance(command, str) else command
    good = isinstance(listed, (list, tuple)) and all(isinstance(word, str) for word in listed)
    if not good or any("\0" in word for word in listed):
        raise ArgumentError(
            f"command is {shown(command)}; it must be a list of texts, or a line for the shell."
        )


def _check_url(url: Any) -> None:
    if not url or isinstance(url, Secret):
        return
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ArgumentError("url must be an address that begins with https:// or http://.")


def _place(call: Any) -> str:
    """Return where a function is found by a new process."""
    if isinstance(call, str):
        module, colon, name = call.partition(":")
        if call and not (colon and name and module.replace(".", "").isidentifier()):
            raise ArgumentError(f"call is {call!r}; write it as 'package.module:function'.")
        return call
    module = str(getattr(call, "__module__", None) or "")
    name = str(getattr(call, "__qualname__", ""))
    if module in ("", "__main__") or "<" in name or not name:
        raise ArgumentError(
            f"call is {shown(call)}, which another process cannot import. Move the function to the "
            "top of a module, or use the on_event method of a run.Plugin, which runs in the "
            "process that waits."
        )
    return f"{module}:{name}"


def _checked_on(on: Any) -> tuple[str, ...]:
    if isinstance(on, str) or not all(isinstance(one, str) for one in on):
        raise ArgumentError(f"on is {shown(on)}; it must be a list such as ['FAILED', 'job.*'].")
    for one in on:
        kind, _, state = one.partition(":") if ":" in one else _split(one)
        if state and state not in State.__members__:
            raise ArgumentError(f"on: {state!r} is no state.{nearest(state, State.__members__)}")
        if kind and not any(_fits(kind, known) for known in KINDS):
            raise ArgumentError(
                f"on: {kind!r} is no kind of event.{nearest(kind, KINDS)} "
                f"There are {', '.join(KINDS)}, and states such as FAILED."
            )
    return tuple(on)


def _split(one: str) -> tuple[str, str, str]:
    return ("", "", one) if one.isupper() else (one, "", "")


def _fits(pattern: str, kind: str) -> bool:
    from fnmatch import fnmatchcase

    return fnmatchcase(kind, pattern)


def wants(on: Sequence[str], kind: str, state: str) -> bool:
    """Whether a hook with this ``on`` is told of an event.

    Args:
        on: As of :class:`Hook`, checked.
        kind: The event's name.
        state: The state that it came to; empty if it is no change of a state.
    """
    if not on:
        return bool(state)
    parts = (one.partition(":") if ":" in one else _split(one) for one in on)
    return any(
        (not pattern or _fits(pattern, kind)) and (not wanted or wanted == state)
        for pattern, _, wanted in parts
    )


def _check_headers(headers: Any) -> None:
    good = isinstance(headers, dict) and all(
        isinstance(name, str) and isinstance(value, (str, Secret))
        and not {"\r", "\n"} & {*name, *(value if isinstance(value, str) else "")}
        for name, value in headers.items()
    )  # fmt: skip
    if not good:
        raise ArgumentError("headers must be a mapping of names to texts of one line, or secrets.")


def _check_numbers(timeout: Any, retries: Any) -> None:
    if type(timeout) not in (int, float) or not 0 < timeout <= _LONGEST_TIMEOUT:
        raise ArgumentError(f"timeout is {shown(timeout)}; it must be seconds, up to 3600.")
    if retries is not None and (type(retries) is not int or not 0 <= retries <= 100):
        raise ArgumentError(f"retries is {shown(retries)}; it must be a number from 0 to 100.")
