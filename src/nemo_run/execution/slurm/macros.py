"""What only the running job knows, and how a command or a variable may name it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nemo_run.execution.executor import ExecutorMacros
from nemo_run.execution.quoting import quote

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import Member

MACROS = ExecutorMacros(
    head_node_ip_var="head_node_ip",
    nproc_per_node_var="SLURM_NTASKS_PER_NODE",
    num_nodes_var="SLURM_NNODES",
    node_rank_var="SLURM_NODEID",
    het_group_host_var="het_group_host",
)

# What we put into the commands of launchers ourselves.
MEETING_POINT = "${master_addr_var}:${master_port_var}"
NODE_RANK = ExecutorMacros.NODE_RANK_VAR
ATTEMPT = "${attempt_var}"
LOCAL_RANK = "${local_rank_var}"

_VARIABLES = {
    "head_node_ip_var": MACROS.head_node_ip_var,
    "node_rank_var": MACROS.node_rank_var,
    "ft_launcher_cfg_path_var": MACROS.ft_launcher_cfg_path_var,
    "master_addr_var": "MASTER_ADDR",
    "master_port_var": "MASTER_PORT",
    "attempt_var": "NEMORUN_ATTEMPT",
    "local_rank_var": "SLURM_LOCALID",
}
_COUNTS = ("nproc_per_node_var", "num_nodes_var")
_COUNT = re.compile(rf"\$\{{(?P<count>{'|'.join(_COUNTS)})\}}")
_MACRO = re.compile(
    rf"\$\{{(?P<macro>{'|'.join((*_VARIABLES, *_COUNTS))})\}}"
    r"|\$\{het_group_host_var\}_(?P<group>[0-9]+)"
    r"|\$(?:(?P<bare>head_node_ip|het_group_host_[0-9]+)(?![A-Za-z0-9_])"
    r"|\{(?P<braced>head_node_ip|het_group_host_[0-9]+)\})"
)


def expanded(text: str, member: Member | None = None) -> str:
    """Return ``text`` as one word of a shell in which the macros, and nothing else, are expanded.

    Macros are those of :class:`~nemo_run.execution.executor.ExecutorMacros`, ``$head_node_ip`` and
    ``$het_group_host_<i>``; every other dollar sign stays one.

    Args:
        text: An argument, or the value of a variable.
        member: Whose nodes and processes the macros count.
    """
    if member is not None:
        text = _COUNT.sub(lambda found: _count(found["count"], member), text)
    pieces, end = [], 0
    for found in _MACRO.finditer(text):
        pieces += [_literal(text[end : found.start()]), _value(found)]
        end = found.end()
    return "".join([*pieces, _literal(text[end:])]) or "''"


def _count(macro: str, member: Member) -> str:
    ranks = member.processes_per_node * member.ranks_per_process
    return str(ranks if macro == "nproc_per_node_var" else member.nodes)


def _literal(text: str) -> str:
    return quote(text) if text else ""


def _value(found: re.Match[str]) -> str:
    macro = found["macro"]
    if macro in _COUNTS:
        return f'"${getattr(MACROS, macro)}"'
    group = found["group"]
    name = f"{MACROS.het_group_host_var}_{group}" if group else found["bare"] or found["braced"]
    return f'"${{{_VARIABLES[macro] if macro else name}}}"'
