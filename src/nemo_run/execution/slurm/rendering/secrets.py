"""How the secrets of a job come into its steps, and are gone when it has ended. Pure.

No script holds one. They lie in a file that was made when the job was submitted, and only the step
scripts read it: what Slurm hands on of the batch script's environment has none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.quoting import quote
from nemo_run.execution.secrets import exports
from nemo_run.execution.slurm import layout

from . import header, resume

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member

_NOT_THERE = "The secrets of this job are gone: they are removed when it has ended. Submit it anew."


def step(spec: JobSpec, member: Member) -> list[str]:
    """Return the lines of a step's script that give its program the secrets.

    Args:
        spec: The job.
        member: The one whose script it is.
    """
    if not member.secrets:
        return []
    file = quote(layout.secrets_file(spec).replace(spec.directory, layout.inside(spec), 1))
    return [
        "# The secrets, which are in no script.",
        f"if [ ! -r {file} ]; then",
        f"    echo {quote(_NOT_THERE)} >&2",
        "    exit 1",
        "fi",
        f". {file}",
        *exports(member),
    ]


def forget(spec: JobSpec) -> str:
    """Return the end of the function that ends the batch script: the secrets are removed.

    They stay where Slurm may start the job again: then whoever sees its end removes them.

    Args:
        spec: The job.
    """
    if not spec.secrets or spec.options.get("array"):
        return ""
    removed = f'rm -rf "$job/secrets/{spec.attempt}" && rmdir "$job/secrets" 2>/dev/null'
    if resume.policy(spec) is not None:
        return f"""
    case $2 in *', requeued'*) ;; *) {removed} ;; esac"""
    if header.may_be_requeued(spec):
        return f"""
    [ "$1" -ne 0 ] || {{ {removed}; }}"""
    return f"\n    {removed}"
