"""What sbatch and srun would refuse hours later, or take for something else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError, shown

if TYPE_CHECKING:
    from .executor import SlurmExecutor


def check(executor: SlurmExecutor) -> None:
    """Refuse values that mean nothing to Slurm.

    Args:
        executor: The executor.

    Raises:
        PlanError: The sentence names the field, the value and what it may be.
    """
    if executor.dependency_type not in ("afterok", "afterany", "afternotok", "after"):
        raise PlanError(
            f"dependency_type is {shown(executor.dependency_type)}; it must be 'afterok', "
            f"'afterany' or 'afternotok'."
        )
