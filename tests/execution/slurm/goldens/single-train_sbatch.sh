#!/bin/bash
#SBATCH --account=acct
#SBATCH --chdir=/lustre/me/digits/digits_1/jobs/train
#SBATCH --comment=digits_1/train/1
#SBATCH --gpus-per-node=8
#SBATCH --job-name=train
#SBATCH --no-requeue
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#SBATCH --output=/lustre/me/digits/digits_1/jobs/train/sbatch_train_%j.out
#SBATCH --partition=batch
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
export NEMORUN_JOB_DIR=/lustre/me/digits/digits_1/jobs/train

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

srun --job-name=train --nodes=1 --ntasks=1 --ntasks-per-node=1 --kill-on-bad-exit=1 --wait=0 \
    --output="${logs//%/%%}"/rank-0.log --open-mode=append \
    sh /lustre/me/digits/digits_1/jobs/train/attempts/1/step-train.sh &
step=$!

# A signal ends wait before the step has ended.
while kill -0 "$step" 2>/dev/null; do wait "$step"; done
wait "$step"
code=$? by=train

finish "$code" "$by"
