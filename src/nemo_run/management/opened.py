"""Looking at an experiment that was written down, and ending its jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.observation import State

    from .artifacts import Artifacts
    from .describe.jobs import Job
    from .results import Results
    from .store.record import Record
    from .store.status import JobStatus


class Opened:
    """What an :class:`Experiment` can be asked once it is on disk."""

    _title: str
    _jobs: list[Job]
    _record: Record | None

    def status(self, return_dict: bool = False) -> dict[str, dict[str, Any]] | None:
        """Say how the jobs stand; with ``return_dict`` return it instead of printing it.

        Returns:
            For each job: ``name``, ``status``, ``executor``, ``job_id``, ``handle`` and
            ``local_dir``.
        """
        from . import operations

        record = self._opened()
        known = operations.status(record)
        if return_dict:
            return operations.as_dicts(record, known)
        print(operations.status_text(record, known))  # noqa: T201
        return None

    def job_status(self, job_id: str) -> JobStatus:
        """Return all that is known of one job.

        Raises:
            NotFoundError: There is no such job.
        """
        from . import operations
        from .store.status import JobStatus

        if self._record is None:
            return JobStatus(self._known(job_id))
        self._record.job(job_id)
        return operations.status(self._record).jobs[job_id]

    def results(self) -> Results:
        """Return what the jobs gave; each value is read when it is asked for."""
        from .results import Results

        return Results(self._opened())

    def artifacts(self, job_id: str | None = None, pattern: str = "") -> Artifacts:
        """Return the files that the jobs have left in ``$NEMORUN_OUTPUT_DIR``, where they ran.

        Args:
            job_id: One job; by default all.
            pattern: Only files whose path below that folder matches: ``checkpoints/**``.

        Returns:
            A list of files, whose ``pull(to)`` copies them.

        Raises:
            NotFoundError: There is no such job.
            NemoRunError: Where they ran cannot be reached.
        """
        from .artifacts import Artifacts

        return Artifacts(self._opened(), job_id, pattern)

    def tag(self, *tags: str, remove: Sequence[str] = ()) -> tuple[str, ...]:
        """Add tags to the experiment, take some away, and return those that it has then.

        Args:
            tags: Words to add.
            remove: Words to take away.

        Raises:
            PlanError: It was not started, or something can be no tag.
            StoreError: It cannot be written down.
        """
        from . import marks

        if not tags and not remove:
            return marks.read(self._opened()).tags
        return marks.change(self._opened(), tags, remove).tags

    def note(self, text: str | None = None) -> str:
        """Write a note on the experiment, or only return the one that it has.

        Args:
            text: The new note; empty for none.

        Raises:
            PlanError: It was not started.
            StoreError: It cannot be written down.
        """
        from . import marks

        if text is None:
            return marks.read(self._opened()).note
        return marks.change(self._opened(), note=text).note

    def wait(self, job_id: str | None = None) -> State:
        """Wait until one job, or all of them, has ended; return its state.

        Raises:
            StoreError: Nobody drives the experiment any more.
        """
        from .watch.display import SilentDisplay
        from .watch.follow import Following

        record = self._opened()
        jobs = [record.job(job_id)["id"]] if job_id else []
        status = Following(record, SilentDisplay()).until_end(jobs)
        return status.jobs[job_id].state if job_id else status.state

    def _wait_for_jobs(self, jobs: Sequence[Job] | None = None) -> None:
        for job in jobs if jobs is not None else self._jobs:
            self.wait(job.id)

    def logs(self, job_id: str, regex: str | None = None) -> None:
        """Print the output of a job so far.

        Args:
            job_id: The job.
            regex: Only the lines in which this is found.

        Raises:
            NotFoundError: There is no such job.
        """
        from . import operations

        operations.print_logs(self._opened(), job_id, regex)

    def cancel(self, job_id: str | None = None) -> None:
        """End a job with all its processes, or all jobs; harmless where it has ended.

        Raises:
            NotFoundError: There is no such job.
        """
        from . import operations

        operations.cancel(self._opened(), job_id)

    def _opened(self) -> Record:
        if self._record is None:
            raise PlanError(
                f"Experiment {self._title!r} was not started, so there is nothing to look at. "
                "Call run() first, or open an earlier one with Experiment.from_title()."
            )
        return self._record

    def _known(self, job_id: str) -> str:
        known = [job.id for job in self._jobs]
        if job_id not in known:
            from nemo_run.exceptions import NotFoundError

            raise NotFoundError(
                f"Experiment {self._title!r} has no job {job_id!r}.{nearest(job_id, known)} Its "
                f"jobs are: {', '.join(known) or 'none'}."
            )
        return job_id
