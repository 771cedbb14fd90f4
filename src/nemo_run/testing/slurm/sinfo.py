"""sinfo(1): partitions and nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import times
from .hostlist import compress

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Node, Partition
    from .state import Cluster

_DEFAULT = "%9P %.5a %.10l %.6D %.6t %N"
_BY_NODE = "%8N %.6D %9P %6t"
_SUMMARY = "%9P %.5a %.10l %.16F %N"
_SHORT = {
    "allocated": "alloc",
    "mixed": "mix",
    "drained": "drain",
    "draining": "drng",
}


@dataclass(frozen=True)
class Group:
    """Nodes of one partition in one state, shown as one line."""

    partition: Partition
    default: bool
    nodes: list[Node]

    @property
    def state(self) -> str:
        """Their state."""
        return self.nodes[0].state if self.nodes else "n/a"


def _short(state: str) -> str:
    return _SHORT.get(state, state)


def _use(group: Group) -> str:
    busy = sum(node.used_cpus > 0 for node in group.nodes)
    other = sum(node.down or node.drained for node in group.nodes)
    return f"{busy}/{len(group.nodes) - busy - other}/{other}/{len(group.nodes)}"


def _cpus(group: Group) -> str:
    used = sum(node.used_cpus for node in group.nodes)
    total = sum(node.cpus for node in group.nodes)
    return f"{used}/{total - used}/0/{total}"


def _gres(group: Group) -> str:
    gpus = group.nodes[0].gpus if group.nodes else 0
    return f"gpu:{gpus}" if gpus else "(null)"


_COLUMNS: dict[str, tuple[str, Callable[[Group], str]]] = {
    "P": ("PARTITION", lambda group: group.partition.name + "*" * group.default),
    "R": ("PARTITION", lambda group: group.partition.name),
    "a": ("AVAIL", lambda _group: "up"),
    "l": ("TIMELIMIT", lambda group: times.short(group.partition.max_time).replace("UNL", "unl")),
    "D": ("NODES", lambda group: str(len(group.nodes))),
    "t": ("STATE", lambda group: _short(group.state)),
    "T": ("STATE", lambda group: group.state),
    "N": ("NODELIST", lambda group: compress(node.name for node in group.nodes)),
    "n": ("HOSTNAMES", lambda group: compress(node.name for node in group.nodes)),
    "c": ("CPUS", lambda group: str(group.nodes[0].cpus if group.nodes else 0)),
    "m": ("MEMORY", lambda group: str(group.nodes[0].memory if group.nodes else 0)),
    "G": ("GRES", _gres),
    "C": ("CPUS(A/I/O/T)", _cpus),
    "F": ("NODES(A/I/O/T)", _use),
    "A": ("NODES(A/I)", lambda group: "/".join(_use(group).split("/")[:2])),
    "f": ("AVAIL_FEATURES", lambda _group: "(null)"),
    "b": ("ACTIVE_FEATURES", lambda _group: "(null)"),
    "s": ("JOB_SIZE", lambda _group: "1-infinite"),
}


def sinfo(cluster: Cluster, options: dict[str, str]) -> list[str]:
    """Return the lines of sinfo."""
    by_node, summary = "node" in options, "summarize" in options
    form = options.get("format") or (_BY_NODE if by_node else _SUMMARY if summary else _DEFAULT)
    fields = re.findall(r"([^%]*)%(\.?)(\d*)([A-Za-z])([^%]*)$|([^%]*)%(\.?)(\d*)([A-Za-z])", form)
    columns = [(f[5] or f[0], f[6] or f[1], f[7] or f[2], f[8] or f[3], f[4]) for f in fields]
    lines = []
    if "noheader" not in options:
        lines.append("".join(_cell(column, _title(column[3])) for column in columns))
    for group in _groups(cluster, options, one_each=by_node or "%n" in form, summary=summary):
        cells = (_cell(column, _value(column[3], group)) for column in columns)
        lines.append("".join(cells))
    return lines


def _title(letter: str) -> str:
    return _COLUMNS[letter][0] if letter in _COLUMNS else ""


def _value(letter: str, group: Group) -> str:
    return _COLUMNS[letter][1](group) if letter in _COLUMNS else "(null)"


def _cell(column: tuple[str, str, str, str, str], text: str) -> str:
    lead, right, width, _, tail = column
    if width:
        size = int(width)
        text = text[:size].rjust(size) if right else text[:size].ljust(size)
    return lead + text + tail


def _groups(
    cluster: Cluster, options: dict[str, str], *, one_each: bool, summary: bool
) -> list[Group]:
    groups = []
    for partition in cluster.partitions.values():
        if "partition" in options and partition.name not in options["partition"].split(","):
            continue
        default = partition.name == cluster.default_partition
        by_state: dict[str, list[Node]] = {}
        for name in partition.nodes:
            node = cluster.nodes[name]
            key = name if one_each else "" if summary else node.state
            by_state.setdefault(key, []).append(node)
        groups += [Group(partition, default, nodes) for nodes in by_state.values()]
    wanted = options.get("state")
    if wanted:
        kept = wanted.lower().split(",")
        groups = [group for group in groups if {group.state, _short(group.state)} & {*kept}]
    if one_each:
        groups.sort(key=lambda group: list(cluster.nodes).index(group.nodes[0].name))
    return groups
