"""The part of a batch script that goes on after an interruption, by a :class:`Resume`. Pure.

The lines are for bash and count on ``$job`` (the job's folder), ``$attempt`` (its number),
``$here`` (the attempt's folder), ``$code`` and ``$by`` (how the steps ended, and who decided),
the functions ``record CODE BY``, which writes the exit record, and ``finish``, which also exits.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from nemo_run.execution.quoting import quote
from nemo_run.execution.resume import CAUSES, INTERRUPTED, clock, policy_of, signal_option
from nemo_run.execution.slurm import layout, macros

from . import resume_lines as lines

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member
    from nemo_run.execution.resume import Resume

# Launchers and shells answer these themselves, and scancel counts on the first.
_CAUGHT = frozenset({"TERM", "INT", "HUP", "QUIT", "15", "2", "1", "3"})

_REFUSAL_HEAD = [
    "# Says why no attempt may follow another; says nothing if one may.",
    "#   refusal <attempt> <what ended it>",
    "refusal() {",
]

_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})

_WILD = re.compile(r"\*\*|\*|\?|\[[^]/]*\]")


def policy(spec: JobSpec) -> Resume | None:
    """Return the policy of a job; None where it has none.

    Args:
        spec: The job.
    """
    return policy_of(spec.options.get("resume"))


def sbatch_options(spec: JobSpec) -> dict[str, Any]:
    """Return the options of sbatch that running again needs.

    Args:
        spec: The job.
    """
    found = policy(spec)
    if found is None:
        return {_requeue(again=bool(spec.retries)): True}
    signal = {"signal": signal_option(spec.options.get("signal"), found).option}
    # Slurm refuses "scontrol requeue" for a job without --requeue.
    again = found.how == "requeue" or spec.retries
    return {**(signal if "time limit" in found.causes else {}), _requeue(again=bool(again)): True}


def _requeue(*, again: bool) -> str:
    return "requeue" if again else "no_requeue"


def prologue(spec: JobSpec) -> list[str]:
    """Return the lines before the steps: what came before, and whether this attempt may be.

    Args:
        spec: The job.
    """
    found = policy(spec)
    if found is not None:
        return _filled(_parts(spec, found), spec, found).splitlines()
    if spec.attempt == 1 and not spec.retries:
        return ["export NEMORUN_PREVIOUS_END=''"]
    parts = [lines.AROUND, lines.CAUSE, lines.RETRIED, lines.TOLD, lines.ALLOCATION]
    return _joined([*parts, lines.AGAIN] if spec.retries else parts).splitlines()


def epilogue(spec: JobSpec) -> list[str]:
    """Return the lines after the steps: a job that is interrupted, or failed, may go on.

    Args:
        spec: The job.
    """
    found = ["go_on_if_interrupted"] if policy(spec) else []
    if not spec.retries:
        return found
    return [
        *found,
        *([""] if found else []),
        f"# A failure is tried again, up to {spec.retries} times; what Slurm is ending, as after a",
        "# scancel, is none.",
        f'if [ "$code" -ne 0 ] && [ "$(failures)" -le {spec.retries} ] &&',
        '    [ "$(field JobState "$(about)")" = RUNNING ]; then',
        '    record "$code" "$by, requeued"',
        '    scontrol requeue "$slurm_job" && exit "$code"',
        "fi",
    ]


def step(spec: JobSpec, member: Member) -> list[str]:
    """Return the lines of a step's script before its program starts.

    Args:
        spec: The job.
        member: The one whose script it is.
    """
    found = policy(spec)
    if found is None or "time limit" not in found.causes:
        return []
    name = signal_option(spec.options.get("signal"), found).name
    if name in _CAUGHT:
        return []
    script = _shell_script(member)
    if script is None:
        return [
            f"# {name} comes before the time limit. It ends nothing that does not ask for it.",
            f"trap '' {name}",
        ]
    return [
        f"# {name} comes before the time limit. It ends nothing that does not ask for it. A shell",
        "# cannot trap what is ignored when it starts.",
        rf"grep -Eqs '(^|[;&|({{[:space:]])trap[[:space:]]' {script} 2>/dev/null ||",
        f"    trap '' {name}",
    ]


def _shell_script(member: Member) -> str | None:
    """Return the file that a shell runs, as a word of one; None for other programs."""
    program, *words = member.command
    named = [word for word in words if not word.startswith("-")]
    if member.ranks_per_process > 1 or posixpath.basename(program) not in _SHELLS or not named:
        return None
    path = posixpath.join(member.working_directory, named[0])
    return macros.expanded(path, member)


def _parts(spec: JobSpec, found: Resume) -> str:
    parts = [
        _title(found) + lines.AROUND.lstrip("\n"),
        lines.CAUSE,
        lines.TIME if found.seconds is not None else "",
        lines.PROGRESS if found.patterns else "",
        _refusal(found),
        lines.SIGNALS,
        lines.REQUEUE if found.how == "requeue" else lines.CHAIN,
        lines.AGAIN if spec.retries else "",
        lines.START,
        lines.TOLD + lines.STOPPING.lstrip("\n"),
        lines.ALLOCATION,
        'progress >"$here/progress"' if found.patterns else "",
        lines.TRAPS,
    ]
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part)


def _title(found: Resume) -> str:
    limits = [f"at most {found.max_attempts} attempts"]
    if found.seconds is not None:
        limits.append(f"{clock(found.seconds)} in all")
    if found.patterns:
        limits.append(f"{found.no_progress} in a row without progress")
    return f"# Goes on after {', '.join(found.causes)}:\n# {', '.join(limits)}.\n"


def _refusal(found: Resume) -> str:
    most = found.max_attempts
    conditions = [(f'[ "$1" -ge {most} ]', f"all {most} attempts are used")]
    if found.seconds is not None:
        spent = f'[ "$(seconds_used)" -ge {found.seconds} ]'
        conditions.append((spent, f"all of {clock(found.seconds)} is used"))
    if found.patterns:
        conditions.append(('stands_still "$1"', f"no progress in {found.no_progress} attempts"))
    for cause in CAUSES:
        if cause not in found.causes:
            conditions.append((f'[ "$2" = {quote(cause)} ]', f"it is not to go on after {cause}"))
    tests = [
        line
        for index, (test, said) in enumerate(conditions)
        for line in (f"    {'el' if index else ''}if {test}; then", f"        echo '{said}'")
    ]
    return "\n".join([*_REFUSAL_HEAD, *tests, "    fi", "}"])


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
