#!/bin/sh
# Job train of experiment digits_1, attempt 2. Written by NeMo Run.
#
#   sh launch.sh ['NAME=value' ...]     variables whose names a shell cannot hold

attempt=/e/train/attempts/2
logs=/e/train/logs/2

# Overwrites a record in place: it has its room on the disk, which may be full by now.
record() {
    printf '%-94s.\n' "$2" 1<>"$1"
}

finish() {
    record "$attempt/exit" "exit $1 $2"
    exit "$1"
}
export NEMORUN_TOKEN=digits_1/train/2
export NEMORUN_EXPERIMENT_ID=digits_1
export NEMORUN_JOB=train
export NEMORUN_ATTEMPT=2
export NEMORUN_JOB_DIR=/e/train
# How the attempt before this one ended; one that was lost has written nothing down.
export NEMORUN_PREVIOUS_END=unknown
if read -r word _ 2>/dev/null </e/train/attempts/1/exit && [ "$word" = exit ]; then NEMORUN_PREVIOUS_END=failed; fi

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

# train
member_0() {
    export LR=3e-4
    export TEXT='it'\''s
two lines'
    export NEMORUN_MEMBER=train
    export NEMORUN_ATTEMPT_DIR=/e/train/attempts/2
    export NEMORUN_LOG_DIR=/e/train/logs/2
    export NEMORUN_OUTPUT_DIR=/e/train/outputs
    export NEMORUN_METRICS_FILE=/e/train/metrics.jsonl
    export WORLD_SIZE=1
    export LOCAL_WORLD_SIZE=1
    export RANK="$1" LOCAL_RANK="$2" NODE_RANK="$3"
    shift 3
    cd '/home/me/my project' || exit
    exec env "$@" my.name=x /usr/bin/python worker.py /e/train
}

(member_0 0 0 0 "$@") </dev/null >>"$logs"/rank-0.log 2>&1
finish $?
