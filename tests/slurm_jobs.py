"""Small jobs for Slurm with batch scripts of their own, for tests of what talks to Slurm."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from nemo_run.execution.backend import After, Artifact, Rendered
from nemo_run.execution.jobspec import Handle, JobSpec, Member
from nemo_run.execution.observation import Observation
from nemo_run.execution.slurm.client import SlurmBackend

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --output={folder}/sbatch_{name}_%j.out
{header}
attempt=$(({attempt} + ${{SLURM_RESTART_COUNT:-0}}))
here={folder}/attempts/$attempt
logs={folder}/logs/$attempt
mkdir -p $here $logs
echo "started $(date +%s)" >$here/started
echo run >>{folder}/runs
(
{body}
) >>$logs/rank-0.log 2>&1
code=$?
echo "exit $code by {name}" >$here/exit
exit $code
"""


def small(
    root: Path | str,
    name: str,
    body: str = "true",
    *,
    after: Sequence[After] = (),
    header: str = "",
    options: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Rendered:
    """Return a job that runs a few lines of shell.

    Args:
        root: The experiment's folder on the target.
        name: The job's id.
        body: The lines.
        after: What Slurm is to wait for.
        header: More ``#SBATCH`` lines.
        options: The executor's fields.
        **spec: More of the JobSpec.
    """
    folder = f"{root}/jobs/{name}"
    member = Member(name, folder, ("sh", "-c", body), files={"task.json": f'"{name}"\n'})
    # Many at once on small nodes.
    head = f"#SBATCH --mem=1\n{header}" if "--mem" not in header else header
    made = JobSpec("exp", name, "slurm", folder, (member,), options=dict(options or {}), **spec)
    text = _SCRIPT.format(name=name, folder=folder, header=head, body=body, attempt=made.attempt)
    path = f"{folder}/attempts/{made.attempt}/{name}_sbatch.sh"
    return Rendered(made, (Artifact(path, text.encode(), 0o700, "sh"),), tuple(after))


def handles(backend: SlurmBackend, jobs: Sequence[Rendered]) -> list[Handle]:
    """Submit jobs that can be submitted, and return their handles."""
    answers = backend.submit(jobs)
    found = [answers[job.spec.token] for job in jobs]
    assert all(isinstance(one, str) for one in found), found
    return found  # type: ignore[return-value]


def until(
    backend: SlurmBackend,
    jobs: Collection[Handle],
    reached: Callable[[Observation], bool] = lambda seen: seen.state.terminal,
    patience: float = 120.0,
) -> list[Observation]:
    """Wait until all jobs have come so far, and return how they stand."""
    deadline = time.monotonic() + patience
    while True:
        seen = backend.poll(jobs)
        if all(reached(one) for one in seen.values()):
            return [seen[job] for job in jobs]
        assert time.monotonic() < deadline, seen
        backend.wait(jobs, 2.0)


def runs(job: Rendered) -> int:
    """Return how often a job has run."""
    file = Path(job.spec.directory, "runs")
    return len(file.read_text().splitlines()) if file.exists() else 0
