"""Where and how: on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nemo_run.exceptions import PlanError
from nemo_run.execution.commands import ONE_NODE, Meeting
from nemo_run.execution.executor import Executor
from nemo_run.execution.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(kw_only=True)
class LocalExecutor(Executor):
    """Runs tasks on this machine, with the interpreter that launches them.

    The processes start in the folder the launcher was started in, with its environment.

    Attributes:
        ntasks_per_node: How many processes a task has on each node.
        nodes: How many nodes a task has. This machine is one of them when ``NODE_RANK`` says
            which; otherwise the processes of all nodes start here.
    """

    backend: ClassVar[str] = "local"

    ntasks_per_node: int = 1
    nodes: int = 1

    def nnodes(self) -> int:
        """Return how many nodes a task has."""
        return self.nodes

    def nproc_per_node(self) -> int:
        """Return how many processes a task has on each node."""
        return self.ntasks_per_node

    def meeting(self, port: int, environment: Mapping[str, str]) -> Meeting:
        """Return where the nodes meet: what ``MASTER_ADDR`` and ``MASTER_PORT`` say.

        Args:
            port: The port where ``MASTER_PORT`` is not set.
            environment: What the launching process and the task's own variables say.

        Raises:
            PlanError: There are several nodes, and the environment does not say which this is.
        """
        if self.nodes == 1:
            return ONE_NODE
        rank = _node_rank(environment)
        missing = [] if "MASTER_ADDR" in environment else ["MASTER_ADDR"]
        missing += [] if rank is not None else ["NODE_RANK"]
        if missing or rank is None:
            raise PlanError(
                f"LocalExecutor(nodes={self.nodes}) with a launcher needs {' and '.join(missing)} "
                f"in the environment: the launching script runs on every node, and these say "
                f"where the first node is and which one this is."
            )
        if rank >= self.nodes:
            raise PlanError(f"NODE_RANK is {rank}, and LocalExecutor has nodes={self.nodes}.")
        return Meeting(
            f"{environment['MASTER_ADDR']}:{environment.get('MASTER_PORT', port)}", str(rank)
        )

    def target(self, experiment_dir: str, title: str, experiment: str, job: str) -> Target:  # noqa: ARG002
        """Return the job's folder in the record, and the home as what keeps its code."""
        from nemo_run.config.home import get_nemorun_home

        directory = f"{experiment_dir}/jobs/{job}"
        return Target(directory, directory, store=get_nemorun_home())

    def backend_options(self, environment: Mapping[str, str]) -> dict[str, Any]:
        """Return which node this machine is, where the environment says so.

        Args:
            environment: What the launching process knows.
        """
        rank = _node_rank({**environment, **self.env_vars}) if self.nodes > 1 else None
        return {} if rank is None else {"node_rank": rank}


def _node_rank(environment: Mapping[str, str]) -> int | None:
    for name in ("NODE_RANK", "SLURM_NODEID"):
        text = environment.get(name, "")
        if text:
            if not text.isdecimal():
                raise PlanError(f"{name} is {text!r}; it must be the number of this node, from 0.")
            return int(text)
    return None
