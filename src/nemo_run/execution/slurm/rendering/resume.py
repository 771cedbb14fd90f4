"""The part of a batch script that goes on after an interruption, by a :class:`Resume`. Pure.

The lines are for bash and count on ``$job`` (the job's folder), ``$attempt`` (its number),
``$here`` (the attempt's folder), ``$code`` and ``$by`` (how the steps ended, and who decided),
the function ``record CODE BY`` (the exit record), and on ``await PID`` for every wait.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.execution.quoting import quote
from nemo_run.execution.resume import CAUSES, INTERRUPTED, clock, policy_of, signal_option
from nemo_run.execution.slurm import layout

from .resume_lines import AROUND, AWAIT, CAUSE, PROGRESS, SIGNALS, START, TIME

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.execution.resume import Resume

_WILD = re.compile(r"\*\*|\*|\?|\[[^]/]*\]")


def policy(spec: JobSpec) -> Resume | None:
    """Return the policy of a job; None where it has none.

    Args:
        spec: The job.
    """
    return policy_of(spec.options.get("resume"))


def sbatch_options(spec: JobSpec) -> dict[str, Any]:
    """Return the options of sbatch that the policy asks for; none without one.

    Args:
        spec: The job.
    """
    found = policy(spec)
    if found is None:
        return {}
    signal = {"signal": signal_option(spec.options.get("signal"), found).option}
    # Slurm refuses "scontrol requeue" for a job without --requeue.
    again = found.how == "requeue" or spec.retries
    return {**(signal if "time limit" in found.causes else {}), _requeue(again=bool(again)): True}


def _requeue(*, again: bool) -> str:
    return "requeue" if again else "no_requeue"


def waiting() -> list[str]:
    """Return the function ``await PID``, which waits whatever signals come."""
    return AWAIT.splitlines()


def prologue(spec: JobSpec) -> list[str]:
    """Return the lines before the steps: what came before, and whether this attempt may be.

    Args:
        spec: The job.
    """
    found = policy(spec)
    if found is None:
        return []
    parts = [
        _title(found),
        AROUND,
        CAUSE,
        TIME if found.seconds is not None else "",
        PROGRESS if found.patterns else "",
        _refusal(found),
        SIGNALS + _after(found),
        START,
    ]
    return _filled("\n".join(part for part in parts if part), spec, found).splitlines()


def epilogue(spec: JobSpec) -> list[str]:
    """Return the lines after the steps: an interrupted job goes on, every other one ends.

    Args:
        spec: The job.
    """
    return ["go_on_if_interrupted"] if policy(spec) else []


def step(spec: JobSpec) -> list[str]:
    """Return the lines of a step's script before its program starts.

    Args:
        spec: The job.
    """
    found = policy(spec)
    if found is None or "time limit" not in found.causes:
        return []
    name = signal_option(spec.options.get("signal"), found).name
    if name in ("TERM", "INT", "HUP", "QUIT", "15", "2", "1", "3"):
        return []  # launchers catch these, and scancel counts on the first
    return [
        f"# {name} comes before the time limit. It ends nothing that does not ask for it.",
        f"trap '' {name}",
    ]


def _title(found: Resume) -> str:
    limits = [f"at most {found.max_attempts} attempts"]
    if found.seconds is not None:
        limits.append(f"{clock(found.seconds)} in all")
    if found.patterns:
        limits.append(f"{found.no_progress} in a row without progress")
    return f"# Goes on after {', '.join(found.causes)}: {'; '.join(limits)}.\n"


def _refusal(found: Resume) -> str:
    lines = [
        "# Says why no attempt may follow that one; says nothing if one may.",
        "#   refusal <attempt> <what ended it>",
        "refusal() {",
        "    case $2 in",
        *(
            f"    {quote(cause)}) echo 'it is not asked for' && return ;;"
            for cause in CAUSES
            if cause not in found.causes
        ),
        "    esac",
        f'    if [ "$1" -ge {found.max_attempts} ]; then',
        f"        echo 'all {found.max_attempts} attempts are used'",
    ]
    if len(found.causes) == len(CAUSES):
        del lines[3:5]
    if found.seconds is not None:
        lines += [
            f'    elif [ "$(seconds_used)" -ge {found.seconds} ]; then',
            f"        echo 'all of {clock(found.seconds)} is used'",
        ]
    if found.patterns:
        lines += [
            '    elif stands_still "$1"; then',
            f"        echo 'no progress in {found.no_progress} attempts'",
        ]
    return "\n".join([*lines, "    fi", "}\n"])


def _after(found: Resume) -> str:
    if found.how == "chain":
        return "\n"
    return ""


def _filled(text: str, spec: JobSpec, found: Resume) -> str:
    signal = signal_option(spec.options.get("signal"), found)
    values = {
        "signal": signal.name,
        "before": str(signal.before),
        "margin": str(max(5, min(30, signal.before // 4))),
        "interrupted": str(INTERRUPTED),
        "max": str(found.max_attempts),
        "no_progress": str(found.no_progress),
        "files": " ".join(_glob(one, spec) for one in found.patterns),
        "finished": _glob(found.finished, spec) if found.finished else '"$here/finished"',
    }
    return re.sub(r"@(\w+)@", lambda m: values[m[1]], text)


def _glob(pattern: str, spec: JobSpec) -> str:
    """Return a pattern as a word of bash in which only wildcards mean something."""
    inside = layout.inside(spec)
    if pattern.startswith(f"{inside}/"):
        pattern = pattern[len(inside) + 1 :]
    start = "" if pattern.startswith("/") else '"$job"/'
    pieces, end = [start], 0
    for wild in _WILD.finditer(pattern):
        pieces += [_literal(pattern[end : wild.start()]), wild[0]]
        end = wild.end()
    return "".join([*pieces, _literal(pattern[end:])])


def _literal(text: str) -> str:
    return quote(text) if text else ""
