"""How the processes of a task start on its nodes: directly, by torchrun, by ft_launcher."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.config.mixin import ConfigurableMixin
from nemo_run.exceptions import PlanError, nearest, shown

if TYPE_CHECKING:
    from nemo_run.config.script import Script


def _traces() -> list[str]:
    return ["nvtx", "cuda"]


def _nsys_extra() -> list[str]:
    return [
        "--force-overwrite",
        "true",
        "--capture-range=cudaProfilerApi",
        "--capture-range-end=stop",
        "--cuda-graph-trace=node",
        "--cuda-event-trace=false",
    ]


@dataclass(kw_only=True)
class Launcher(ConfigurableMixin):
    """Starts each process directly; with ``nsys_profile`` under NVIDIA Nsight Systems.

    Attributes:
        nsys_profile: Profile every process.
        nsys_folder: Where the profiles go, inside the job's folder.
        nsys_filename: Name of a profile; nsys replaces ``%p`` by the process id.
        nsys_trace: What to trace (``nsys profile --trace``).
        nsys_extra_args: More arguments of ``nsys profile``.
        nsys_gpu_metrics: Also sample the metrics of all GPUs.
    """

    nsys_profile: bool = False
    nsys_folder: str = "nsys_profile"
    nsys_filename: str = "profile_%p"
    nsys_trace: list[str] = field(default_factory=_traces)
    nsys_extra_args: list[str] = field(default_factory=_nsys_extra)
    nsys_gpu_metrics: bool = False

    def get_nsys_prefix(self, profile_dir: str) -> list[str] | None:
        """Return the arguments of nsys that come before the program; None where it is off.

        The first word, ``profile``, is nsys's own command; the program's name is
        :meth:`Executor.get_nsys_entrypoint`'s.

        Args:
            profile_dir: The folder that :attr:`nsys_folder` lies in.
        """
        if not self.nsys_profile:
            return None
        output = f"{profile_dir}/{self.nsys_folder}/{self.nsys_filename}"
        metrics = ["--gpu-metrics-device=all"] if self.nsys_gpu_metrics else []
        traces = ",".join(self.nsys_trace)
        return [
            "profile",
            "-s",
            "none",
            "-t",
            traces,
            "-o",
            output,
            *self.nsys_extra_args,
            *metrics,
        ]

    def transform(self, cmd: list[str]) -> Script | None:  # noqa: ARG002
        """Return a script that runs ``cmd`` in another way; None, as this one runs it as it is.

        Args:
            cmd: The argument list of a process.
        """
        return None


@dataclass(kw_only=True)
class Torchrun(Launcher):
    """Starts the processes of a node with ``torchrun``.

    Attributes:
        rdzv_backend: How the nodes find each other (``torchrun --rdzv-backend``).
        rdzv_port: Where they meet, with several nodes. One node takes a free port.
        rdzv_id: What tells jobs apart that meet at one place; by default made from the names of
            experiment and job, so that it is the same on all nodes and in every rendering.
    """

    rdzv_backend: str = "c10d"
    rdzv_port: int = 29500
    rdzv_id: int | str | None = None


@dataclass(kw_only=True)
class FaultTolerance(Launcher):
    """Starts the processes of a node with ``ft_launcher`` of nvidia-resiliency-ext.

    A field left at None is not passed on; 0 is a value.

    Attributes:
        cfg_path: The launcher's own configuration file.
        finished_flag_file: The file whose presence says that training is finished.
        job_results_file: Where jobs that a cluster starts again note how they ended.
        rdzv_backend: As for :class:`Torchrun`.
        rdzv_port: As for :class:`Torchrun`.
        rdzv_id: As for :class:`Torchrun`.
        workload_check_interval: Seconds between two looks at the processes.
        initial_rank_heartbeat_timeout: Seconds until the first heartbeat.
        rank_heartbeat_timeout: Seconds between heartbeats.
        rank_termination_signal: What ends a process that hangs, like ``SIGKILL``.
        log_level: How much the launcher says.
        max_restarts: How often the processes of a job are started anew.
    """

    cfg_path: str = ""
    finished_flag_file: str = ""
    job_results_file: str = ""
    rdzv_backend: str = "c10d"
    rdzv_port: int = 29500
    rdzv_id: int | str | None = None
    workload_check_interval: float | None = None
    initial_rank_heartbeat_timeout: float | None = None
    rank_heartbeat_timeout: float | None = None
    rank_termination_signal: str | None = None
    log_level: str | None = None
    max_restarts: int | None = None


@dataclass(kw_only=True)
class SlurmTemplate(Launcher):
    """Writes the command of a task anew from a Jinja2 template, as a script that runs in its place.

    The template sees ``command``, the task's own command line quoted for a shell, and
    :attr:`template_vars`.

    Attributes:
        template_path: The file with the template.
        template_inline: Its text; goes before a file.
        template_vars: What else the template may name.
    """

    template_path: str | None = None
    template_inline: str | None = None
    template_vars: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.template_inline and not self.template_path:
            raise PlanError("SlurmTemplate has no template; give template_inline or template_path.")

    def transform(self, cmd: list[str]) -> Script:
        """Return the script that the template makes of ``cmd``.

        Args:
            cmd: The argument list of a process.

        Raises:
            PlanError: The template is missing or wrong, or names what it is not given.
        """
        from nemo_run.config.script import Script

        from .templates import rendered

        return Script(inline=rendered(self, cmd))


LAUNCHER_MAP: dict[str, type[Launcher]] = {
    "default": Launcher,
    "torchrun": Torchrun,
    "ft": FaultTolerance,
    "slurm_template": SlurmTemplate,
}
"""What the names stand for that an executor's ``launcher`` may have. Packages may add theirs."""


def resolve_launcher(launcher: Launcher | str | None) -> Launcher:
    """Return the launcher that an executor's field means; a new one for a name or None.

    Raises:
        PlanError: No launcher has that name.
    """
    if isinstance(launcher, Launcher):
        return launcher
    if launcher is None:
        return Launcher()
    if not isinstance(launcher, str):
        raise PlanError(
            f"launcher is {shown(launcher)}, of type {type(launcher).__name__}; it must be a "
            f"Launcher, None or one of the names {', '.join(map(repr, LAUNCHER_MAP))}."
        )
    if launcher not in LAUNCHER_MAP:
        raise PlanError(
            f"No launcher is called {launcher!r}.{nearest(launcher, LAUNCHER_MAP)} "
            f"There are {', '.join(map(repr, LAUNCHER_MAP))}."
        )
    return LAUNCHER_MAP[launcher]()
