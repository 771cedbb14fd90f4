"""Which code travels with the jobs of one experiment: every packager is asked once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.files import codec
from nemo_run.config.home import get_nemorun_home
from nemo_run.exceptions import PlanError
from nemo_run.execution.code import Code
from nemo_run.packaging import Packager

if TYPE_CHECKING:
    from nemo_run.packaging.snapshot import Snapshot

    from .jobs import Job

STORE = "code.git"


class Traveling:
    """The snapshots of an experiment's code, taken while it is planned.

    Their bytes lie aside until :meth:`keep`, so that a plan leaves nothing behind.

    Attributes:
        warnings: Sentences about code that does not travel.

    Args:
        working_directory: The folder of the launching process.
    """

    def __init__(self, working_directory: str) -> None:
        self._working_directory = working_directory
        self._taken: dict[str, Snapshot | None] = {}
        self.warnings: list[str] = []

    def of(self, job: Job) -> Code | None:
        """Return the code of a job; None where none travels.

        Raises:
            PackagingError: It cannot be packaged.
            PlanError: The members of a group want different code.
        """
        first = job.members[0]
        packager = _packager(job)
        if first.origin is not None and first.origin.code is not None:
            return first.origin.code
        snapshot = self._snapshot(packager)
        if snapshot is None:
            return None
        return Code(snapshot.tree, snapshot.root, snapshot.holds)

    def snapshot(self, job: Job) -> Snapshot | None:
        """Return what was taken for a job, after :meth:`of`."""
        return self._taken.get(codec.dumps(_packager(job)))

    def _snapshot(self, packager: Packager) -> Snapshot | None:
        key = codec.dumps(packager)
        if key not in self._taken:
            from nemo_run.packaging.snapshot import CodePlace

            store = str(Path(get_nemorun_home(), STORE).absolute())
            self._taken[key] = packager.snapshot(CodePlace(self._working_directory, store))
            if self._taken[key] is None and not getattr(packager, "required", True):
                self.warnings.append(
                    f"{self._working_directory} is in no git repository, so no code travels with "
                    "the jobs. Name what they need with run.PatternPackager, or say that nothing "
                    "is needed with packager=run.Packager()."
                )
        return self._taken[key]

    def all(self) -> list[Snapshot]:
        """Return what was taken so far."""
        return [snapshot for snapshot in self._taken.values() if snapshot is not None]

    def keep(self) -> None:
        """Move what was taken into the store, before anything refers to it.

        Raises:
            PackagingError: It could not be written.
        """
        for snapshot in self.all():
            snapshot.keep()


def described(snapshot: Snapshot | None, code: Code) -> dict[str, Any]:
    """Return what the record of a job says about its code."""
    if snapshot is not None:
        known = {"summary": snapshot.summary(), "commit": snapshot.commit}
    else:
        # Of a stored job, as its own record says.
        said = {"summary": code.summary, "commit": code.commit}
        known = {name: value for name, value in said.items() if value}
    return {"tree": code.tree, "root": code.root, **known}


def _packager(job: Job) -> Packager:
    """Return what packages the code of a job: of a group, one for all."""
    first, *others = [member.executor.packager for member in job.members]
    for member, packager in zip(job.members[1:], others, strict=True):
        if type(packager) is not Packager and packager != first:
            raise PlanError(
                f"The members of job {job.id!r} share one code folder, and the packager of "
                f"{member.name!r}, {packager!r}, is not that of the first one, {first!r}. Give all "
                "of them the same."
            )
    return first
