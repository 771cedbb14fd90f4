"""Removing what was delivered to jobs in secret, once they have ended."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.backend import Forgetting as ForgettingBackend
from nemo_run.execution.observation import TERMINAL
from nemo_run.management.store import events

from .standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.events import Event


class Forgetting(Standing):
    """One experiment, whose ended jobs leave no secret on their targets."""

    def _write(self, happened: Sequence[Event]) -> bool:
        written = super()._write(happened)
        if written:
            self._forget_ended(happened)
        return written

    def _forget_ended(self, happened: Iterable[Event]) -> None:
        """Have engines remove the secrets of those attempts that have ended by these events."""
        ended = {str(e["job"]): int(e.get("attempt") or 0) for e in happened if _ends(e)}
        by_backend: dict[str, list[JobSpec]] = {}
        for job, attempt in ended.items():
            try:
                spec = self._spec(job)
            except NemoRunError:
                continue  # what has no plan was given no secret
            if spec.secrets:
                last = dataclasses.replace(spec, attempt=attempt or spec.attempt)
                by_backend.setdefault(spec.backend, []).append(last)
        for name, specs in by_backend.items():
            self._forget(name, specs)

    def _forget(self, name: str, specs: Sequence[JobSpec]) -> None:
        try:
            backend = self._backend_named(name)
            if isinstance(backend, ForgettingBackend):
                backend.forget(specs)
        except Exception as error:  # noqa: BLE001 - an engine's failure must not end the others' jobs
            places = ", ".join(f"{spec.directory}/secrets" for spec in specs)
            self.log(f"Secrets could not be removed, and may be left in {places}: {error}")


_ENDS = frozenset(str(state) for state in TERMINAL)


def _ends(event: Event) -> bool:
    kind = event.get("event")
    seen = kind == events.JOB_OBSERVED and event.get("state") in _ENDS
    return seen or kind == events.JOB_SKIPPED
