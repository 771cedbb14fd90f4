"""The argument list of a task's processes, as its launcher wants it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError, shown

from .launcher import FaultTolerance, Launcher, Torchrun

if TYPE_CHECKING:
    from collections.abc import Sequence

# A rank writes where its launcher writes if that is its own log, else into its own one. torchrun's
# own --redirects makes two files a rank in a folder whose name it draws. Which ranks a node has is
# known when they start; a job may say whose log the launcher writes, or that there is one for all.
RANK_LOG = (
    '[ "$RANK" = "${NEMORUN_FIRST_RANK:-$((RANK - LOCAL_RANK))}" ] || '
    '[ -n "${NEMORUN_ONE_LOG:-}" ] || '
    'exec >>"$NEMORUN_LOG_DIR/rank-$RANK.log" 2>&1; exec "$@"'
)

# Only one process can sample the metrics of a GPU, so each rank of a node samples its own.
_METRICS = (
    'gpu=all; [ "${LOCAL_WORLD_SIZE:-1}" = 1 ] || gpu=$LOCAL_RANK; '
    'nsys=$0 command=$1; shift; exec "$nsys" "$command" "--gpu-metrics-device=$gpu" "$@"'
)


@dataclass(frozen=True)
class Meeting:
    """Where the nodes of a task find each other, and which one this is.

    Attributes:
        endpoint: ``host:port``; port 0 takes a free one.
        node_rank: This node, from 0; text, because only the job may know it.
        attempt: Tells one try of the job from another, where only the job knows which it is.
    """

    endpoint: str
    node_rank: str
    attempt: str = ""


ONE_NODE = Meeting("localhost:0", "0")


@dataclass(frozen=True)
class Launch:
    """What a launcher needs to know to start a program.

    Attributes:
        program: The argument list of the program itself.
        python: The interpreter that has the launcher installed.
        nodes: How many machines.
        processes: How many processes on each.
        meeting: Where they meet.
        rendezvous_id: Tells this job apart from others that meet there.
    """

    program: tuple[str, ...]
    python: str
    nodes: int
    processes: int
    meeting: Meeting
    rendezvous_id: str


def rendezvous_id(experiment: str, job: str, member: str) -> str:
    """Return an id that is the same on all nodes and in every rendering.

    Args:
        experiment: The experiment's id.
        job: The job's id.
        member: The member's name.
    """
    import hashlib

    name = f"{experiment}/{job}/{member}".encode("utf-8", "surrogateescape")
    return str(int.from_bytes(hashlib.sha256(name).digest()[:4], "big"))


def starts_ranks(launcher: Launcher) -> bool:
    """Return whether the launcher starts the processes of a node by itself."""
    return isinstance(launcher, (Torchrun, FaultTolerance))


def launched(launcher: Launcher, launch: Launch) -> tuple[str, ...]:
    """Return the command that starts a program in the launcher's way.

    Args:
        launcher: The launcher.
        launch: The program, and where it runs.
    """
    if isinstance(launcher, Torchrun):
        start = (launch.python, "-m", "torch.distributed.run", *_meeting(launcher, launch))
    elif isinstance(launcher, FaultTolerance):
        start = ("ft_launcher", *_meeting(launcher, launch), *_fault_tolerance(launcher))
    else:
        return launch.program
    return (*start, "--no-python", "sh", "-c", RANK_LOG, "sh", *launch.program)


def _meeting(launcher: Torchrun | FaultTolerance, launch: Launch) -> tuple[str, ...]:
    attempt = f"-{launch.meeting.attempt}" if launch.meeting.attempt else ""
    own = f"{launch.rendezvous_id}{attempt}"
    identity = own if launcher.rdzv_id is None else str(launcher.rdzv_id)
    return (
        f"--rdzv-backend={launcher.rdzv_backend}",
        f"--rdzv-endpoint={launch.meeting.endpoint}",
        f"--rdzv-id={identity}",
        f"--nnodes={launch.nodes}",
        f"--nproc-per-node={launch.processes}",
        f"--node-rank={launch.meeting.node_rank}",
    )


_FT_OPTIONS = {
    "workload_check_interval": "--ft-workload_check_interval",
    "initial_rank_heartbeat_timeout": "--ft-initial_rank_heartbeat_timeout",
    "rank_heartbeat_timeout": "--ft-rank_heartbeat_timeout",
    "rank_termination_signal": "--ft-rank_termination_signal",
    "log_level": "--ft-log_level",
}


def _fault_tolerance(launcher: FaultTolerance) -> tuple[str, ...]:
    given = {name: getattr(launcher, name) for name in _FT_OPTIONS}
    options = [f"{_FT_OPTIONS[n]}={v}" for n, v in given.items() if v is not None]
    if not options and not launcher.cfg_path:
        options.append("--ignore-missing-fault-tol-cfg")
    if launcher.max_restarts is not None:
        options.append(f"--max-restarts={launcher.max_restarts}")
    return tuple(options)


def launcher_variables(launcher: Launcher) -> dict[str, str]:
    """Return the variables that a launcher and its processes read their files' names from.

    nvidia-resiliency-ext, fault tolerance, usage guide.

    Args:
        launcher: The launcher.
    """
    if not isinstance(launcher, FaultTolerance):
        return {}
    given = {
        "FAULT_TOL_CFG_PATH": launcher.cfg_path,
        "FAULT_TOL_FINISHED_FLAG_FILE": launcher.finished_flag_file,
    }
    return {name: value for name, value in given.items() if value}


def profiled(
    launcher: Launcher, program: tuple[str, ...], folder: str, nsys: tuple[str, str]
) -> tuple[str, ...]:
    """Return the program under NVIDIA Nsight Systems, if the launcher asks for that.

    Args:
        launcher: The launcher.
        program: The argument list to profile.
        folder: Where the folder of profiles lies.
        nsys: The profiler's program, and what follows the command.
    """
    prefix = launcher.get_nsys_prefix(profile_dir=folder)
    if prefix is None:
        return program
    entrypoint, postfix = nsys
    after = (*program, *([postfix] if postfix else []))
    if not launcher.nsys_gpu_metrics:
        return (entrypoint, *prefix, *after)
    sampled = [word for word in prefix if not word.startswith("--gpu-metrics-device")]
    return ("sh", "-c", _METRICS, entrypoint, *sampled, *after)


def check_positive(counts: Sequence[tuple[str, object]]) -> None:
    """Refuse counts of nodes, processes or tries that mean nothing.

    Args:
        counts: Name and value of each.

    Raises:
        PlanError: One is no whole number, or below 1.
    """
    for name, value in counts:
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise PlanError(f"{name} is {shown(value)}; it must be a whole number from 1 up.")
