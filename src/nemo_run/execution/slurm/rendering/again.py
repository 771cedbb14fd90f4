"""What a job does when its steps have ended: it is over, or Slurm runs it once more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec


def sbatch_options(spec: JobSpec) -> dict[str, Any]:
    """Return the options of sbatch that running again needs.

    Args:
        spec: The job.
    """
    return {"requeue": True} if spec.retries else {"no_requeue": True}


def prologue(spec: JobSpec) -> list[str]:  # noqa: ARG001
    """Return lines of the batch script that come before its steps.

    ``$attempt`` is the number of this attempt, ``$here`` its folder, ``$job`` that of the job.

    Args:
        spec: The job.
    """
    return []


def epilogue(spec: JobSpec) -> list[str]:
    """Return lines of the batch script that come after its steps and before its end.

    ``$code`` is how it ended and ``$by`` who decided; both may be set anew.

    Args:
        spec: The job.
    """
    if not spec.retries:
        return []
    return [
        f"# A failure is tried again, up to {spec.retries} times.",
        f'if [ "$code" -ne 0 ] && [ "$attempt" -le {spec.retries} ]; then',
        '    record "$code" "$by"',
        '    scontrol requeue "$SLURM_JOB_ID" && exit "$code"',
        "fi",
    ]
