"""Where and how a task runs: the base of all executors. Pure data; nothing happens here."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from nemo_run.config.graph.signature import ASSIGNED
from nemo_run.config.mixin import ConfigurableMixin
from nemo_run.config.secret import Variables  # noqa: TC001 - annotations are read at run time
from nemo_run.exceptions import PlanError, nearest

from .commands import ONE_NODE, Meeting
from .launcher import Launcher, resolve_launcher
from .target import Target

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from nemo_run.packaging import Packager

_Self = TypeVar("_Self", bound="Executor")


def _default_packager() -> Packager:
    from nemo_run.packaging import Packager

    return Packager()


@dataclass(kw_only=True)
class Executor(ConfigurableMixin):
    """What every executor says; a subclass adds the fields of one kind of place.

    Making, copying, comparing and printing one touches nothing outside it. ``backend`` names the
    entry point that runs its jobs; a subclass of an executor runs where that one runs.

    Attributes:
        packager: Which code travels.
        launcher: How processes start: a :class:`Launcher`, its name, or None for directly.
        env_vars: Environment of the task; values arrive byte for byte, and a
            :class:`~nemo_run.Secret` is looked up when the job starts.
        retries: How many more times a job that failed is tried.
        experiment_id: The experiment it is assigned to.
        job_dir: The folder of the job it is assigned to.
        experiment_dir: The folder of the experiment it is assigned to.
    """

    backend: ClassVar[str] = ""

    packager: Packager = field(default_factory=_default_packager)
    launcher: Launcher | str | None = None
    env_vars: Variables = field(default_factory=dict)
    retries: int = 0
    experiment_id: str | None = field(default=None, metadata={ASSIGNED: True})
    job_dir: str = field(default="", metadata={ASSIGNED: True})
    experiment_dir: str = field(init=False, default="")
    _launcher_setup: bool = field(init=False, default=False, repr=False, compare=False)

    def info(self) -> str:
        """Return what to call it in a table."""
        return type(self).__name__

    def clone(self: _Self) -> _Self:  # noqa: PYI019
        """Return a copy that shares nothing with this one."""
        return copy.deepcopy(self)

    def get_launcher(self) -> Launcher:
        """Return the launcher, so that it can be changed; a name becomes an object here."""
        self._setup_launcher()
        assert isinstance(self.launcher, Launcher)
        return self.launcher

    def _setup_launcher(self) -> None:
        self.launcher = resolve_launcher(self.launcher)
        self._launcher_setup = True

    def assign(self, exp_id: str, exp_dir: str, task_id: str, task_dir: str) -> None:  # noqa: ARG002
        """Say which job this executor is for; saying it twice is the same as once.

        Args:
            exp_id: The experiment.
            exp_dir: Its folder.
            task_id: The job.
            task_dir: Its folder, relative to ``exp_dir`` or absolute.
        """
        self.experiment_id = exp_id
        self.experiment_dir = exp_dir
        self.job_dir = str(Path(exp_dir, task_dir))

    def nnodes(self) -> int:
        """Return how many machines a task takes."""
        return 1

    def nproc_per_node(self) -> int:
        """Return how many processes run on each machine."""
        return 1

    def meeting(self, port: int, environment: Mapping[str, str]) -> Meeting:  # noqa: ARG002
        """Return where the nodes of a task meet, for launchers that bring them together.

        Args:
            port: The port of the first node.
            environment: What the launching process knows.

        Raises:
            PlanError: There are several nodes, and nothing says where they meet.
        """
        if self.nnodes() == 1:
            return ONE_NODE
        raise PlanError(f"{type(self).__name__} does not say where its {self.nnodes()} nodes meet.")

    def backend_options(self, environment: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG002
        """Return what the backend of this executor has to know beside the processes, as JSON data.

        Args:
            environment: What the launching process knows.
        """
        return {}

    def target(self, experiment_dir: str, title: str, experiment: str, job: str) -> Target:  # noqa: ARG002
        """Return where the processes of a job find things.

        Args:
            experiment_dir: The experiment's folder on this machine.
            title: The name of the folder with the experiments of one title.
            experiment: The experiment's id, which is the name of its folder.
            job: The name of the job's folder.
        """
        directory = f"{experiment_dir}/jobs/{job}"
        return Target(directory, directory)

    def together(self: _Self, others: Sequence[Executor]) -> _Self:  # noqa: ARG002, PYI019
        """Return the executor of a group whose other members have executors of their own.

        Args:
            others: Those of the second and later members.
        """
        return self

    def connect(self) -> None:
        """Make sure that the place can be reached; asks the person for what a login needs.

        Called before an experiment is started, while somebody is there to answer.

        Raises:
            RemoteError: It cannot be reached; the message says why.
        """

    def macro_values(self) -> ExecutorMacros | None:
        """Return how this place spells the facts that are known only while the job runs."""
        return None

    def get_launcher_prefix(self) -> list[str] | None:
        """Return the arguments of the profiler that go before the program, if it is on."""
        return resolve_launcher(self.launcher).get_nsys_prefix(profile_dir=self.job_dir)

    def get_nsys_entrypoint(self) -> tuple[str, str]:
        """Return the profiler's program, and what has to follow the command."""
        return ("nsys", "")

    def supports_launcher_transform(self) -> bool:
        """Return whether launchers that rewrite the command work here."""
        return False

    def package_configs(self, *cfgs: tuple[str, str]) -> list[str]:
        """Write named texts into ``configs`` of the job's folder and return where they lie.

        Args:
            *cfgs: Name and text of each file.
        """
        from nemo_run.atomic import make_folder, write_text

        folder = make_folder(Path(self.job_dir, "configs"))
        for name, text in cfgs:
            write_text(folder / name, text)
        return [str(folder / name) for name, _ in cfgs]

    def create_job_dir(self) -> None:
        """Make the folder of the job."""
        from nemo_run.atomic import make_folder

        make_folder(self.job_dir)

    def cleanup(self, handle: str) -> None:
        """Let go of what a finished job held; executors that hold something override this.

        Args:
            handle: The job.
        """


@dataclass(kw_only=True)
class ExecutorMacros(ConfigurableMixin):
    """The facts that only the running job knows, as its place spells them.

    The constants may stand in the arguments and the environment of a task; :meth:`substitute`
    puts the place's own spelling there, for example ``$SLURM_NODEID``.

    Attributes:
        head_node_ip_var: Address of the first node.
        nproc_per_node_var: Processes on each node.
        num_nodes_var: How many nodes.
        node_rank_var: Which node this is, from 0.
        het_group_host_var: Prefix of the variables with the first host of each group.
        ft_launcher_cfg_path_var: Where the fault-tolerance launcher finds its configuration.
    """

    HEAD_NODE_IP_VAR: ClassVar[str] = "${head_node_ip_var}"
    NPROC_PER_NODE_VAR: ClassVar[str] = "${nproc_per_node_var}"
    NUM_NODES_VAR: ClassVar[str] = "${num_nodes_var}"
    NODE_RANK_VAR: ClassVar[str] = "${node_rank_var}"
    HET_GROUP_HOST_VAR: ClassVar[str] = "${het_group_host_var}"
    FT_LAUNCHER_CFG_PATH_VAR: ClassVar[str] = "${ft_launcher_cfg_path_var}"

    head_node_ip_var: str
    nproc_per_node_var: str
    num_nodes_var: str
    node_rank_var: str
    het_group_host_var: str
    ft_launcher_cfg_path_var: str = "FAULT_TOL_CFG_PATH"

    @staticmethod
    def group_host(index: int) -> str:
        """Return the macro for the first host of group ``index``."""
        return f"{ExecutorMacros.HET_GROUP_HOST_VAR}_{index}"

    def substitute(self, value: str) -> str:
        """Return ``value`` with each macro replaced; all other dollar signs stay as they are.

        Args:
            value: An argument or the value of a variable.
        """
        return _MACRO.sub(lambda found: f"${getattr(self, found[1])}", value)


_MACRO = re.compile(
    r"\$\{(head_node_ip_var|nproc_per_node_var|num_nodes_var|node_rank_var|het_group_host_var|"
    r"ft_launcher_cfg_path_var)\}"
)


def import_executor(
    name: str,
    file_path: str | os.PathLike[str] | None = None,
    call: bool = True,
    **kwargs: Any,
) -> Any:
    """Return the executor called ``name`` in a file of executors.

    Args:
        name: The name of a function that makes an executor, or of an executor.
        file_path: The file; by default ``executors.py`` in the home folder.
        call: Call what the name stands for; False gives the function itself.
        **kwargs: Arguments of that call.

    Raises:
        PlanError: There is no such file, or nothing of that name in it.
    """
    from nemo_run.config.home import get_nemorun_home

    path = Path(file_path) if file_path is not None else Path(get_nemorun_home(), "executors.py")
    module = _run_file(path)
    if not hasattr(module, name):
        names = [n for n in vars(module) if not n.startswith("_")]
        raise PlanError(f"{path} has no executor called {name!r}.{nearest(name, names)}")
    found = getattr(module, name)
    if not call or not callable(found):
        return found
    return found(**kwargs)


def _run_file(path: Path) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    if not path.is_file():
        raise PlanError(
            f"There is no file of executors at {path}. Write one with a function for each "
            f"executor, or give its place: import_executor(name, file_path='executors.py')."
        )
    spec = spec_from_file_location("nemo_run_executors", path)
    if spec is None or spec.loader is None:
        raise PlanError(f"{path} is no Python file: its name must end in .py.")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
