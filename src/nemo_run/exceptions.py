"""Every error this library raises on purpose.

::

    NemoRunError
    ├─ ConfigError                  the configuration is wrong, found before anything ran
    │  ├─ ArgumentError (TypeError)            unknown, missing or doubly given argument
    │  ├─ ArgumentAttributeError (AttributeError)   the same, met through ``cfg.name``
    │  ├─ CheckError (TypeError, ValueError)   values that do not fit their annotations
    │  ├─ AutoconvertError (SyntaxError)       a line that autoconvert cannot turn into a config
    │  ├─ SetValueError (ValueError)           a path that leads nowhere
    │  ├─ OverrideError (ValueError)           a key or value given as text that cannot be used
    │  ├─ SweepError (ValueError)              fields or values that no sweep can be made of
    │  └─ SerializationError (TypeError)       a value that cannot travel
    ├─ PlanError (ValueError)       the plan is wrong, found before anything was written
    ├─ BackendError                 an engine refused or failed
    │  └─ ShortageError             it lacks something just now: ask again later
    ├─ SecretError (PlanError, BackendError)   a secret is not where it is said to be found
    ├─ StoreError                   the files of an experiment
    │  ├─ NotFoundError (LookupError, FileNotFoundError)   no such experiment or job
    │  ├─ AmbiguousError (LookupError)         an abbreviation that fits several
    │  ├─ AlreadyExistsError (FileExistsError)   an id that is taken
    │  └─ CorruptRecordError (ValueError)      a file that cannot be read
    └─ JobFailedError               a job that the caller waited for did not succeed

A message is a sentence for the person who has to act on it: what is wrong, where, the value
seen, the nearest valid one, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


class NemoRunError(Exception):
    """Base of every error raised by this library."""


class ConfigError(NemoRunError):
    """The configuration is wrong."""


class ArgumentError(ConfigError, TypeError):
    """An argument is unknown, missing or given twice."""


class ArgumentAttributeError(ConfigError, AttributeError):
    """``cfg.name`` names no argument of the target, or one that has no value."""


class CheckError(ConfigError, TypeError, ValueError):
    """Values that do not fit the target's annotations."""


class AutoconvertError(ConfigError, SyntaxError):
    """A line that :func:`nemo_run.autoconvert` cannot turn into a configuration."""

    # SyntaxError formats itself as 'message (file, line n)'; ours say it in the sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class SetValueError(ConfigError, ValueError):
    """A dotted path that leads nowhere in the configuration."""


class OverrideError(ConfigError, ValueError):
    """A key, a value or a factory of the command line or of a file that cannot be used."""


class SweepError(ConfigError, ValueError):
    """A sweep whose fields or values cannot be used."""


class SerializationError(ConfigError, TypeError):
    """A value that cannot be written to a file and read back."""


class PlanError(NemoRunError, ValueError):
    """The plan is wrong: names, dependencies, executors. Nothing was written."""


class BackendError(NemoRunError):
    """An engine refused a request or could not be reached."""


class ShortageError(BackendError):
    """Something has run short that others will give back: processes, files, memory, disk."""


class SecretError(PlanError, BackendError):
    """A secret is not where it is said to be found, or its value stands somewhere in plain text."""


class PackagingError(PlanError):
    """The code of a job cannot be packaged."""


class NoRepositoryError(PackagingError):
    """The code is in no git repository, so git cannot say what belongs to it."""


class RemoteError(BackendError):
    """Another machine cannot be worked with; the message says what it, or ssh, said."""


class ConnectionFailedError(RemoteError):
    """There is no connection: the host is unknown, silent, refuses, or the line broke."""


class AuthenticationError(RemoteError):
    """The other machine does not let us in."""


class HostKeyError(RemoteError):
    """The other machine is not known, or is not the one that is known."""


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The other machine did not answer in time."""


class RemoteCommandError(RemoteError):
    """A command on the other machine failed.

    Attributes:
        result: What it said.
    """

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class StoreError(NemoRunError):
    """The files of an experiment could not be read or written."""


class NotFoundError(StoreError, LookupError, FileNotFoundError):
    """No experiment or job has that id or title."""


class AmbiguousError(StoreError, LookupError):
    """An abbreviation that fits more than one experiment."""


class AlreadyExistsError(StoreError, FileExistsError):
    """An experiment with that id exists."""


class CorruptRecordError(StoreError, ValueError):
    """A file of an experiment cannot be read."""


class LaterVersionError(StoreError):
    """An experiment was made by a later version, in a format that this one does not know."""


class JobFailedError(NemoRunError):
    """A job that the caller waited for did not succeed.

    Attributes:
        experiment_id: The experiment.
        failures: For each job that did not succeed, its id and all that is known of its end,
            with the traceback.
        results: What the other jobs gave, by id, with ``table()``; None where none was kept.
    """

    def __init__(
        self,
        message: str,
        *,
        experiment_id: str = "",
        failures: dict[str, str] | None = None,
        results: Any = None,
    ) -> None:
        super().__init__(message)
        self.experiment_id = experiment_id
        self.failures = failures or {}
        self.results = results


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest of ``names``, or an empty string."""
    found = closest(name, names)
    return f" Did you mean {found!r}?" if found else ""


def closest(name: str, names: Iterable[str]) -> str | None:
    """Return the closest of ``names``, the one with the same letters first; None where none is."""
    import difflib

    found = difflib.get_close_matches(name, list(names))
    return min(found, key=lambda one: sorted(one) != sorted(name), default=None)


def shown(value: object, limit: int = 200) -> str:
    """Return ``repr(value)`` for a message, shortened, whatever the value's own code does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{type(value).__qualname__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
