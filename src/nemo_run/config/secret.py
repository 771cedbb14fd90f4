"""A value that must not be written down: a name, and where the value is found when it is needed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ArgumentError, shown

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

if TYPE_CHECKING:
    # Variables of a process. Also a dict of texts that somebody made before is one; with secrets
    # among the values in the type it would not be.
    Variables = dict[str, Any]
else:
    Variables = dict[str, str]

# The name is part of a variable's in the job and of texts that shells read.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Secret:
    """The name of a secret. Its value is never part of the object.

    ::

        run.LocalExecutor(env_vars={"HF_TOKEN": run.Secret("HF_TOKEN")})
        run.Partial(train, token=run.Secret("HF_TOKEN"))

    The value is looked up by the process that starts the job, at that moment. Two secrets of one
    name are equal: a name stands for one value in all of an experiment.

    Args:
        name: What it is called; letters, digits and underscores.
        env: The environment variable that holds it; by default the one of the same name.
        file: The file that holds it; a newline at its end does not count.
        keyring: ``service/user`` of the system's key store, read with the package keyring.

    Raises:
        ArgumentError: A name that no variable can have, or two places at once.
    """

    name: str
    env: str | None = field(default=None, kw_only=True, compare=False)
    file: str | os.PathLike[str] | None = field(default=None, kw_only=True, compare=False)
    keyring: str | None = field(default=None, kw_only=True, compare=False)

    def __post_init__(self) -> None:
        _check_name(self.name, "name")
        given = [n for n in ("env", "file", "keyring") if getattr(self, n) is not None]
        if len(given) > 1:
            raise ArgumentError(
                f"Secret({self.name!r}) has {' and '.join(given)}; it is found at one place. "
                "Leave the others out."
            )
        if self.env is not None:
            _check_name(self.env, "env")
        if self.file is not None:
            object.__setattr__(self, "file", _path(self.file))
        if self.keyring is not None and not _is_account(self.keyring):
            raise ArgumentError(
                f"keyring of Secret({self.name!r}) is {shown(self.keyring)}; it must be "
                "'service/user', as in keyring='huggingface/me'."
            )

    def __repr__(self) -> str:
        where = [
            f", {name}={value!r}"
            for name, value in (("env", self.env), ("file", self.file), ("keyring", self.keyring))
            if value is not None
        ]
        return f"Secret({self.name!r}{''.join(where)})"

    def __str__(self) -> str:
        return repr(self)

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def to_config(self) -> Secret:
        """Return the secret itself: in a configuration it stays what it is."""
        return self


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > 200:
        # Not shown: it may be the value, given by mistake.
        given = f"a text of {len(name)} characters" if isinstance(name, str) else shown(name)
        raise ArgumentError(
            f"{what} of Secret is {given}, and no name as environment variables have. Give a name "
            "such as 'HF_TOKEN', never the value itself."
        )


def _path(file: Any) -> str:
    import os

    try:
        path = os.fsdecode(os.fspath(file))
    except TypeError:
        raise ArgumentError(f"file of Secret is {shown(file)}; it must be a path.") from None
    if not path or "\0" in path or "\n" in path:
        raise ArgumentError(f"file of Secret is {path!r}; it must be the path of a file.")
    return path


def _is_account(text: object) -> bool:
    if not isinstance(text, str) or not text.isprintable():
        return False
    service, _, user = text.rpartition("/")
    return bool(service and user)


_lookup: ContextVar[Callable[[Secret], str] | None] = ContextVar("nemo_run_secrets", default=None)


@contextmanager
def looked_up(lookup: Callable[[Secret], str]) -> Iterator[None]:
    """Let configurations that are built inside get the values of secrets, not their names.

    Args:
        lookup: Returns the value of a secret.
    """
    before = _lookup.set(lookup)
    try:
        yield
    finally:
        _lookup.reset(before)


def built(secret: Secret) -> Any:
    """Return what building makes of a secret: itself, but for a task that runs right here."""
    lookup = _lookup.get()
    return secret if lookup is None else lookup(secret)


def secrets_in(value: Any) -> list[Secret]:
    """Return the secrets anywhere in a configuration, a task or a container, each once."""
    found: dict[str, Secret] = {}
    _collect(value, found, set())
    return list(found.values())


def _collect(value: Any, found: dict[str, Secret], met: set[int]) -> None:
    if isinstance(value, Secret):
        known = found.setdefault(value.name, value)
        if repr(known) != repr(value):
            raise ArgumentError(
                f"{known!r} and {value!r} have one name and two places. A name stands for one "
                "value: give one of them another name."
            )
        return
    if isinstance(value, (str, bytes, int, float, type(None))) or id(value) in met:
        return
    met.add(id(value))
    for part in _parts(value):
        _collect(part, found, met)


def _parts(value: Any) -> Any:
    from .graph.node import is_node
    from .graph.reference import Deferred

    if is_node(value):
        return list(value.__arguments__.values())
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if type(value) is Deferred:
        return value.children
    if hasattr(type(value), "__dataclass_fields__") and not isinstance(value, type):
        return [getattr(value, name, None) for name in type(value).__dataclass_fields__]
    return []
