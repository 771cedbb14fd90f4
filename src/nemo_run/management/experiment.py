"""A titled graph of jobs: described, started, watched, opened again."""

from __future__ import annotations

import sys
from contextvars import ContextVar, Token
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from nemo_run.config import ConfigurableMixin
from nemo_run.exceptions import JobFailedError, PlanError
from nemo_run.execution.executor import Executor

from .compare.differing import Differing
from .describe.jobs import Job, JobGroup, Names, checked_jobs
from .describing import Describing
from .opened import Opened
from .store import ids, layout, names
from .watch.manner import Manner, is_hushed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from nemo_run.config import Config
    from nemo_run.execution.jobspec import JobSpec

    from .describe.plan import Plan
    from .hooks import Hook
    from .results import Results
    from .store.record import Record

_current: ContextVar[Experiment | None] = ContextVar("nemo_run_current_experiment", default=None)


class Experiment(Describing, Opened, Differing, ConfigurableMixin):
    """Jobs that belong together, under a title.

    Describing one touches nothing. :meth:`run` plans all of it, writes it down and starts a
    process that drives it to its end, whatever happens to this one::

        with run.Experiment("digits") as exp:
            train = exp.add(run.Partial(train, lr=0.1), name="train")
            exp.add(run.Script("report.sh"), name="report", dependencies=[train])
            results = exp.run()

    Args:
        title: What the experiment is called; several may share a title.
        executor: Runs the tasks that are added without one; :class:`LocalExecutor` by default.
        id: Its id; by default the title and the time.
        log_level: From ``WARNING`` on, nothing of ours is said while it runs.
        jobs: Jobs of another experiment to begin with.
        base_dir: Where ``experiments/`` lies, if not in ``$NEMORUN_HOME``.
        clean_mode: Say nothing of our own; the output of jobs is shown all the same.
        enable_goodbye_message: Say at the end how to come back.
        threadpool_workers: Kept for programs that give it; jobs are started in batches.
        skip_status_at_exit: Say nothing about the jobs at the end.
        serialize_metadata_for_scripts: Keep ``task.yaml`` of scripts too.
        hooks: Who is told what happens, besides those of configuration files.

    Raises:
        PlanError: Title or id cannot be used.
    """

    # Public programs look at these. Every executor's jobs may run side by side, and may go on
    # without the process that started them.
    _PARALLEL_SUPPORTED_EXECUTORS: ClassVar[tuple[type, ...]] = (Executor,)
    _DETACH_SUPPORTED_EXECUTORS: ClassVar[tuple[type, ...]] = (Executor,)

    def __init__(
        self,
        title: str,
        executor: Executor | None = None,
        id: str | None = None,  # noqa: A002 - the reference's word
        log_level: str = "INFO",
        _reconstruct: bool = False,
        jobs: Sequence[Job] | None = None,
        base_dir: str | Path | None = None,
        clean_mode: bool = False,
        enable_goodbye_message: bool = True,
        threadpool_workers: int = 16,
        skip_status_at_exit: bool = False,
        serialize_metadata_for_scripts: bool = True,
        *,
        hooks: Sequence[Hook] = (),
    ) -> None:
        names.check(title, "experiment title")
        if id is not None:
            names.check_id(id)
        self._title = title
        self._id = id or ids.new_id(title)
        self._executor = executor
        self._base_dir = base_dir
        self._reconstruct = _reconstruct
        self._manner = Manner(
            quiet=clean_mode or _is_quiet(log_level) or is_hushed(),
            goodbye=enable_goodbye_message,
            summary=not skip_status_at_exit,
        )
        self.threadpool_workers = threadpool_workers
        self.serialize_metadata_for_scripts = serialize_metadata_for_scripts
        self._own_id = id is not None
        self._hooks = _checked_hooks(hooks)
        self._names = Names()
        self._jobs: list[Job] = []
        self._record: Record | None = None
        self._parent: dict[str, Any] = {}
        self._asked = False
        self._token: Token[Experiment | None] | None = None
        for job in checked_jobs(jobs):
            self._adopt(job.copy())

    # Describing

    @property
    def executor(self) -> Executor:
        """What runs the tasks that are added without an executor."""
        if self._executor is None:
            from nemo_run.execution import LocalExecutor

            self._executor = LocalExecutor()
        return self._executor

    @property
    def id(self) -> str:
        """The experiment's id."""
        return self._id

    @property
    def title(self) -> str:
        """The experiment's title."""
        return self._title

    @property
    def jobs(self) -> list[Job]:
        """The jobs, in the order in which they were added."""
        self._load()
        return self._jobs

    @jobs.setter
    def jobs(self, jobs: Sequence[Job]) -> None:
        self._names = Names()
        self._jobs = []
        for job in checked_jobs(jobs):
            self._adopt(job)

    @property
    def tasks(self) -> list[Any]:
        """The task of each job; of a group, the list of them."""
        return [job.tasks if isinstance(job, JobGroup) else job.task for job in self.jobs]

    @property
    def tunnels(self) -> dict[str, Any]:
        """The connections of its jobs to the machines they run on, by ``user@host``.

        Each knows in ``packaging_jobs`` where the code of the jobs lies, so that another
        experiment can use it: ``packager.symlink_from_remote_dir = job.dst_path``.
        """
        from .describe.tunnels import tunnels_of

        return tunnels_of(self._id, self.jobs, self._plan_of_record)

    def _plan_of_record(self, job: str) -> JobSpec | None:
        """Return what was planned for a job; None before that."""
        from .plans import spec_of

        return spec_of(self._record, job) if self._record is not None else None

    @property
    def started(self) -> bool:
        """Whether it was written down and set going."""
        return self._record is not None

    @property
    def _exp_dir(self) -> str:
        if self._record is not None:
            return str(self._record.path)
        return str(layout.title_folder(layout.base(self._base_dir), self._title) / self._id)

    @property
    def _runner(self) -> Experiment:
        # Programs hand this to Job.status() and Job.wait(), which need nothing of it.
        return self

    def __repr__(self) -> str:
        jobs = [job.id for job in self._jobs]
        if self._record is not None:
            # From the record, as loading its tasks may need code that is not here.
            jobs = [str(document["id"]) for document in self._record.jobs]
        return f"Experiment({self._title!r}, id={self._id!r}, jobs={jobs})"

    def to_config(self) -> Config[Any]:
        """Return title, tasks and executors as one configuration, to compare and to draw."""
        from nemo_run.config import Config

        jobs = {
            job.id: {
                "task": job.tasks if isinstance(job, JobGroup) else job.task,
                "executor": job.executor.to_config(),
                "dependencies": job.dependencies,
            }
            for job in self.jobs
        }
        return Config({"title": self._title, **jobs})

    def _adopt(self, job: Job) -> None:
        job.experiment = self
        job.id = self._names.take(job.id)
        self._jobs.append(job)

    # Running

    def dryrun(
        self,
        log: bool = True,
        exist_ok: bool = False,  # noqa: ARG002
        delete_exp_dir: bool = True,
        *,
        sequential: bool = False,
    ) -> Plan:
        """Plan everything and print it, byte for byte as it would be sent; start nothing.

        Args:
            log: Print the plan.
            exist_ok: Kept for programs that give it; a dry run is in nobody's way.
            delete_exp_dir: False keeps the experiment's folder, as :meth:`run` would make it.
            sequential: Plan each job after the one before it has succeeded.

        Returns:
            The plan.

        Raises:
            ConfigError: A task is wrong or cannot travel.
            PlanError: A job cannot run.
        """
        self._asked = True
        if sequential:
            self._chain()
        plan = self._plan()
        if log:
            sys.stdout.write(plan.text())
            for warning in plan.warnings:
                self._manner.warn(warning)
        if not delete_exp_dir:
            self._written_down(plan)
        return plan

    def run(
        self,
        sequential: bool = False,
        detach: bool = False,
        tail_logs: bool = False,
        direct: bool = False,
    ) -> Results | dict[str, Any]:
        """Start the experiment and wait for its end.

        Args:
            sequential: Start each job after the one before it has succeeded.
            detach: Return at once; the experiment goes on.
            tail_logs: Show the output of every job.
            direct: Run the tasks one after the other in this process.

        Returns:
            The results by job; with ``detach`` those that are there when they are asked for.

        Raises:
            ConfigError: A task is wrong or cannot travel; nothing was written.
            PlanError: The plan is wrong; nothing was written.
            RemoteError: A place that jobs run on cannot be reached; nothing was written.
            JobFailedError: Jobs did not succeed; the message holds the causes.
            KeyboardInterrupt: The person left with Ctrl-C; the experiment goes on.
        """
        from .direct import refuse_groups, run_directly
        from .starting import begin_and_follow, rank_of_launcher

        self._asked = True
        rank = rank_of_launcher()
        if rank:
            self._manner.say(f"Process {rank} of several: the first one runs {self._title!r}.")
            return {}
        if self.started:
            raise PlanError(
                f"Experiment {self._id} was started already. Call reset() first, which makes a "
                "new experiment of the same jobs."
            )
        if sequential:
            self._chain()
        if direct:
            refuse_groups(self.jobs)
        plan = self._plan()
        self._tell(plan)
        if direct:
            returned = run_directly(self._write_down(plan), self._jobs)
            if any(job.varied for job in self._jobs):
                self._manner.say(str(self.results()))
            return returned
        self._connect()
        tail = [job.id for job in self._jobs if tail_logs or job.tail_logs]
        plugins = [plugin for job in self._jobs for plugin in job.plugins]
        ended = begin_and_follow(
            lambda: self._write_down(plan), self._manner, detach=detach, tail=tail, plugins=plugins
        )
        if isinstance(ended, JobFailedError):
            # Raised here, so that few frames of ours lie between the caller and the cause.
            raise ended
        return ended

    def _tell(self, plan: Plan) -> None:
        for warning in plan.warnings:
            self._manner.warn(warning)
        for snapshot in plan.code.all() if plan.code else ():
            self._manner.say(f"code: {snapshot.summary()}")

    def _connect(self) -> None:
        """Reach every place once, before anything is written down."""
        reached = []
        for job in self._jobs:
            place = getattr(job.executor, "tunnel", None)
            if place is None or place not in reached:
                job.executor.connect()
                reached.append(place)

    def _chain(self) -> None:
        from .describe import dag

        if any(job.edges for job in self._jobs):
            raise PlanError(
                "sequential=True makes a chain of the jobs, and some of them have dependencies of "
                "their own. Leave one of the two out."
            )
        for node, job in zip(dag.sequential([j.id for j in self._jobs]), self._jobs, strict=True):
            job.edges = list(node.edges)

    def _plan(self) -> Plan:
        from .describe import plan

        if not self.jobs:
            raise PlanError(f"Experiment {self._title!r} has no jobs. Add one: exp.add(task).")
        return plan.make(
            self._id,
            self._title,
            Path(self._exp_dir),
            self._jobs,
            yaml_of_scripts=self.serialize_metadata_for_scripts,
        )

    def _write_down(self, plan: Plan) -> Record:
        self._record = self._written_down(plan)
        return self._record

    def _written_down(self, plan: Plan) -> Record:
        from .hooks.configured import configured
        from .starting import write_down

        return write_down(
            plan,
            own_id=self._own_id,
            base_dir=self._base_dir,
            again=self._renamed,
            parent=self._parent,
            hooks=[*self._hooks, *configured()],
        )

    def _renamed(self, experiment_id: str) -> Plan:
        """Plan once more under another id: somebody else took ours at the same moment."""
        self._id = experiment_id
        for job in self._jobs:
            job.assign(experiment_id, self._exp_dir)
        return self._plan()

    # Again

    def reset(self, *, failed: bool = False) -> Experiment:
        """Make this a new experiment of the same jobs, ready to run; the old one stays on disk.

        It is written down which experiment this was. Dependencies and plugins are kept, and so
        are changes that were made to the jobs' tasks and executors. Nothing is executed.

        Args:
            failed: Keep only the jobs that did not succeed, with the dependencies among them.

        Raises:
            StoreError: With ``failed``, there is no such job, or the experiment is not over.
            PlanError: With ``failed``, it was not started.
        """
        if failed:
            from .reset import only_failed

            self.jobs = only_failed(self._opened(), self.jobs)
        jobs = self.jobs
        if self._record is not None:
            self._parent = {"rerun_of": self._record.id}
        self._asked = False
        self._id = ids.new_id(self._title)
        self._own_id = False
        self._record = None
        self._reconstruct = False
        for job in jobs:
            job.assign(self._id, self._exp_dir)
        return self

    @classmethod
    def from_id(cls, id: str, base_dir: str | Path | None = None) -> Experiment:  # noqa: A002
        """Open the experiment with this id, from any folder. Runs none of its code.

        Raises:
            NotFoundError: There is none.
        """
        from .store.finding import find_id

        return cls.of_record(find_id(id, base_dir))

    @classmethod
    def from_title(cls, title: str, base_dir: str | Path | None = None) -> Experiment:
        """Open the newest experiment with this title.

        Raises:
            NotFoundError: There is none.
        """
        from .store.finding import find_title

        return cls.of_record(find_title(title, base_dir))

    @classmethod
    def catalog(cls, title: str = "", base_dir: str | Path | None = None) -> list[str]:
        """Return the ids of a title's experiments, oldest first; without a title, all titles."""
        from .store.finding import catalog

        return catalog(title, base_dir)

    @classmethod
    def of_record(cls, record: Record) -> Experiment:
        """Return the experiment that ``record`` is a view of."""
        experiment = cls(record.title, _reconstruct=True, base_dir=record.path.parents[2])
        experiment._id = record.id
        experiment._record = record
        return experiment

    def _load(self) -> None:
        """Read the jobs of an experiment that was opened."""
        if self._record is None or self._jobs:
            return
        from .reset import stored_jobs

        for job in stored_jobs(self._record):
            self._adopt(job)

    # With

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
        if error is None and self._jobs and not (self._asked or self.started):
            import warnings

            warnings.warn(
                f"Experiment {self._title!r} has {len(self._jobs)} jobs, and nothing was started: "
                "call run() at the end of the with block, or dryrun() to see what it would do.",
                stacklevel=2,
            )


def current() -> Experiment | None:
    """Return the experiment whose ``with`` block is running, the innermost one."""
    return _current.get()


def _checked_hooks(given: Sequence[Hook]) -> list[Hook]:
    if not given:
        return []
    from .hooks.hook import checked_hooks

    return checked_hooks(given)


def _is_quiet(log_level: str) -> bool:
    return str(log_level).upper() in {"WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"}
