#!/bin/sh
# What each process of train runs. Written by NeMo Run.

# srun(1), output environment variables, in the words that PyTorch reads.
export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID"
export WORLD_SIZE=1
export LOCAL_WORLD_SIZE=1
export NEMORUN_MEMBER=train
export NEMORUN_ATTEMPT_DIR=/lustre/me/digits/digits_1/jobs/train/attempts/"$NEMORUN_ATTEMPT"
export NEMORUN_LOG_DIR=/lustre/me/digits/digits_1/jobs/train/logs/"$NEMORUN_ATTEMPT"
export NEMORUN_OUTPUT_DIR=/lustre/me/digits/digits_1/jobs/train/outputs
export NEMORUN_METRICS_FILE=/lustre/me/digits/digits_1/jobs/train/metrics.jsonl

export PYTHONUNBUFFERED=1
export TEXT='it'\''s
"two" lines $HOME `id` \ ü'
export AT="${head_node_ip}":1

cd /home/me/project || exit
exec env my.name='x y' bash /lustre/me/digits/digits_1/jobs/train/scripts/train.sh
