#!/bin/bash
# node.sh STATE NODE: process 1 of a virtual node, by host.sh and in a pid namespace of its own.
# To kill it is to cut the node's power: slurmd, steps and tasks end with it.
state=$1 node=$2
# Still the /proc of outside: the pid by which the tests know this process.
read -r outside _ </proc/self/stat
mount -t proc proc /proc
echo "$outside" >"$state/run/$node.new" && mv "$state/run/$node.new" "$state/run/$node.init"
export SLURM_CONF="$state/slurm.conf"
slurmd -D -N "$node" &
slurmd=$!
trap 'kill -TERM "$slurmd"' TERM
while kill -0 "$slurmd" 2>/dev/null; do wait "$slurmd"; done
