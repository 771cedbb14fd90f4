"""What an engine can be asked beside running jobs: is all well, let me in, let me through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .executor import Executor
    from .jobspec import Handle, JobSpec

Verdict = Literal["ok", "note", "problem"]
"""``note`` is for what works less well, or could not be found out."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, and what was found.

    Attributes:
        what: What was looked at, in two or three words.
        verdict: Whether it works.
        found: What was found, in one line.
        advice: What to do; empty where nothing is to be done.
    """

    what: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Route:
    """How to reach a port of a job's node.

    Attributes:
        command: What to run here for it, until it is not needed any more; empty where the
            address can be reached from here.
        host: The node's address.
        port: The port there.
    """

    command: tuple[str, ...]
    host: str
    port: int


@runtime_checkable
class Examined(Protocol):
    """A backend that can say what works and what does not."""

    def examine(self, executor: Executor) -> Iterator[Finding]:
        """Yield what was found, one after the other; the later ones may need the earlier ones.

        Args:
            executor: Says which engine, and how jobs would be asked for. Nothing is started.
        """
        ...


@runtime_checkable
class Entered(Protocol):
    """A backend whose running jobs can be entered."""

    def shell(
        self, spec: JobSpec, handle: Handle, *, node: int, command: Sequence[str]
    ) -> Sequence[str]:
        """Return the command that opens a shell beside a running job, in its container.

        Args:
            spec: The job.
            handle: What the engine calls it.
            node: On which of its nodes, from 0.
            command: What to run there instead of a shell; empty for the shell.

        Raises:
            BackendError: It does not run, or the engine cannot be reached.
        """
        ...

    def route(self, handle: Handle, *, node: int, port: int, local_port: int) -> Route:
        """Return how a port of a job's node is reached from this machine.

        Args:
            handle: What the engine calls it.
            node: Which of its nodes, from 0.
            port: The port there.
            local_port: The port here, should a program have to open one.

        Raises:
            BackendError: It does not run, or the engine cannot be reached.
        """
        ...
