#!/bin/sh
# Job eval of experiment digits_1, attempt 1. Written by NeMo Run.
#
#   sh launch.sh ['NAME=value' ...]     variables whose names a shell cannot hold

attempt=/e/eval/attempts/1
logs=/e/eval/logs/1

# Overwrites a record in place: it has its room on the disk, which may be full by now.
record() {
    printf '%-94s.\n' "$2" 1<>"$1"
}

finish() {
    record "$attempt/exit" "exit $1 $2"
    exit "$1"
}
export NEMORUN_TOKEN=digits_1/eval/1
export NEMORUN_EXPERIMENT_ID=digits_1
export NEMORUN_JOB=eval
export NEMORUN_ATTEMPT=1
export NEMORUN_JOB_DIR=/e/eval
export NEMORUN_PREVIOUS_END=''

# Who we are. A process id alone would not tell: ids are used again.
start=''
boot=''
machine=''
start_time() {
    shift 19
    start=$1
}
if [ -r "/proc/$$/stat" ]; then
    read -r stat <"/proc/$$/stat"
    # shellcheck disable=SC2086
    start_time ${stat##*) }
    read -r boot </proc/sys/kernel/random/boot_id
    [ ! -r /etc/machine-id ] || read -r machine </etc/machine-id || machine=''
else
    start=$(LC_ALL=C ps -o lstart= -p $$)
    boot=$(sysctl -n kern.bootsessionuuid)
fi

# This attempt runs once: whoever makes the file runs it.
set -C
{ true >"$attempt/claim"; } 2>/dev/null || {
    echo "$attempt/claim cannot be made: the attempt runs already, or the disk is full." >&2
    exit 96
}
set +C
printf '%s\n' "$$" "$start" "$boot" "$NEMORUN_TOKEN" "$machine" >"$attempt/claim" || {
    rm -f "$attempt/claim"
    exit 96
}
umask "${NEMORUN_UMASK:-$(umask)}"

# Asked to end, we wait for the processes and write down how they ended.
trap : HUP INT TERM
unset NEMORUN_LEADER NEMORUN_UMASK

# server
member_0() {
    export NEMORUN_MEMBER=server
    export NEMORUN_ATTEMPT_DIR=/e/eval/attempts/1/server
    export NEMORUN_LOG_DIR=/e/eval/logs/1/server
    export NEMORUN_OUTPUT_DIR=/e/eval/server/outputs
    export NEMORUN_METRICS_FILE=/e/eval/server/metrics.jsonl
    export WORLD_SIZE=1
    export LOCAL_WORLD_SIZE=1
    export RANK="$1" LOCAL_RANK="$2" NODE_RANK="$3"
    shift 3
    cd '/home/me/my project' || exit
    exec ${1:+env} "$@" serve
}

# client
port_1=$(<python> -I -S <processes.py> port) || finish 1 'no free port'
member_1() {
    export NEMORUN_MEMBER=client
    export NEMORUN_ATTEMPT_DIR=/e/eval/attempts/1/client
    export NEMORUN_LOG_DIR=/e/eval/logs/1/client
    export NEMORUN_OUTPUT_DIR=/e/eval/client/outputs
    export NEMORUN_METRICS_FILE=/e/eval/client/metrics.jsonl
    export WORLD_SIZE=2
    export LOCAL_WORLD_SIZE=2
    export MASTER_ADDR=127.0.0.1
    export MASTER_PORT="$port_1"
    export RANK="$1" LOCAL_RANK="$2" NODE_RANK="$3"
    shift 3
    cd '/home/me/my project' || exit
    exec ${1:+env} "$@" ask '$it'
}

# Runs a process, writes down how it ended and says so.
#   run <function> <rank> <local rank> <node rank> <record> <log> <role> <title> [NAME=value ...]
run() {
    trap : HUP INT TERM
    record=$5 log=$6 role=$7 title=$8
    function=$1 rank=$2 local_rank=$3 node_rank=$4
    shift 8
    ("$function" "$rank" "$local_rank" "$node_rank" "$@") </dev/null >>"$log" 2>&1 3>&-
    code=$?
    record "$record" "exit $code"
    echo "$code $role $title" >&3
}

# Ends what still runs, with all that it started.
stop() {
    : >"$attempt/stopped"
    <python> -I -S <processes.py> stop "$NEMORUN_TOKEN" 10.0 $$ || kill -TERM 0
}

# A pipeline, because what starts with & would ignore SIGINT. Each says how it ended on 3.
{
    run member_0 0 0 0 "$attempt"/server/exit.0 "$logs"/server/rank-0.log sidecar 'rank 0 of server' "$@" |
    run member_1 0 0 0 "$attempt"/client/exit.0 "$logs"/client/rank-0.log main 'rank 0 of client' "$@" |
    run member_1 1 1 0 "$attempt"/client/exit.1 "$logs"/client/rank-1.log main 'rank 1 of client' "$@"
} 3>&1 | (
    # The main processes decide; when they have ended, or one failed, the others are ended.
    trap '' HUP INT TERM
    left=2 code=0 by=''
    while read -r ended role title; do
        [ "$role" = main ] && [ -z "$by" ] || continue
        left=$((left - 1))
        if [ "$ended" -ne 0 ]; then
            code=$ended by=$title
            stop
        elif [ "$left" -eq 0 ]; then
            by=$title
            stop
        fi
    done
    if [ -z "$by" ]; then
        code=1 by='a process that nobody saw end'
        stop
    fi
    finish "$code" "$by"
)
