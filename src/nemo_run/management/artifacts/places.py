"""Where the outputs of jobs lie: on their target, and in the record."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, PlanError
from nemo_run.execution.folders import OUTPUTS, output_folder
from nemo_run.management.plans import holds, is_elsewhere, own_spec, spec_of
from nemo_run.management.store import names

from . import patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record
    from nemo_run.remote import Tunnel


@dataclass(frozen=True)
class Place:
    """The folder for what one task leaves.

    Attributes:
        job: The job's id.
        member: The member's name; empty where the job is no group.
        folder: On the target.
        mirror: In the record; the same where the job ran in the record's own folder.
        outputs: The patterns of what counts; none for everything.
        tunnel: The way to the target; None for this machine and the record's own folder.
    """

    job: str
    member: str
    folder: str
    mirror: str
    outputs: tuple[str, ...]
    tunnel: Tunnel | None = None

    @property
    def is_here(self) -> bool:
        """Whether the files lie in the record as the task leaves them."""
        return self.tunnel is None

    def in_record(self) -> Place:
        """Return the place of the copies in the record."""
        return dataclasses.replace(self, folder=self.mirror, tunnel=None)


def places(record: Record, jobs: Sequence[str]) -> list[Place]:
    """Return where the tasks of some jobs leave their files.

    Raises:
        CorruptRecordError: The plan of a job is none of this record's.
    """
    return [place for job in jobs for place in _places(record, job)]


def _places(record: Record, job: str) -> Iterator[Place]:
    tunnel, folders = _target(record, job)
    folder, document = record.job_dir(job), record.job(job)
    listed = document.get("members")
    members = [one for one in (listed if isinstance(listed, list) else []) if isinstance(one, dict)]
    for one in members or [{}]:
        name = _checked(record, str(one.get("name", ""))) if document.get("group") else ""
        mirror = str((folder / name if name else folder) / OUTPUTS)
        if not holds(record, mirror):
            raise CorruptRecordError(f"{mirror} leads out of {record.path}, and is not looked at.")
        there = folders.get(name or job, mirror) if tunnel else mirror
        yield Place(job, name, there, mirror, patterns.stored(one.get("outputs")), tunnel)


def _checked(record: Record, name: str) -> str:
    try:
        if names.folder(name) == name:
            return name
    except PlanError:
        pass  # said below
    raise CorruptRecordError(f"{record.path} has a member called {name!r}, which is no folder.")


def _target(record: Record, job: str) -> tuple[Tunnel | None, dict[str, str]]:
    """Return the way to where a job ran, and the folder of each member there."""
    planned = spec_of(record, job)
    # A copy has what was brought, and does not reach where its jobs ran.
    if planned is None or record.copied or not is_elsewhere(record, planned):
        return None, {}
    spec = own_spec(record, job, 1)
    return _tunnel(spec), {member.name: output_folder(member) for member in spec.members}


def _tunnel(spec: JobSpec) -> Tunnel:
    from nemo_run.execution.backend import Reaching
    from nemo_run.execution.registry import get_backend

    backend = get_backend(spec.backend)
    if not isinstance(backend, Reaching):
        raise PlanError(
            f"The backend {spec.backend!r} does not say how the files of its jobs are reached "
            f"(Backend.tunnel); those of {spec.job!r} lie in {spec.directory}."
        )
    return backend.tunnel(spec)
