#!/bin/bash
#SBATCH --chdir=/lustre/me/digits/digits_1/jobs/group
#SBATCH --comment=digits_1/group/1
#SBATCH --job-name=group
#SBATCH --no-requeue
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=2
#SBATCH --open-mode=append
#SBATCH --output=/lustre/me/digits/digits_1/jobs/group/sbatch_group_%j.out
#SBATCH --time=00:10:00

# Job group of experiment digits_1. Written by NeMo Run; what each process runs is in step-*.sh.

job=/lustre/me/digits/digits_1/jobs/group
# Slurm runs this script again when it requeues the job; each run is an attempt of its own.
attempt=$((1 + ${SLURM_RESTART_COUNT:-0}))
here=$job/attempts/$attempt
logs=$job/logs/$attempt

export NEMORUN_TOKEN=digits_1/group/"$attempt"
export NEMORUN_EXPERIMENT_ID=digits_1
export NEMORUN_JOB=group
export NEMORUN_ATTEMPT="$attempt"
export NEMORUN_JOB_DIR=/lustre/me/digits/digits_1/jobs/group

(umask 077 && mkdir -p "$here"/server "$here"/'client 1' "$logs"/server "$logs"/'client 1') || exit
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
ln -sfn "$logs"/server/rank-0.log /lustre/me/digits/digits_1/jobs/group/log-group-server_"$SLURM_JOB_ID"_"${SLURM_RESTART_COUNT:-0}".out
ln -sfn "$logs"'/client 1/rank-0.log' '/lustre/me/digits/digits_1/jobs/group/log-group-client 1_'"$SLURM_JOB_ID"_"${SLURM_RESTART_COUNT:-0}".out

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
export het_group_host_0="${nodes[0]}"
export NEMORUN_HOST_SERVER="${nodes[0]}" NEMORUN_NODES_SERVER="${nodes[*]:0:1}"
export NEMORUN_HOST_CLIENT_1="${nodes[0]}" NEMORUN_NODES_CLIENT_1="${nodes[*]:0:2}"

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

names=(server 'client 1')
roles=(sidecar main)
kinds=(rank rank)

# Asks the members that are left to end; what has not ended when this script does, Slurm ends.
stop() {
    local i step
    for i in "${!steps[@]}"; do
        if step=$(cat "$here/${names[i]}/step" 2>/dev/null); then
            scancel --signal=TERM "$step" 2>/dev/null
        else
            kill -TERM "${steps[i]}" 2>/dev/null
        fi
    done
    patience=$((SECONDS + 60))
}

srun --nodelist="$(IFS=,; echo "${nodes[*]:0:1}")" --overlap --job-name=server --nodes=1 \
    --ntasks=1 --ntasks-per-node=1 --kill-on-bad-exit=1 --wait=0 \
    --output="${logs//%/%%}"/server/rank-0.log --open-mode=append \
    sh /lustre/me/digits/digits_1/jobs/group/attempts/1/step-server.sh \
    2>"$here"/server/srun.log &
steps[0]=$!
sleep 5

MASTER_ADDR="$(address "${nodes[0]}")" MASTER_PORT="$(free_port 1)" srun --overlap \
    --job-name='client 1' --nodes=2 --ntasks=4 --ntasks-per-node=2 --kill-on-bad-exit=1 --wait=0 \
    --output="${logs//%/%%}"'/client 1'/rank-0.log --open-mode=append \
    sh '/lustre/me/digits/digits_1/jobs/group/attempts/1/step-client 1.sh' \
    2>"$here"'/client 1/srun.log' &
steps[1]=$!

# The main members decide, when all have ended or one failed; then sidecars are ended.
left=1 code=0 by='' patience=''
while [ "${#steps[@]}" -gt 0 ]; do
    for i in "${!steps[@]}"; do
        kill -0 "${steps[i]}" 2>/dev/null && continue
        wait "${steps[i]}"
        verdict $? "${names[i]}" "${kinds[i]}" "$here/${names[i]}/srun.log"
        unset "steps[i]"
        echo "$who ended with exit code $ended"
        echo "exit $ended by $who${by:+, stopped}" >"$here/${names[i]}/exit"
        [ "${roles[i]}" = main ] && [ -z "$by" ] || continue
        left=$((left - 1))
        if [ "$ended" -ne 0 ]; then
            code=$ended by=$who
        elif [ "$left" -eq 0 ]; then
            by=$who
            stop
        fi
    done
    [ -z "$patience" ] || [ "$SECONDS" -lt "$patience" ] || break
    sleep 1 &
    wait $!
done

finish "$code" "$by"
