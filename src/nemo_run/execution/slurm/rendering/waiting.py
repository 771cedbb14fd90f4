"""How the batch script waits for its steps, and who of a group decides. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.quoting import quote, words

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

_ONE = """\
step=$!

# A signal ends wait before the step has ended.
while kill -0 "$step" 2>/dev/null; do wait "$step"; done
wait "$step"
code=$? by={name}"""

_POLICIES = {
    "all": "The first member that fails decides; else all have to end.",
    "main": "The main members decide, when all have ended or one failed; then sidecars are ended.",
}

_STOP = """
# Asks those that are left to end. What has not ended when this script does is ended by Slurm.
stop() {{
    [ "${{#steps[@]}}" -eq 0 ] || kill -TERM "${{steps[@]}}" 2>/dev/null
    patience=$((SECONDS + {grace}))
}}"""

_GROUP = """\
# {policy}
left={mains} code=0 by='' patience=''
while [ "${{#steps[@]}}" -gt 0 ]; do
    for i in "${{!steps[@]}}"; do
        kill -0 "${{steps[i]}}" 2>/dev/null && continue
        wait "${{steps[i]}}"
        ended=$?
        unset "steps[i]"
        echo "${{names[i]}} ended with exit code $ended"
        [ "${{roles[i]}}" = main ] && [ -z "$by" ] || continue
        left=$((left - 1))
        if [ "$ended" -ne 0 ]; then
            code=$ended by=${{names[i]}}
            {on_failure}
        elif [ "$left" -eq 0 ]; then
            by=${{names[i]}}
            {on_end}
        fi
    done
    [ -z "$patience" ] || [ "$SECONDS" -lt "$patience" ] || break
    sleep 1 &
    wait $!
done"""


def for_one(spec: JobSpec) -> list[str]:
    """Return the lines that wait for the only step and set ``$code`` and ``$by``."""
    return _ONE.format(name=quote(spec.members[0].name)).split("\n")


def before_group(spec: JobSpec) -> list[str]:
    """Return the lines that come before the members of a group are started."""
    names = words(member.name for member in spec.members)
    mains = [spec.policy == "all" or member.role == "main" for member in spec.members]
    roles = " ".join("main" if main else "sidecar" for main in mains)
    grace = int(spec.options.get("monitor_group_job_wait_time", 60))
    return [f"names=({names})", f"roles=({roles})", *_STOP.format(grace=grace).split("\n")]


def for_group(spec: JobSpec) -> list[str]:
    """Return the lines that wait for the members of a group and set ``$code`` and ``$by``."""
    mains = [m for m in spec.members if spec.policy == "all" or m.role == "main"]
    text = _GROUP.format(
        policy=_POLICIES[spec.policy],
        mains=len(mains),
        on_failure="stop" if spec.options.get("monitor_group_job", True) else ":",
        on_end="stop",
    )
    return text.split("\n")
