#!/bin/sh
# What each process of train runs. Written by NeMo Run.

# srun(1), output environment variables, in the words that PyTorch reads.
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID"
export WORLD_SIZE=16
export LOCAL_WORLD_SIZE=8
export NEMORUN_MEMBER=train
export NEMORUN_ATTEMPT_DIR=/lustre/me/digits/digits_1/jobs/group/attempts/"$NEMORUN_ATTEMPT"/train
export NEMORUN_LOG_DIR=/lustre/me/digits/digits_1/jobs/group/logs/"$NEMORUN_ATTEMPT"/train
export NEMORUN_OUTPUT_DIR=/lustre/me/digits/digits_1/jobs/group/train/outputs
export NEMORUN_METRICS_FILE=/lustre/me/digits/digits_1/jobs/group/train/metrics.jsonl

# The batch script ends this step when another member has decided.
[ "$SLURM_PROCID" != 0 ] ||
    echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >"$NEMORUN_ATTEMPT_DIR/step"

# srun writes the log of the first process, each other one its own.
export NEMORUN_FIRST_RANK="$SLURM_PROCID"
[ "$SLURM_PROCID" = 0 ] ||
    exec >>"$NEMORUN_LOG_DIR/rank-$NEMORUN_FIRST_RANK.log" 2>&1

export PYTHONUNBUFFERED=1

cd /home/me/project || exit
exec bash /lustre/me/digits/digits_1/jobs/group/train/scripts/train.sh
