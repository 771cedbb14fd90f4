"""Equal jobs as one job array: which go together, and the script that starts an element. Pure.

An element runs its own batch script, the one that it would have been submitted with alone, so an
array changes nothing but how many calls of sbatch there are.
"""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.execution.backend import Artifact
from nemo_run.execution.folders import attempt_folder
from nemo_run.execution.quoting import quote

from .rendering.header import sbatch_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.execution.backend import Rendered
    from nemo_run.execution.jobspec import JobSpec

MAX_ARRAY_SIZE = 1001
"""Slurm's own MaxArraySize: one more than the largest index (slurm.conf(5))."""

# What each element says for itself; the rest has to be the same for all.
_OWN = {"job-name", "output", "error", "comment", "chdir"}
_LONG = {"J": "job-name", "o": "output", "e": "error", "D": "chdir", "a": "array"}

_SCRIPT = """\
# The array {name} of experiment {experiment}. Written by NeMo Run.
# Each element runs its own batch script, as it would alone; elements.tsv says which.

export NEMORUN_ARRAY_OFFSET={offset}
while IFS=$'\\t' read -r index folder script output errors; do
    [ "$index" = "$SLURM_ARRAY_TASK_ID" ] && break
done <{listed}
if [ "$index" != "$SLURM_ARRAY_TASK_ID" ]; then
    echo "Element $SLURM_ARRAY_TASK_ID is not in elements.tsv." >&2
    exit 1
fi

# Output goes where it would go alone; sbatch has only one name for all.
named() {{
    local name=${{1//%j/$SLURM_JOB_ID}}
    name=${{name//%A/$SLURM_ARRAY_JOB_ID}}
    name=${{name//%a/$SLURM_ARRAY_TASK_ID}}
    echo "${{name//%%/%}}"
}}
cd "$folder" || exit
exec bash "$script" >>"$(named "$output")" 2>>"$(named "$errors")"
"""


class Array(NamedTuple):
    """Jobs that one call of sbatch starts.

    Attributes:
        folder: Where its files lie on the target.
        artifacts: The script for sbatch, then the list of elements.
        jobs: The jobs, in order of their indices.
        indices: What Slurm calls each of them.
        parallel: How many may run at once; 0 for all.
        number: Which of the arrays of that name this is, from 0.
    """

    folder: str
    artifacts: tuple[Artifact, ...]
    jobs: tuple[Rendered, ...]
    indices: tuple[int, ...]
    parallel: int
    number: int


def planned(
    jobs: Sequence[Rendered], limit: int = MAX_ARRAY_SIZE
) -> tuple[list[Array], list[Rendered]]:
    """Return what goes as arrays, and the jobs that go alone.

    Args:
        jobs: Rendered jobs that are submitted together.
        limit: The cluster's MaxArraySize. It bounds the index, so more go as several arrays.
    """
    together: dict[object, list[Rendered]] = {}
    alone: list[Rendered] = []
    for job in jobs:
        key = _key(job, limit)
        if key is None:
            alone.append(job)
        else:
            together.setdefault(key, []).append(job)
    alone += [group[0] for group in together.values() if len(group) == 1]
    groups = [group for group in together.values() if len(group) > 1]
    return [_array(group, limit) for group in groups], alone


def header(script: bytes) -> list[tuple[str, str]]:
    """Return the options that sbatch finds in a script, by their long names, in order."""
    return list(_options(script.decode("utf-8", "surrogateescape")))


def _options(script: str) -> Iterator[tuple[str, str]]:
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            return
        if not line.startswith("#SBATCH"):
            continue
        word, _, value = line.removeprefix("#SBATCH").strip().partition("=")
        if not word.startswith("--"):
            word, _, value = line.removeprefix("#SBATCH").strip().partition(" ")
        name = word.lstrip("-")
        yield _LONG.get(name, name), value.strip()


def _key(job: Rendered, limit: int) -> object:
    """Return what jobs of one array have in common; None for a job that is in none."""
    place = job.spec.array
    options = header(job.artifacts[0].content)
    if place is None or place.size < 2 or {"hetjob", "array"} & {name for name, _ in options}:
        return None
    equal = tuple(one for one in options if one[0] not in _OWN)
    named = (job.spec.options.get("dependency_type"), job.spec.options.get("dependencies"))
    return place.name, place.max_parallel, place.index // limit, equal, job.after, repr(named)


def _array(jobs: list[Rendered], limit: int) -> Array:
    def index_of(job: Rendered) -> int:
        assert job.spec.array is not None
        return job.spec.array.index

    jobs = sorted(jobs, key=index_of)
    first, place = jobs[0].spec, jobs[0].spec.array
    assert place is not None
    number = index_of(jobs[0]) // limit
    indices = tuple(index_of(job) - number * limit for job in jobs)
    folder = f"{_experiment_folder(first)}/arrays/{place.name}/{_digest(jobs)}"
    lines = [_element(i, job) for i, job in zip(indices, jobs, strict=True)]
    listed = Artifact(f"{folder}/elements.tsv", "".join(lines).encode("utf-8", "surrogateescape"))
    text = _SCRIPT.format(
        name=_comment(place.name),
        experiment=_comment(first.experiment),
        offset=number * limit,
        listed=quote(listed.path),
    )
    head = "\n".join(["#!/bin/bash", *_header(jobs[0], folder)])
    script = Artifact(
        f"{folder}/{place.name}_sbatch.sh",
        f"{head}\n\n{text}".encode("utf-8", "surrogateescape"),
        mode=0o700,
        language="sh",
    )
    return Array(folder, (script, listed), tuple(jobs), indices, place.max_parallel, number)


def _header(job: Rendered, folder: str) -> list[str]:
    spec, place = job.spec, job.spec.array
    assert place is not None
    name = dict(header(job.artifacts[0].content)).get("job-name", "")
    prefix = shlex.split(name)[0].removesuffix(spec.job) if name else ""
    own = {
        "job-name": f"{prefix}{place.name}",
        "output": f"{folder.replace('%', '%%')}/%a.out",
        "chdir": folder,
        "comment": f"{spec.experiment}/{place.name}",
    }
    same = [(n, v) for n, v in header(job.artifacts[0].content) if n not in _OWN]
    lines = [*same, *((n, sbatch_word(text)) for n, text in own.items())]
    return [f"#SBATCH --{n}={v}" if v else f"#SBATCH --{n}" for n, v in sorted(lines)]


def _element(index: int, job: Rendered) -> str:
    options = dict(header(job.artifacts[0].content))
    output = _word(options.get("output")) or f"{attempt_folder(job.spec)}/sbatch_%j.out"
    errors = _word(options.get("error")) or output
    words = (str(index), job.spec.directory, job.artifacts[0].path, output, errors)
    return "\t".join(words) + "\n"


def _word(said: str | None) -> str:
    return next(iter(shlex.split(said)), "") if said else ""


def _digest(jobs: Sequence[Rendered]) -> str:
    """Return the name of the folder of these very jobs, and no others."""
    tokens = "\n".join(job.spec.token for job in jobs)
    return hashlib.sha256(tokens.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _experiment_folder(spec: JobSpec) -> str:
    above = posixpath.dirname(spec.directory)
    return posixpath.dirname(above) if posixpath.basename(above) == "jobs" else above


def _comment(text: str) -> str:
    return text.encode("unicode_escape").decode()
