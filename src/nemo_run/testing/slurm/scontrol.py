"""scontrol(1): jobs, nodes and partitions in full, and changes to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import hostlist, shown, times
from .model import PENDING, Job, Node, Partition
from .submission import Caller, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine
    from .state import Cluster


def scontrol(engine: Engine, caller: Caller, words: list[str], options: dict[str, str]) -> str:
    """Carry out a command and return what it prints.

    Raises:
        Refused: It is refused.
    """
    verb, *rest = words or [""]
    known: dict[str, Callable[[], str]] = {
        "show": lambda: _show(engine.cluster, rest, options, engine.now()),
        "ping": lambda: f"Slurmctld(primary) at {shown.host()} is UP\n",
        "requeue": lambda: _each(engine, rest, lambda job: _requeue(engine, job)),
        "requeuehold": lambda: _each(engine, rest, lambda job: _requeue(engine, job, hold=True)),
        "hold": lambda: _each(engine, rest, lambda job: _hold(job, admin=caller.uid == 0)),
        "uhold": lambda: _each(engine, rest, lambda job: _hold(job, admin=False)),
        "release": lambda: _each(engine, rest, lambda job: _release(engine, job)),
        "update": lambda: _update(engine, rest),
        "reconfigure": str,
    }
    near = [name for name in known if name.startswith(verb)] if verb else []
    if verb not in known and len(near) != 1:
        raise Refused(f"invalid keyword: {verb}")
    return known[verb if verb in known else near[0]]()


def _each(engine: Engine, ids: list[str], act: Callable[[Job], None]) -> str:
    for text in ",".join(ids).removeprefix("jobid=").split(","):
        jobs = engine.cluster.find(text)
        if not jobs:
            raise Refused(f"Invalid job id specified for job {text}")
        for job in jobs:
            act(job)
    return ""


def _requeue(engine: Engine, job: Job, *, hold: bool = False) -> None:
    if job.state == PENDING:
        raise Refused(f"Job is pending execution for job {job.id}")
    if not job.requeue:
        raise Refused(f"Requested operation is presently disabled for job {job.id}")
    engine.requeue(job, hold=hold)


def _hold(job: Job, *, admin: bool) -> None:
    if job.state == PENDING:
        job.held = job.reason = "JobHeldAdmin" if admin else "JobHeldUser"


def _release(engine: Engine, job: Job) -> None:
    job.held = ""
    engine.schedule()


def _update(engine: Engine, words: list[str]) -> str:
    given = {name.lower(): value for name, _, value in (word.partition("=") for word in words)}
    if "nodename" in given:
        return _update_node(engine, given)
    ids = given.get("jobid", given.get("job", ""))
    jobs = engine.cluster.find(ids)
    if not jobs:
        raise Refused(f"Invalid job id specified for job {ids}")
    for job in jobs:
        if "comment" in given:
            job.options = {**job.options, "comment": given["comment"]}
        if "timelimit" in given:
            job.time_limit = times.limit_seconds(given["timelimit"])
        job.name = given.get("jobname", given.get("name", job.name))
    engine.schedule()
    return ""


def _update_node(engine: Engine, given: dict[str, str]) -> str:
    for name in hostlist.expand(given["nodename"]):
        if name not in engine.cluster.nodes:
            raise Refused("slurm_update error: Invalid node name specified")
        node = engine.cluster.nodes[name]
        state = given.get("state", "").lower()
        node.drained = state.startswith("drain") or (node.drained and state != "resume")
        node.down = state == "down" or (node.down and state not in {"resume", "idle"})
    engine.schedule()
    return ""


def _show(cluster: Cluster, words: list[str], options: dict[str, str], now: float) -> str:
    what, *names = words or [""]
    name = names[0] if names else ""
    if what in {"hostnames", "hostname"}:
        return "".join(f"{node}\n" for node in hostlist.expand(name))
    if what in {"hostlist", "hostlistsorted"}:
        nodes = name.split(",")
        return hostlist.compress(sorted(nodes) if what.endswith("sorted") else nodes) + "\n"
    if what == "config":
        return _config(cluster, now)
    for known, show in (("jobs", _jobs), ("partitions", _partitions), ("nodes", _nodes)):
        if what and known.startswith(what):
            blocks = show(cluster, name, now)
            return _joined(blocks, oneliner="oneliner" in options)
    raise Refused(f"invalid entity:{what} for keyword:show ")


def _joined(blocks: list[list[str]], *, oneliner: bool) -> str:
    if oneliner:
        return "".join(" ".join(lines) + " \n" for lines in blocks)
    return "".join("\n   ".join(lines) + "\n\n" for lines in blocks)


def _jobs(cluster: Cluster, name: str, now: float) -> list[list[str]]:
    known = list(cluster.known(now))
    if name:
        keep = {id(job) for job in cluster.find(name)}
        known = [job for job in known if id(job) in keep]
        if not known:
            raise Refused("slurm_load_jobs error: Invalid job id specified")
    elif not known:
        return [["No jobs in the system"]]
    return [_job(cluster, job, now) for job in known]


def _job(cluster: Cluster, job: Job, now: float) -> list[str]:
    array = ""
    if job.array_id:
        limit = f"ArrayTaskThrottle={job.array_limit} " if job.array_limit else ""
        array = f"ArrayJobId={job.array_id} ArrayTaskId={job.array_index} {limit}"
    if job.het_id:
        ids = ",".join(str(other.id) for other in cluster.het(job.het_id))
        array = f"HetJobId={job.het_id} HetJobOffset={job.het_offset} HetJobIdSet={ids} "
    eligible = times.iso(job.eligible) if job.eligible else "Unknown"
    started = shown.start(job, now).replace("N/A", "Unknown")
    ends = shown.end(job, now).replace("N/A", "Unknown")
    account, qos = job.options.get("account", job.user), job.options.get("qos", "normal")
    priority = 0 if job.held else 4294901760 - job.id
    per_node = job.options.get("ntasks-per-node", "0")
    nodes, cpus = len(job.node_names) or job.nodes, job.cpus * job.nodes
    gpus = f",gres/gpu={job.gpus * job.nodes}" if job.gpus else ""
    lines = [
        f"JobId={job.id} {array}JobName={job.name}",
        f"UserId={job.user}({job.uid}) GroupId={job.user}({job.gid}) MCS_label=N/A",
        f"Priority={priority} Nice=0 Account={account} QOS={qos}",
        (
            f"JobState={shown.state(job)} Reason={job.reason} "
            f"Dependency={shown.dependency(cluster, job)}"
        ),
        (
            f"Requeue={int(job.requeue)} Restarts={job.restarts} "
            f"BatchFlag={int(not job.allocation_only)} Reboot=0 "
            f"ExitCode={shown.exit_text(job.exit_code)}"
        ),
        (
            f"RunTime={times.full(job.elapsed(now))} TimeLimit={times.full(job.time_limit)} "
            "TimeMin=N/A"
        ),
        f"SubmitTime={times.iso(job.submit_time)} EligibleTime={eligible}",
        f"AccrueTime={eligible}",
        f"StartTime={started} EndTime={ends} Deadline=N/A",
        f"SuspendTime=None SecsPreSuspend=0 LastSchedEval={times.iso(now)} Scheduler=Main",
        f"Partition={job.partition} AllocNode:Sid={shown.host()}:1",
        (
            f"ReqNodeList={job.options.get('nodelist', shown.NULL)} "
            f"ExcNodeList={job.options.get('exclude', shown.NULL)}"
        ),
        f"NodeList={job.node_list}",
        *([f"BatchHost={job.node_names[0]}"] if job.node_names else []),
        (
            f"NumNodes={nodes} NumCPUs={cpus} NumTasks={job.tasks} "
            f"CPUs/Task={job.options.get('cpus-per-task', '1')} ReqB:S:C:T=0:0:*:*"
        ),
        f"TRES=cpu={cpus},node={nodes},billing={cpus}{gpus}",
        f"Socks/Node=* NtasksPerN:B:S:C={per_node}:0:*:* CoreSpec=*",
        f"MinCPUsNode={job.cpus} MinMemoryNode={job.options.get('mem', '0')} MinTmpDiskNode=0",
        f"Features={job.options.get('constraint', shown.NULL)} DelayBoot=00:00:00",
        "OverSubscribe=OK Contiguous=0 Licenses=(null) Network=(null)",
        f"Command={shown.command(job)}",
        f"WorkDir={job.directory}",
        *([f"Comment={job.comment} "] if job.comment else []),
        f"StdErr={shown.output(job, 'error')}",
        f"StdIn={job.options.get('input', '/dev/null')}",
        f"StdOut={shown.output(job, 'output')}",
        "Power=",
    ]
    return lines + ([f"TresPerNode=gres:gpu:{job.gpus}"] if job.gpus else [])


def _partitions(cluster: Cluster, name: str, _now: float) -> list[list[str]]:
    if name and name not in cluster.partitions:
        raise Refused(f"Partition {name} not found", stream="out")
    chosen = [cluster.partitions[name]] if name else list(cluster.partitions.values())
    return [_partition(cluster, partition) for partition in chosen]


def _partition(cluster: Cluster, partition: Partition) -> list[str]:
    first = "YES" if partition.name == cluster.default_partition else "NO"
    settings = cluster.settings
    count = len(partition.nodes)
    default = "NONE" if partition.default_time is None else times.full(partition.default_time)
    return [
        f"PartitionName={partition.name}",
        "AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL",
        f"AllocNodes=ALL Default={first} QoS=N/A",
        f"DefaultTime={default} DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO",
        (
            f"MaxNodes=UNLIMITED MaxTime={times.full(partition.max_time)} MinNodes=0 LLN=NO "
            "MaxCPUsPerNode=UNLIMITED"
        ),
        f"Nodes={hostlist.compress(partition.nodes)}",
        "PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO",
        "OverTimeLimit=NONE PreemptMode=OFF",
        (
            f"State=UP TotalCPUs={count * settings.cpus_per_node} TotalNodes={count} "
            "SelectTypeParameters=NONE"
        ),
        "JobDefaults=(null)",
        "DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED",
        (
            f"TRES=cpu={count * settings.cpus_per_node},mem={count * settings.memory_per_node}M,"
            f"node={count},billing={count * settings.cpus_per_node},"
            f"gres/gpu={count * settings.gpus_per_node}"
        ),
    ]


def _nodes(cluster: Cluster, name: str, _now: float) -> list[list[str]]:
    names = hostlist.expand(name) if name else list(cluster.nodes)
    for one in names:
        if one not in cluster.nodes:
            raise Refused(f"Node {one} not found", stream="out")
    return [_node(cluster, cluster.nodes[one]) for one in names]


def _node(cluster: Cluster, node: Node) -> list[str]:
    within = ",".join(p.name for p in cluster.partitions.values() if node.name in p.nodes)
    return [
        f"NodeName={node.name} Arch=x86_64 CoresPerSocket=1 ",
        f"CPUAlloc={node.used_cpus} CPUEfctv={node.cpus} CPUTot={node.cpus} CPULoad=0.00",
        "AvailableFeatures=(null)",
        "ActiveFeatures=(null)",
        f"Gres=gpu:{node.gpus}" if node.gpus else "Gres=(null)",
        (
            f"NodeAddr={node.name} NodeHostName={node.name} "
            f"Version={cluster.settings.version.rpartition(' ')[2]}"
        ),
        f"RealMemory={node.memory} AllocMem=0 FreeMem={node.memory} Sockets={node.cpus} Boards=1",
        f"State={node.state.upper()} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A",
        f"Partitions={within} ",
    ]


def _config(cluster: Cluster, now: float) -> str:
    settings = cluster.settings
    kind = "slurmdbd" if settings.accounting else "none"
    enforced = settings.accounts is not None or settings.qos is not None
    values = {
        "AccountingStorageEnforce": "associations,limits,qos" if enforced else "none",
        "AccountingStorageType": f"accounting_storage/{kind}",
        "ClusterName": cluster.name,
        "DependencyParameters": "kill_invalid_depend"
        if settings.kill_invalid_dependants
        else shown.NULL,
        "JobRequeue": "1",
        "KillWait": f"{settings.kill_wait:g} sec",
        "MaxArraySize": str(settings.max_array_size),
        "MaxJobCount": "10000",
        "MinJobAge": f"{settings.min_job_age:g} sec",
        "NEXT_JOB_ID": str(cluster.next_id),
        "SLURM_CONF": f"{cluster.folder}/slurm.conf",
        "SLURM_VERSION": settings.version.rpartition(" ")[2],
    }
    lines = [f"{name:<23} = {value}" for name, value in values.items()]
    head = f"Configuration data as of {times.iso(now)}"
    return "\n".join([head, *lines, "", f"Slurmctld(primary) at {shown.host()} is UP", ""])
