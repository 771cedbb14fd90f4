"""The bash of :mod:`.resume`; ``@name@`` is filled in there."""

from __future__ import annotations

AROUND = r"""
slurm_job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID:-}}
slurm_job=${slurm_job:-$SLURM_JOB_ID}

# Says what Slurm knows of this job, a field a line.
about() {
    local known pause
    for pause in 1 2 5 0; do # what Slurm sends to end a job may hit scontrol too
        known=$(scontrol --oneliner show job "$slurm_job" | head -n 1)
        [ -z "$known" ] || break
        sleep "$pause"
    done
    tr ' ' '\n' <<<"$known"
}

# Says one field of it.
#   field <name> <what about said>
field() {
    sed -n "s/^$1=//p" <<<"$2" | head -n 1
}
"""

CAUSE = r"""
# Says what Slurm wrote into an output about why it ended this job.
#   slurms_word <file> <how many bytes of it to skip>
slurms_word() {
    case $(tail -c "+$(($2 + 1))" "$1" 2>/dev/null | grep -a -o 'DUE TO [A-Z ]*' | tail -n 1) in
    *PREEMPTION*) echo 'preemption' ;;
    *'TIME LIMIT'*) echo 'time limit' ;;
    *NODE*) echo 'node failure' ;;
    *REQUEUE*) echo 'unknown' ;; # somebody has asked for it
    esac
}

# Whether one of some nodes has been away since a time, or is.
#   were_away <nodes> <seconds since the epoch>
were_away() {
    local known newest
    known=$(scontrol show node "$1" 2>/dev/null) || return 1
    ! grep -Eq 'State=[^ ]*(DOWN|NOT_RESPONDING|FAIL|UNKNOWN)' <<<"$known" || return 0
    newest=$(grep -o 'SlurmdStartTime=[^ ]*' <<<"$known" | sort | tail -n 1)
    [[ ${newest#*=} > $(date -d "@$2" +%FT%T) ]]
}

# Says how an earlier attempt ended: by its record, by the signal it got, by what Slurm wrote.
#   end_of <attempt>
end_of() {
    local folder=$job/attempts/$1 last='' nodes='' size=0 output='' started=0 cause=''
    [ ! -e "$folder/exit" ] || last=$(tail -n 1 "$folder/exit")
    case $last in
    *' after time limit'* | *' by time limit'*) echo 'time limit' && return ;;
    *' after preemption'* | *' by preemption'*) echo 'preemption' && return ;;
    *' after node failure'* | *' by node failure'*) echo 'node failure' && return ;;
    *' by unknown'* | 'exit 0'*) echo 'unknown' && return ;;
    'exit '*) echo 'failed' && return ;;
    esac
    [ ! -e "$folder/stop" ] || { cat "$folder/stop" && return; }
    [ ! -e "$folder/allocation" ] || {
        read -r nodes && read -r size && read -r output
    } <"$folder/allocation"
    [ -z "$output" ] || cause=$(slurms_word "$output" "$size")
    [ ! -e "$folder/started" ] || read -r _ started _ <"$folder/started"
    if [ -z "$cause" ] && [ -n "$nodes" ] && were_away "$nodes" "$started"; then
        cause='node failure'
    fi
    echo "${cause:-unknown}"
}
"""

TIME = r"""
# Says how many seconds all attempts have taken: of one that was cut off, up to its last sign.
seconds_used() {
    local folder number started last total=0
    for folder in "$job"/attempts/*/; do
        [ -e "$folder/started" ] || continue
        number=$(basename "$folder")
        read -r _ started _ <"$folder/started"
        last=$(stat -c %Y "$folder"* "$job/logs/$number"/* 2>/dev/null | sort -n | tail -n 1)
        [ "$number" -ne "$attempt" ] || last=$(date +%s)
        [ "${last:-0}" -le "$started" ] || total=$((total + last - started))
    done
    echo "$total"
}
"""

PROGRESS = r"""
# Says what the files that tell progress are like; the same words, no progress.
progress() (
    shopt -s globstar nullglob
    export LC_ALL=C
    printf '%s\0' @files@ | xargs -0 stat -c '%F %s %y %n' -- 2>/dev/null |
        grep -a '^regular file' | cksum
)

# Whether nothing has changed since the beginning of the last attempts.
#   stands_still <last attempt>
stands_still() {
    local first=$(($1 - @no_progress@ + 1))
    [ -e "$job/attempts/$first/progress" ] || return 1
    [ "$(progress)" = "$(cat "$job/attempts/$first/progress")" ]
}
"""

SIGNALS = r"""
# Slurm says that the time is nearly over: the steps hear of it, and have what is left.
# shellcheck disable=SC2329 # a trap calls it
ask_to_stop() {
    local known now end left grace cause='time limit'
    known=$(about)
    case $(field JobState "$known") in
    '' | RUNNING | SUSPENDED) [ ! -e "$here/stop" ] || return 0 ;;
    *) return ;; # it is being ended already
    esac
    case $(field PreemptTime "$known") in
    '' | None | Unknown) ;;
    *) cause='preemption' ;;
    esac
    now=$(date +%s)
    end=$(date -d "$(field EndTime "$known")" +%s 2>/dev/null) || end=$((now + @before@))
    left=$((end - now))
    if [ "$left" -gt @before@ ]; then
        later $((left - @before@)) @signal@ # Slurm is up to a minute early
        return
    fi
    grace=$((left > @margin@ ? left - @margin@ : 1))
    echo "$cause" >"$here/stop"
    echo "$(date +%FT%T) @signal@: the $cause is near; the tasks have $grace s." >&2
    scancel --signal=@signal@ "$slurm_job"
    later "$grace" ALRM
}

# Sends this script a signal.
# shellcheck disable=SC2329 # a trap calls it
#   later <after how many seconds> <signal>
later() {
    { sleep "$1" && kill "-$2" $$; } &
    timer=$!
    disown
}

# Whether this machine still starts processes, and another one of ours does not.
a_node_is_lost() {
    [ "${SLURM_JOB_NUM_NODES:-1}" -gt 1 ] && [ -z "${SLURM_HET_SIZE:-}" ] || return 1
    ! starts "$SLURM_JOB_NUM_NODES" || return 1
    starts 1 --nodelist="$SLURMD_NODENAME"
}

# Whether so many nodes start a process. Nothing but the job's id is taken from the environment.
starts() {
    env -i PATH="$PATH" ${SLURM_CONF:+SLURM_CONF="$SLURM_CONF"} timeout 60 \
        srun --jobid="$SLURM_JOB_ID" --overlap --ntasks-per-node=1 --nodes="$1" --ntasks="$1" \
        "${@:2}" true </dev/null >/dev/null 2>&1
}

# Says what interrupted the steps; nothing if they ended by themselves.
interruption() {
    local known state cause=''
    known=$(about)
    state=$(field JobState "$known")
    if [ "$(field Restarts "$known")" != "${SLURM_RESTART_COUNT:-0}" ] && [ -n "$state" ]; then
        cause=$(slurms_word "$output" "$size")
        echo "${cause:-unknown}, requeued"
    elif [ -n "$state" ] && [ "$state" != RUNNING ]; then
        cause=$(slurms_word "$output" "$size")
        [ "$cause" != unknown ] || cause='unknown, requeued'
        echo "${cause:-cancelled}"
    elif [ "$code" -eq 0 ] && is_finished; then
        return
    elif [ -e "$here/stop" ]; then
        cat "$here/stop"
    elif [[ $(field PreemptTime "$known") = 2* ]]; then
        echo 'preemption'
    elif [ "$code" -ne 0 ] && a_node_is_lost; then
        echo 'node failure'
    fi
}

# Whether the task says that it is done. One that ends with 0 because it was asked to stop is not.
is_finished() {
    ls -d -- @finished@ >/dev/null 2>&1
}

# After the steps: an interrupted job goes on, if the limits allow it, or ends here.
go_on_if_interrupted() {
    local cause why
    trap '' ALRM TERM @signal@ # which would end the programs that tell us more
    cause=$(interruption)
    [ -n "$cause" ] || return 0
    [ "$code" -ne 0 ] || code=@interrupted@
    case $cause in
    cancelled | *', requeued') finish "$code" "$cause" ;;
    esac
    why=$(refusal "$attempt" "$cause")
    if [ -n "$why" ]; then
        echo "Not started again after $cause: $why." >&2
        finish "$code" "resume: $why, after $cause"
    fi
    go_on "$cause"
    finish "$code" "$cause"
}

# The steps have not ended in time.
# shellcheck disable=SC2329 # a trap calls it
time_is_up() {
    code=124
    go_on_if_interrupted
}
"""

REQUEUE = r"""
# Lets Slurm start this job again.
#   go_on <what interrupted it>
go_on() {
    local pause
    record "$code" "$1, requeued"
    for pause in 5 10 15; do
        scontrol requeue "$slurm_job" && exit "$code"
        sleep "$pause"
    done
}
"""

CHAIN = r"""
# The next attempt is a job of its own, which the program that submitted this one submits.
go_on() {
    echo "Ended by $1; the next attempt is another job." >&2
}
"""

START = r"""
previous=''
if [ "$attempt" -gt 1 ]; then
    previous=$(end_of $((attempt - 1)))
    echo "Attempt $attempt of at most @max@, after $previous."
    why=$(refusal $((attempt - 1)) "$previous")
    if [ -n "$why" ]; then
        echo "It does not start: $why." >&2
        finish @interrupted@ "resume: $why, after $previous"
    fi
fi
"""

RETRIED = r"""
previous=''
[ "$attempt" -eq 1 ] || previous=$(end_of $((attempt - 1)))
"""

TOLD = r"""
export NEMORUN_PREVIOUS_END="${previous/preemption/preempted}"
"""

STOPPING = r"""
export NEMORUN_STOP_FILE="$NEMORUN_JOB_DIR/attempts/$attempt/stop"
export NEMORUN_FINISHED_FILE="$NEMORUN_JOB_DIR/attempts/$attempt/finished"
"""

ALLOCATION = r"""
# What the next attempt has to know of this one, should it be cut off.
output=$(scontrol show job "$slurm_job" | sed -n 's/^ *StdErr=//p' | head -n 1)
size=$(stat -c %s "$output" 2>/dev/null || echo 0)
printf '%s\n' "$SLURM_JOB_NODELIST" "$size" "$output" >"$here/allocation"
"""

AGAIN = r"""
# How many attempts up to this one have failed by themselves.
failures() {
    local number total=1
    for ((number = 1; number < attempt; number++)); do
        [ "$(end_of "$number")" != failed ] || total=$((total + 1))
    done
    echo "$total"
}
"""

TRAPS = r"""
timer=''
trap ask_to_stop @signal@
trap time_is_up ALRM
trap '[ -z "$timer" ] || kill "$timer" 2>/dev/null' EXIT
"""
