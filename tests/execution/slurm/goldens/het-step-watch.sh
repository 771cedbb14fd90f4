#!/bin/sh
# What each process of watch runs. Written by NeMo Run.

# srun(1), output environment variables, in the words that PyTorch reads.
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID"
export WORLD_SIZE=1
export LOCAL_WORLD_SIZE=1
export NEMORUN_MEMBER=watch
export NEMORUN_ATTEMPT_DIR=/lustre/me/digits/digits_1/jobs/group/attempts/"$NEMORUN_ATTEMPT"/watch
export NEMORUN_LOG_DIR=/lustre/me/digits/digits_1/jobs/group/logs/"$NEMORUN_ATTEMPT"/watch
export NEMORUN_OUTPUT_DIR=/lustre/me/digits/digits_1/jobs/group/watch/outputs
export NEMORUN_METRICS_FILE=/lustre/me/digits/digits_1/jobs/group/watch/metrics.jsonl

# The batch script ends this step when another member has decided.
[ "$SLURM_PROCID" != 0 ] ||
    echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >"$NEMORUN_ATTEMPT_DIR/step"

export PYTHONUNBUFFERED=1

cd /home/me/project || exit
exec bash /lustre/me/digits/digits_1/jobs/group/watch/scripts/watch.sh
