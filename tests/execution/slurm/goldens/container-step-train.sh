#!/bin/sh
# What each process of train runs. Written by NeMo Run.

# srun(1), output environment variables, in the words that PyTorch reads.
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID"
export WORLD_SIZE=2
export LOCAL_WORLD_SIZE=1
export NEMORUN_MEMBER=train
export NEMORUN_ATTEMPT_DIR=/nemo_run/attempts/"$NEMORUN_ATTEMPT"
export NEMORUN_LOG_DIR=/nemo_run/logs/"$NEMORUN_ATTEMPT"
export NEMORUN_OUTPUT_DIR=/nemo_run/outputs
export NEMORUN_METRICS_FILE=/nemo_run/metrics.jsonl

# srun writes the log of the first process, each other one its own.
export NEMORUN_FIRST_RANK="$SLURM_PROCID"
[ "$SLURM_PROCID" = 0 ] ||
    exec >>"$NEMORUN_LOG_DIR/rank-$NEMORUN_FIRST_RANK.log" 2>&1

export PYTHONUNBUFFERED=1
export OUT=/nemo_run/out

cd /nemo_run/code || exit
exec bash /nemo_run/scripts/train.sh
