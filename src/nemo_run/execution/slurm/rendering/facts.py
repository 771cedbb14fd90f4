"""What the batch script finds out about its nodes, and tells the processes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import members

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

_ADDRESS = """\
# The address of a node. A node may call itself 127.0.1.1, which others cannot use; its name is
# better then.
address() {
    local found
    read -r found _ < <(getent ahostsv4 "$1" 2>/dev/null)
    case $found in '' | 127.*) found=$1 ;; esac
    echo "$found"
}"""

_PORT = """\
# A port on which nobody listens here; the first that is tried differs from job to job.
free_port() {
    local port=$((15000 + (SLURM_JOB_ID * 16 + $1) % 12000))
    while (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
    echo "$port"
}"""


def lines(spec: JobSpec) -> list[str]:
    """Return the lines that find the nodes of each member and name them in the environment.

    Args:
        spec: The job.
    """
    found = [_ADDRESS, ""]
    heterogeneous = members.is_heterogeneous(spec)
    if heterogeneous:
        found += [
            "# What the first component was asked for with is not for the steps of the others.",
            'unset "${!SLURM_MEM_PER_@}" "${!SLURM_GPUS@}"',
            "",
        ]
    for number, group in enumerate(members.components(spec)):
        name = nodes_of(spec, group[0])
        variable = (
            f"SLURM_JOB_NODELIST_HET_GROUP_{number}" if heterogeneous else "SLURM_JOB_NODELIST"
        )
        found.append(f'mapfile -t {name} < <(scontrol show hostnames "${variable}")')
    head = nodes_of(spec, 0)
    found += ['head_node_ip=$(address "${' + head + '[0]}")', "export head_node_ip"]
    if len(spec.members) > 1:
        found += _addresses(spec)
    if any(needs_port(spec, index) for index in range(len(spec.members))):
        found += ["", _PORT]
    return found


def nodes_of(spec: JobSpec, index: int) -> str:
    """Return the name of the array with the nodes of a member's component."""
    return f"nodes_{members.component(spec, index)}" if members.is_heterogeneous(spec) else "nodes"


def needs_port(spec: JobSpec, index: int) -> bool:
    """Return whether the processes of a member need a place to meet."""
    member = spec.members[index]
    return member.nodes * member.processes_per_node > 1


def _addresses(spec: JobSpec) -> list[str]:
    found = []
    for number in range(len(members.components(spec))):
        nodes = f"nodes_{number}" if members.is_heterogeneous(spec) else "nodes"
        found.append(f'export het_group_host_{number}="${{{nodes}[0]}}"')
    seen: set[str] = set()
    for index, member in enumerate(spec.members):
        name = members.variable(member.name)
        name = f"{name}_{index}" if name in seen else name
        seen.add(name)
        nodes = nodes_of(spec, index)
        found.append(
            f'export NEMORUN_HOST_{name}="${{{nodes}[0]}}" '
            f'NEMORUN_NODES_{name}="${{{nodes}[*]:0:{member.nodes}}}"'
        )
    return found
