#!/bin/sh
# host.sh STATE NAME COMMAND...: run as host NAME of the cluster, in new mount and UTS namespaces:
# its own name, the cluster's /etc/hosts, and the cluster's user. The machine's files stay as they are.
set -e
state=$1 name=$2
shift 2
mount --make-rprivate /
for file in hosts passwd group shadow; do
    mount --bind "$state/etc/$file" "/etc/$file"
done
hostname "$name"
exec "$@"
