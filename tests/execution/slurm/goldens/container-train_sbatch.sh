#!/bin/bash
#SBATCH --chdir=/lustre/me/digits/digits_1/jobs/train
#SBATCH --comment=digits_1/train/1
#SBATCH --job-name=train
#SBATCH --no-requeue
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/lustre/me/digits/digits_1/jobs/train/sbatch_train_%j.out
#SBATCH --time=00:10:00

# Job train of experiment digits_1. Written by NeMo Run; what each process runs is in step-*.sh.

job=/lustre/me/digits/digits_1/jobs/train
# Slurm runs this script again when it requeues the job; each run is an attempt of its own.
attempt=$((1 + ${SLURM_RESTART_COUNT:-0}))
here=$job/attempts/$attempt
logs=$job/logs/$attempt

export NEMORUN_TOKEN=digits_1/train/"$attempt"
export NEMORUN_EXPERIMENT_ID=digits_1
export NEMORUN_JOB=train
export NEMORUN_ATTEMPT="$attempt"
export NEMORUN_JOB_DIR=/nemo_run

(umask 077 && mkdir -p "$here" "$logs") || exit
echo "started $(date +%s)" >"$here/started"

# Writes down how the attempt ended.
record() {
    echo "exit $1 by $2" >"$here/exit.new" && mv "$here/exit.new" "$here/exit"
}

finish() {
    record "$1" "$2"
    exit "$1"
}

# Asked to end, we wait for the steps, which Slurm asks as well, and write down how they ended.
trap : HUP INT TERM

export NEMORUN_PREVIOUS_END=''

# The names of the logs under which people look for them.
ln -sfn "$logs"/rank-0.log /lustre/me/digits/digits_1/jobs/train/log-train_"$SLURM_JOB_ID"_"${SLURM_RESTART_COUNT:-0}".out

# The code as it was when the job was submitted, unpacked once. The file beside it says that it
# is whole.
if [ "$(cat "$job/code.tree" 2>/dev/null)" != 9bdc3e1fae1f4d6d9c3f2a7f0d7c5b9f2f0c1d2e ]; then
    rm -rf "$job/code.new" "$job/code"
    {
        mkdir "$job/code.new" &&
            tar -xf /lustre/me/.nemo_run/code/9bdc3e1fae1f4d6d9c3f2a7f0d7c5b9f2f0c1d2e.tar -C "$job/code.new" &&
            mv "$job/code.new" "$job/code" &&
            echo 9bdc3e1fae1f4d6d9c3f2a7f0d7c5b9f2f0c1d2e >"$job/code.tree"
    } || finish 1 'the code, which could not be unpacked'
fi

# The address of a node. A node may call itself 127.0.1.1, which others cannot use; its name is
# better then.
address() {
    local found
    read -r found _ < <(getent ahostsv4 "$1" 2>/dev/null)
    case $found in '' | 127.*) found=$1 ;; esac
    echo "$found"
}

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head_node_ip=$(address "${nodes[0]}")
export head_node_ip

# A port on which nobody listens here; the first that is tried differs from job to job.
free_port() {
    local port=$((15000 + (SLURM_JOB_ID * 16 + $1) % 12000))
    while (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}

# Says how a member ended, and by whom. srun gives the highest exit code of all processes, also of
# those that it ended because another one failed; the first of its messages is about that one.
#   verdict <exit code> <member> <what its processes are> <srun's messages>
verdict() {
    local first how
    ended=$1 who=$2
    cat "$4" >&2
    first=$(grep -m 1 -E ': tasks? [0-9]' "$4")
    [ "$ended" -ne 0 ] && [[ $first =~ :\ tasks?\ ([0-9]+)[^:]*:\ (.*) ]] || return
    who="$3 ${BASH_REMATCH[1]} of $2" how=${BASH_REMATCH[2]}
    case $how in
    *'exit code '*) ended=${how##* } ;;
    Killed* | 'Out Of Memory'*) ended=137 ;;
    Terminated*) ended=143 ;;
    'Segmentation fault'*) ended=139 ;;
    Aborted*) ended=134 ;;
    'Bus error'*) ended=135 ;;
    esac
}

MASTER_ADDR="$head_node_ip" MASTER_PORT="$(free_port 0)" srun --job-name=train --nodes=2 \
    --ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=1 --wait=0 \
    --output="${logs//%/%%}"/rank-0.log --open-mode=append --chdir=/ \
    --container-image='nvcr.io#nvidia/nemo:25.09' \
    --container-mounts=/data:/data:ro,/lustre/me/digits/digits_1/jobs/train/x:/x,/lustre/me/digits/digits_1/jobs/train:/nemo_run \
    --container-workdir=/nemo_run/code --container-env=NCCL_DEBUG \
    sh /nemo_run/attempts/1/step-train.sh 2>"$here"/srun.log &
step=$!

# A signal ends wait before the step has ended.
while kill -0 "$step" 2>/dev/null; do wait "$step"; done
wait "$step"
verdict $? train rank "$here/srun.log"
code=$ended by="$who"

finish "$code" "$by"
