"""Adding jobs to an experiment that was not started yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nemo_run.exceptions import PlanError

from .describe.adding import described_job
from .describe.plugin import checked_plugins
from .describe.sweeping import checked_sweep, points_of, refuse_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.config.sweeps.sweep import Sweep
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.jobspec import Policy

    from .describe.dag import Edge
    from .describe.jobs import Job, Names
    from .describe.plugin import Plugin
    from .experiment import Experiment


class Describing:
    """What an :class:`Experiment` can be given before it is started."""

    _id: str
    _jobs: list[Job]
    _names: Names

    if TYPE_CHECKING:  # what Experiment has

        @property
        def executor(self) -> Executor:
            """See Experiment."""

        @property
        def started(self) -> bool:
            """See Experiment."""

        @property
        def _exp_dir(self) -> str: ...

    def add(
        self,
        task: Any,
        executor: Executor | Sequence[Executor] | None = None,
        name: str = "",
        plugins: Sequence[Plugin] | None = None,
        tail_logs: bool = False,
        dependencies: Sequence[str | Edge] | None = None,
        *,
        policy: Policy = "all",
        roles: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> str:
        """Add a job; nothing starts before :meth:`run`.

        Task and executor are copied, so that later changes to them change nothing here.

        Args:
            task: A ``Partial``, ``Config`` or ``Script``; a list of them for a group, whose
                members run together.
            executor: Where and how; for a group one for all, or a list with one for each.
            name: What to call the job; by default made from the task.
            plugins: Edit the job's own copies of task and executor.
            tail_logs: Show its output while :meth:`run` waits.
            dependencies: The ids of jobs that must have succeeded before; write
                ``"afterany:a"`` or ``"afternotok:a"`` for other conditions.
            policy: How a group ends: ``all`` waits for every member and stops the others when
                one fails; ``main`` ends with the members whose role is ``main``.
            roles: For each member of a group ``main`` or ``sidecar``.
            members: What to call each member of a group; by default they go by their tasks. Their
                logs, results and addresses go by these names.
            outputs: Which files of ``$NEMORUN_OUTPUT_DIR`` count as what the job leaves, as
                patterns: ``["checkpoints/**", "metrics.json"]``; by default all of them.

        Returns:
            The job's id, for ``dependencies`` and for looking at it.

        Raises:
            TypeError: What was given is no task.
            ConfigError: The task is wrong, or cannot travel; the message says where.
            PlanError: A name, a dependency or the executors are wrong.
        """
        refuse_sweep(task)
        job = self._described(
            task,
            executor,
            name,
            plugins,
            tail_logs,
            dependencies,
            policy=policy,
            roles=roles,
            members=members,
            outputs=outputs,
        )
        self._jobs.append(job)
        return job.id

    def add_sweep(
        self,
        sweep: Sweep,
        executor: Executor | None = None,
        name: str = "",
        plugins: Sequence[Plugin] | None = None,
        tail_logs: bool = False,
        dependencies: Sequence[str | Edge] | None = None,
        *,
        max_parallel: int | None = None,
        outputs: Sequence[str] | None = None,
    ) -> list[str]:
        """Add a job for each point of a sweep.

        Where some points fail, the others go on.

        Args:
            sweep: What :func:`nemo_run.sweep` returned.
            executor: Where and how each of them runs.
            name: Begins the name of every job; without one they are called after what varies.
            plugins: Edit each job's own copies of task and executor.
            tail_logs: Show the output of all of them while :meth:`run` waits.
            dependencies: The ids of jobs that must have succeeded before any of them.
            max_parallel: How many of them may run at once; by default what the sweep says.
            outputs: Which files of ``$NEMORUN_OUTPUT_DIR`` count as what each of them leaves.

        Returns:
            The jobs' ids, in the order of the points.

        Raises:
            TypeError: What was given is no sweep.
            ConfigError: A task cannot travel; the message says where.
            PlanError: A name, a dependency or the executor is wrong.
        """
        given = points_of(checked_sweep(sweep), name, self._jobs, max_parallel)
        jobs = []
        for own, point, varied in given:
            job = self._described(
                point.task, executor, own, plugins, tail_logs, dependencies, outputs=outputs
            )
            job.varied = varied
            jobs.append(job)
        self._jobs += jobs
        return [job.id for job in jobs]

    def _described(
        self,
        task: Any,
        executor: Executor | Sequence[Executor] | None,
        name: str,
        plugins: Sequence[Plugin] | None,
        tail_logs: bool,
        dependencies: Sequence[str | Edge] | None,
        policy: Policy = "all",
        roles: Sequence[str] | None = None,
        members: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
    ) -> Job:
        if self.started:
            raise PlanError(
                f"Experiment {self._id} was started, so no job can be added to it. Call reset() "
                "first, which makes a new experiment of the same jobs."
            )
        job = described_job(
            task,
            executor if executor is not None else self.executor,
            name=name,
            taken=self._names,
            known=[job.id for job in self._jobs],
            dependencies=dependencies or (),
            policy=policy,
            roles=roles,
            members=members,
            outputs=outputs,
        )
        job.tail_logs = tail_logs
        job.experiment = cast("Experiment", self)
        job.apply(checked_plugins(plugins), self._id, self._exp_dir)
        job.check()
        return job
