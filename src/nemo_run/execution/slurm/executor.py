"""Where and how: on a cluster that Slurm runs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from nemo_run.config.secret import Variables  # noqa: F401 - an annotation of __init__ names it
from nemo_run.exceptions import PlanError, nearest, shown
from nemo_run.execution.commands import ONE_NODE, Meeting, starts_ranks
from nemo_run.execution.executor import Executor, ExecutorMacros
from nemo_run.execution.launcher import resolve_launcher
from nemo_run.execution.target import Target

from . import heterogeneous as het
from . import macros
from .details import SlurmJobDetails
from .heterogeneous import merged
from .interactive import Interactive

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.execution.resume import Resume
    from nemo_run.packaging import Packager
    from nemo_run.remote import LocalTunnel, SSHTunnel

DEFAULT_PORT = 29500

GpusVia = Literal["gres", "gpus-per-node", "gpus-per-task", "none"]


def _default_packager() -> Packager:
    from nemo_run.packaging import GitArchivePackager

    # Outside of a repository there may be nothing to send: a script without files, an image.
    return GitArchivePackager(required=False)


def _default_tunnel() -> LocalTunnel:
    from nemo_run.remote import LocalTunnel

    return LocalTunnel(job_dir="")


@dataclass(kw_only=True)
class SlurmExecutor(Interactive, Executor):
    """Runs tasks as jobs of Slurm, from its login node or, with an ``SSHTunnel``, from elsewhere.

    Fields that sbatch has an option for mean what sbatch(1) says; None leaves the option out.
    Options that have no field go into :attr:`additional_parameters`.

    Attributes:
        account: Who pays.
        partition: Where to queue.
        job_name_prefix: What the job's name begins with.
        time: How long a run may take, as ``days-hours:minutes:seconds`` or minutes.
        nodes: How many machines.
        ntasks_per_node: How many processes on each; the ranks, where a launcher starts them.
        cpus_per_task: CPUs of each process.
        cpus_per_gpu: CPUs for each GPU.
        gpus_per_node: GPUs of each machine.
        gpus_per_task: GPUs of each process.
        qos: Quality of service.
        mem: Memory of each machine, as ``80G``; ``0`` for all.
        mem_per_gpu: Memory for each GPU.
        mem_per_cpu: Memory for each CPU.
        comment: A remark; by default what tells one submission from every other.
        constraint: Features that the machines must have.
        exclude: Machines to leave alone.
        gres: Generic resources, as ``gpu:8``.
        signal: A signal before the time is over, as ``B:USR1@120``.
        exclusive: Share the machines with no other job; ``"user"`` with none of others.
        array: A job array of this one task, as ``0-9%2``. Sweeps make arrays by themselves.
        open_mode: Whether the batch script's output is appended to or written anew.
        segment: How many machines have to lie together.
        network: What the network has to give.
        container_image: The image that processes run in (pyxis); None for the machine itself.
        container_mounts: What they see in it, each as ``SOURCE:TARGET[:OPTIONS]``.
        container_env: Variables of the job that win over the image's.
        additional_parameters: Options of sbatch by name; True for one without a value, False and
            None for one that is left out.
        srun_args: More words of every srun, after ours.
        heterogeneous: Each member of a group gets machines of its own kind (a Slurm hetjob).
        het_group_indices: Which of them each member runs on, from 0, not decreasing.
        memory_measure: Write the memory in use on every GPU into a log of its own.
        job_details: What log files are called.
        tunnel: The way to the login node; None where this is it.
        dependencies: Jobs that come first, by handle or Slurm's id.
        dependency_type: How they have to end: ``afterok``, ``afterany`` or ``afternotok``.
        torchrun_nproc_per_node: Ranks on each machine under a launcher.
        wait_time_for_group_job: Seconds between the starts of two members of a group.
        monitor_group_job: Stop the others when a member of a group has decided how it ends.
        monitor_group_job_wait_time: Seconds that they get to end by themselves.
        setup_lines: Shell that the batch script runs before the tasks, as it is.
        stderr_to_stdout: Keep errors in the same files as output.
        ray_template: Which template Ray clusters are made from.
        poll_estimated_start_time: Kept for programs that give it: the status of a waiting job says
            when it may start wherever Slurm has an estimate, at no further cost.
        resume: How a run goes on that was preempted or came to its time limit.
        gpus_via: How this cluster wants GPUs asked for, whichever field gives their number:
            ``"gres"`` (``--gres=gpu:N``), ``"gpus-per-node"``, ``"gpus-per-task"`` or ``"none"``.
            None asks in the way of the field.
        python: The interpreter of Python tasks on the cluster; by default the launching one where
            this is the login node and there is no container, and else ``python3``.
        job_name: The job it was last assigned to.
        resource_group: What each member of a group asks for; see :meth:`merge`.
        run_as_group: Whether it stands for several executors.
    """

    backend: ClassVar[str] = "slurm"

    ResourceRequest: ClassVar[type[het.ResourceRequest]] = het.ResourceRequest

    HEAD_NODE_IP_VAR: ClassVar[str] = "head_node_ip"
    NPROC_PER_NODE_VAR: ClassVar[str] = "SLURM_NTASKS_PER_NODE"
    NUM_NODES_VAR: ClassVar[str] = "SLURM_NNODES"
    NODE_RANK_VAR: ClassVar[str] = "SLURM_NODEID"
    HET_GROUP_HOST_VAR: ClassVar[str] = "het_group_host"

    account: str | None = None
    partition: str | None = None
    job_name_prefix: str | None = None
    time: str = "00:10:00"
    nodes: int = 1
    ntasks_per_node: int = 1
    cpus_per_task: int | None = None
    cpus_per_gpu: int | None = None
    gpus_per_node: int | None = None
    gpus_per_task: int | None = None
    qos: str | None = None
    mem: str | None = None
    mem_per_gpu: str | None = None
    mem_per_cpu: str | None = None
    comment: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    gres: str | None = None
    signal: str | None = None
    exclusive: bool | str | None = None
    array: str | None = None
    open_mode: str = "append"
    container_image: str | None = None
    container_mounts: list[str] = field(default_factory=list)
    container_env: list[str] | None = None
    additional_parameters: dict[str, Any] | None = None
    srun_args: list[str] | None = None
    heterogeneous: bool = False
    memory_measure: bool = False
    job_details: SlurmJobDetails = field(default_factory=SlurmJobDetails)
    tunnel: SSHTunnel | LocalTunnel | None = field(default_factory=_default_tunnel)
    packager: Packager = field(default_factory=_default_packager)
    dependencies: list[str] = field(default_factory=list)
    dependency_type: str = "afterok"
    torchrun_nproc_per_node: int | None = None
    wait_time_for_group_job: int = 30
    monitor_group_job: bool = True
    monitor_group_job_wait_time: int = 60
    setup_lines: str | None = None
    het_group_indices: list[int] | None = None
    segment: int | None = None
    network: str | None = None
    ray_template: str = "ray.sub.j2"
    poll_estimated_start_time: bool = True
    resume: Resume | None = None
    stderr_to_stdout: bool = True
    gpus_via: GpusVia | None = None
    python: str | None = None
    job_name: str = field(init=False, default="nemo-job")
    resource_group: list[het.ResourceRequest] = field(init=False, default_factory=list)
    run_as_group: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        if self.tunnel is None:
            self.tunnel = _default_tunnel()
        self.wait_time_for_group_job = max(self.wait_time_for_group_job, 0)

    @classmethod
    def merge(cls, executors: list[SlurmExecutor], num_tasks: int) -> SlurmExecutor:
        """Return one executor for a group, with a resource request for each task.

        Args:
            executors: One for all tasks, or one for each. The first says what they share.
            num_tasks: How many tasks.

        Raises:
            PlanError: The numbers differ, or the executors cannot make one job.
        """
        return merged(executors, num_tasks)

    def together(self, others: Sequence[Executor]) -> SlurmExecutor:
        """Return the executor of a group: this one, with what every member asks for.

        Args:
            others: Those of the second and later members.

        Raises:
            PlanError: They cannot make one job.
        """
        group = [self, *(one for one in others if isinstance(one, SlurmExecutor))]
        return merged(group, len(others) + 1)

    @classmethod
    def _refuse_unknown(cls, given: Mapping[str, Any]) -> None:
        known = [one.name for one in fields(cls) if one.init]
        for name in given:
            if name not in known:
                raise TypeError(
                    f"{cls.__name__} has no field {name!r}.{nearest(name, known)} Options of "
                    f"sbatch that have no field go into additional_parameters."
                )

    def info(self) -> str:
        """Return what to call it in a table: its kind and the login node."""
        way = self.way
        user = f"{way.user}@" if way.user else ""
        return f"{type(self).__name__} on {user}{way.host}"

    def connect(self) -> None:
        """Log in to the login node, unless a process of this user has."""
        self.way.connect()

    @property
    def way(self) -> SSHTunnel | LocalTunnel:
        """The tunnel; where somebody has set it to None, this machine."""
        return self.tunnel if self.tunnel is not None else _default_tunnel()

    @property
    def _is_here(self) -> bool:
        from nemo_run.remote import LocalTunnel

        return isinstance(self.way, LocalTunnel)

    def assign(self, exp_id: str, exp_dir: str, task_id: str, task_dir: str) -> None:
        """Say which job this executor is for; saying it twice is the same as once."""
        super().assign(exp_id, exp_dir, task_id, task_dir)
        self.job_name = task_id

    def nnodes(self) -> int:
        """Return how many machines a task takes."""
        return self.nodes

    def nproc_per_node(self) -> int:
        """Return how many ranks a task has on each machine."""
        if not starts_ranks(resolve_launcher(self.launcher)):
            return self.ntasks_per_node
        if self.torchrun_nproc_per_node:
            return self.torchrun_nproc_per_node
        if self.ntasks_per_node == 1 and self.gpus_per_node:
            return self.gpus_per_node
        if self.ntasks_per_node == 1 and self.gpus_per_task:
            return self.gpus_per_task
        return self.ntasks_per_node

    def parse_deps(self) -> list[str]:
        """Return Slurm's ids of the jobs that come first, as :attr:`dependencies` name them.

        Raises:
            PlanError: One of them names no job of Slurm.
        """
        from .handles import job_id

        found = [job_id(str(named)) for named in self.dependencies]
        for named, number in zip(self.dependencies, found, strict=True):
            if number is None:
                raise PlanError(
                    f"dependencies of SlurmExecutor has {named!r}, which is neither an id of Slurm "
                    f"nor the handle of one of its jobs."
                )
        return [number for number in found if number is not None]

    def macro_values(self) -> ExecutorMacros:
        """Return how Slurm spells the facts that are known only while the job runs."""
        return macros.MACROS

    def meeting(self, port: int, environment: Mapping[str, str]) -> Meeting:  # noqa: ARG002
        """Return where the nodes of a task meet: at a free port of its first node.

        Args:
            port: A port other than the launcher's default is taken as it is.
            environment: What the launching process knows.
        """
        if self.nodes == 1:
            return ONE_NODE
        if port == DEFAULT_PORT:
            return Meeting(macros.MEETING_POINT, macros.NODE_RANK, macros.ATTEMPT)
        address = macros.MEETING_POINT.partition(":")[0]
        return Meeting(f"{address}:{port}", macros.NODE_RANK, macros.ATTEMPT)

    def backend_options(self, environment: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """Return the fields as the backend reads them.

        Args:
            environment: What the launching process knows.

        Raises:
            PlanError: A value that sbatch or srun would not understand.
        """
        from .options import options_of

        return options_of(self)

    def target(self, experiment_dir: str, title: str, experiment: str, job: str) -> Target:
        """Return where the processes of a job find things.

        Args:
            experiment_dir: The experiment's folder on this machine.
            title: The name of the folder with the experiments of one title.
            experiment: The experiment's id, which is the name of its folder.
            job: The name of the job's folder.

        Raises:
            PlanError: The tunnel has no folder on the cluster.
        """
        from nemo_run.config.home import get_nemorun_home

        here, container = self._is_here, bool(self.container_image)
        root = _root(self.way.job_dir, here=here)
        directory = f"{root}/{title}/{experiment}/jobs/{job}" if root else ""
        directory = directory or f"{experiment_dir}/jobs/{job}"
        return Target(
            directory=directory,
            inside="/nemo_run" if container else directory,
            store=f"{root}/.nemo_run" if root else get_nemorun_home(),
            python=self.python or ("" if here and not container else "python3"),
            here=here,
            container=container,
            in_code=container or not here or bool(self.packager.symlink_from_remote_dir),
        )

    def supports_launcher_transform(self) -> bool:
        """Return whether the launcher writes the command anew, as a template does."""
        from nemo_run.execution.launcher import SlurmTemplate

        return isinstance(resolve_launcher(self.launcher), SlurmTemplate)


_init = SlurmExecutor.__init__


@wraps(_init)
def _checked_init(self: SlurmExecutor, *args: Any, **kwargs: Any) -> None:
    type(self)._refuse_unknown(kwargs)  # noqa: SLF001 - part of the class, put in below
    _init(self, *args, **kwargs)


# What Python itself says of a misspelt field does not name the nearest one.
SlurmExecutor.__init__ = _checked_init  # type: ignore[method-assign]


def _root(job_dir: object, *, here: bool) -> str:
    root = str(job_dir or "").rstrip("/")
    if "\\" in root or not root.isprintable():
        raise PlanError(
            f"job_dir of the tunnel is {shown(job_dir)}; Slurm reads a backslash in the name of a "
            f"log as an order of its own, so no folder above one may have any."
        )
    if root.startswith("/") or (here and not root):
        return root
    seen = f"is {shown(job_dir)}" if root else "is empty"
    raise PlanError(
        f"job_dir of the tunnel {seen}; it must be the absolute path of a folder on the cluster "
        f"that all its nodes see, such as '/lustre/users/me/nemo_run'."
    )
