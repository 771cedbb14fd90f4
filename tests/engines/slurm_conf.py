"""The files that make four nodes on one machine a Slurm cluster. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """What a cluster is to look like.

    Attributes:
        folder: Where everything of it lies; short, for Unix sockets.
        net: The first three numbers of its loopback addresses, so that clusters do not meet.
        port: The controller's; the next ones are the accounting daemon's and the nodes'.
        accounting: Whether sacct works.
        nodes: How many, named n1 to nN.
        cpus: CPUs that each node claims; more than there are.
        gpus: Fake GPUs of each node.
    """

    folder: Path
    net: str
    port: int
    accounting: bool = False
    nodes: int = 4
    cpus: int = 32
    gpus: int = 8

    def address(self, number: int) -> str:
        """Return the address of a host: nodes from 1, then the controller and the login hosts."""
        return f"{self.net}.{number}"


CONTROLLER, LOGIN, JUMP = 100, 110, 111
USER, UID = "ada", 64200


def hosts(shape: Shape) -> str:
    """What all hosts of the cluster see as /etc/hosts."""
    names = {f"n{i + 1}": i + 1 for i in range(shape.nodes)}
    names |= {"ctl": CONTROLLER, "login": LOGIN, "jump": JUMP}
    lines = [f"{shape.address(number)} {name}" for name, number in names.items()]
    return "\n".join(["127.0.0.1 localhost", *lines, ""])


def slurm_conf(shape: Shape, extra: dict[str, str]) -> str:
    """slurm.conf(5) of the cluster.

    Args:
        shape: The cluster.
        extra: Keys that replace ours: a key that is there twice makes every client complain.
    """
    settings = {**_settings(shape), **(_accounting(shape) if shape.accounting else _none())}
    settings |= extra
    gres = f" Gres=gpu:{shape.gpus}" if shape.gpus else ""
    lines = [f"{key}={value}" for key, value in settings.items()]
    lines.append(f"NodeName=DEFAULT CPUs={shape.cpus} RealMemory=64000{gres} State=UNKNOWN")
    lines += [
        f"NodeName=n{i} NodeHostname=n{i} NodeAddr={shape.address(i)} Port={shape.port + 10 + i}"
        for i in range(1, shape.nodes + 1)
    ]
    nodes = f"n[1-{shape.nodes}]"
    lines.append(f"PartitionName=main Nodes={nodes} Default=YES MaxTime=1-0 DefaultTime=10:00")
    lines.append("PartitionName=debug Nodes=n1 MaxTime=10:00")
    return "\n".join([*lines, ""])


def gres_conf(shape: Shape) -> str:
    """gres.conf(5): fake GPUs, which are character devices like /dev/null."""
    if not shape.gpus:
        return ""
    files = f"{shape.folder}/gpus/gpu[0-{shape.gpus - 1}]"
    return f"NodeName=n[1-{shape.nodes}] Name=gpu File={files}\n"


# slurmd 22.05 loads a cgroup plugin even where nothing uses it; version 1 touches nothing.
CGROUP_CONF = "CgroupPlugin=cgroup/v1\n"


def slurmdbd_conf(shape: Shape) -> str:
    """slurmdbd.conf(5)."""
    return "\n".join(
        [
            "AuthType=auth/munge",
            f"AuthInfo=socket={shape.folder}/munge/sock",
            "DbdHost=ctl",
            f"DbdAddr={shape.address(CONTROLLER)}",
            f"DbdPort={shape.port + 1}",
            "SlurmUser=root",
            f"PidFile={shape.folder}/run/slurmdbd.pid",
            f"LogFile={shape.folder}/log/slurmdbd.log",
            "StorageType=accounting_storage/mysql",
            "StorageHost=localhost",
            "StorageUser=slurm",
            "StoragePass=slurm",
            "StorageLoc=slurm_acct_db",
            "CommitDelay=1",
            "",
        ]
    )


def _settings(shape: Shape) -> dict[str, str]:
    folder = shape.folder
    return {
        "ClusterName": "lab",
        "SlurmctldHost": f"ctl({shape.address(CONTROLLER)})",
        "SlurmctldPort": str(shape.port),
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "AuthType": "auth/munge",
        # A requeued job waits as long as credentials are good; the default is two minutes.
        "AuthInfo": f"socket={folder}/munge/sock,cred_expire=5",
        "CredType": "cred/munge",
        "StateSaveLocation": f"{folder}/ctld",
        "SlurmdSpoolDir": f"{folder}/spool/%n",
        "SlurmctldPidFile": f"{folder}/run/slurmctld.pid",
        "SlurmdPidFile": f"{folder}/run/slurmd-%n.pid",
        "SlurmctldLogFile": f"{folder}/log/slurmctld.log",
        "SlurmdLogFile": f"{folder}/log/slurmd-%n.log",
        "SlurmctldDebug": "verbose",
        "SlurmdDebug": "verbose",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "SwitchType": "switch/none",
        "MpiDefault": "none",
        "SchedulerType": "sched/backfill",
        "SchedulerParameters": "bf_interval=1,bf_resolution=1,sched_interval=2,"
        "sched_min_interval=100000,batch_sched_delay=0,default_queue_depth=200",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core_Memory",
        "SlurmdParameters": "config_overrides",
        "RebootProgram": "/bin/true",
        "PlugStackConfig": f"{folder}/plugstack.conf",
        "ReturnToService": "2",
        "SlurmdTimeout": "10",
        "SlurmctldTimeout": "10",
        "BatchStartTimeout": "20",
        "MessageTimeout": "20",
        "KillWait": "3",
        "WaitTime": "0",
        "MinJobAge": "600",
        "CompleteWait": "0",
        "InactiveLimit": "0",
        "MaxArraySize": "1001",
        "DefMemPerCPU": "100",
        "JobRequeue": "1",
        **({"GresTypes": "gpu"} if shape.gpus else {}),
    }


def _none() -> dict[str, str]:
    return {"AccountingStorageType": "accounting_storage/none", "JobCompType": "jobcomp/none"}


def _accounting(shape: Shape) -> dict[str, str]:
    return {
        "AccountingStorageType": "accounting_storage/slurmdbd",
        "AccountingStorageHost": shape.address(CONTROLLER),
        "AccountingStoragePort": str(shape.port + 1),
        # Without it clients ask the machine's own munge.
        "AccountingStoragePass": f"socket={shape.folder}/munge/sock",
        "AccountingStorageTRES": "gres/gpu",
        "AccountingStoreFlags": "job_comment,job_env,job_script",
        "JobAcctGatherType": "jobacct_gather/linux",
        "JobAcctGatherFrequency": "2",
        "JobCompType": "jobcomp/none",
    }
