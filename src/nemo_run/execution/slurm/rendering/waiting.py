"""How the batch script waits for its steps, and who of a group decides. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.quoting import quote, words
from nemo_run.execution.slurm import layout

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member

_ONE = """\
step=$!

# A signal ends wait before the step has ended.
while kill -0 "$step" 2>/dev/null; do wait "$step"; done
wait "$step"
"""

# The texts are those of strsignal(3) and of srun, which prints them.
_VERDICT = """\
# Says how a member ended, and by whom. srun gives the highest exit code of all processes, also of
# those that it ended because another one failed; the first of its messages is about that one.
#   verdict <exit code> <member> <what its processes are> <srun's messages>
verdict() {
    local first how
    ended=$1 who=$2
    cat "$4" >&2
    first=$(grep -m 1 -E ': tasks? [0-9]' "$4")
    [ "$ended" -ne 0 ] && [[ $first =~ :\\ tasks?\\ ([0-9]+)[^:]*:\\ (.*) ]] || return
    who="$3 ${BASH_REMATCH[1]} of $2" how=${BASH_REMATCH[2]}
    case $how in
    *'exit code '*) ended=${how##* } ;;
    Killed* | 'Out Of Memory'*) ended=137 ;;
    Terminated*) ended=143 ;;
    'Segmentation fault'*) ended=139 ;;
    Aborted*) ended=134 ;;
    'Bus error'*) ended=135 ;;
    esac
}"""

_STOP = """\
# Asks the members that are left to end; what has not ended when this script does, Slurm ends.
stop() {{
    local i step
    for i in "${{!steps[@]}}"; do
        if step=$(cat "$here/${{names[i]}}/{step}" 2>/dev/null); then
            scancel --signal=TERM "$step" 2>/dev/null
        else
            kill -TERM "${{steps[i]}}" 2>/dev/null
        fi
    done
    patience=$((SECONDS + {grace}))
}}"""

_POLICIES = {
    "all": "The first member that fails decides; else all have to end.",
    "main": "The main members decide, when all have ended or one failed; then sidecars are ended.",
}

_GROUP = """\
# {policy}
left={mains} code=0 by='' patience=''
while [ "${{#steps[@]}}" -gt 0 ]; do
    for i in "${{!steps[@]}}"; do
        kill -0 "${{steps[i]}}" 2>/dev/null && continue
        wait "${{steps[i]}}"
        {ended}
        unset "steps[i]"
        echo "$who ended with exit code $ended"
        echo "exit $ended by $who${{by:+, stopped}}" >"$here/${{names[i]}}/{exit}"
        [ "${{roles[i]}}" = main ] && [ -z "$by" ] || continue
        left=$((left - 1))
        if [ "$ended" -ne 0 ]; then
            code=$ended by=$who
            {on_failure}
        elif [ "$left" -eq 0 ]; then
            by=$who
            {on_end}
        fi
    done
    [ -z "$patience" ] || [ "$SECONDS" -lt "$patience" ] || break
    sleep 1 &
    wait $!
done"""


def needs_messages(spec: JobSpec) -> bool:
    """Return whether it takes srun's messages to tell how members ended."""
    return any(member.nodes * member.processes_per_node > 1 for member in spec.members)


def _kind(member: Member) -> str:
    # Which ranks a launcher starts on a node, it decides itself.
    return "rank" if member.ranks_per_process == 1 else "node"


def functions(spec: JobSpec) -> list[str]:
    """Return the functions that the lines of this module need."""
    return _VERDICT.split("\n") if needs_messages(spec) else []


def for_one(spec: JobSpec) -> list[str]:
    """Return the lines that wait for the only step and set ``$code`` and ``$by``."""
    (member,) = spec.members
    name = quote(member.name)
    if not needs_messages(spec):
        return [*_ONE.rstrip("\n").split("\n"), f"code=$? by={name}"]
    said = f'"$here/{layout.SRUN_MESSAGES}"'
    return [
        *_ONE.rstrip("\n").split("\n"),
        f"verdict $? {name} {_kind(member)} {said}",
        'code=$ended by="$who"',
    ]


def before_group(spec: JobSpec) -> list[str]:
    """Return the lines that come before the members of a group are started."""
    mains = [spec.policy == "all" or member.role == "main" for member in spec.members]
    grace = int(spec.options.get("monitor_group_job_wait_time", 60))
    found = [
        f"names=({words(member.name for member in spec.members)})",
        f"roles=({' '.join('main' if main else 'sidecar' for main in mains)})",
    ]
    if needs_messages(spec):
        found.append(f"kinds=({' '.join(map(_kind, spec.members))})")
    return [*found, "", *_STOP.format(grace=grace, step=layout.STEP).split("\n")]


def for_group(spec: JobSpec) -> list[str]:
    """Return the lines that wait for the members of a group and set ``$code`` and ``$by``."""
    mains = [m for m in spec.members if spec.policy == "all" or m.role == "main"]
    ended = "ended=$? who=${names[i]}"
    if needs_messages(spec):
        said = f'"$here/${{names[i]}}/{layout.SRUN_MESSAGES}"'
        ended = f'verdict $? "${{names[i]}}" "${{kinds[i]}}" {said}'
    text = _GROUP.format(
        policy=_POLICIES[spec.policy],
        mains=len(mains),
        ended=ended,
        exit=layout.EXIT,
        on_failure="stop" if spec.options.get("monitor_group_job", True) else ":",
        on_end="stop" if len(mains) < len(spec.members) else ":",
    )
    return [line for line in text.split("\n") if line.strip() != ":"]
