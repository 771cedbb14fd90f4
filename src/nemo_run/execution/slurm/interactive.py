"""Work at a terminal on a cluster: in an allocation, or by a program in one of its own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, cast

from nemo_run.config.secret import Secret
from nemo_run.exceptions import PlanError
from nemo_run.execution.quoting import quote

from .gpus import gpu_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.remote import LocalTunnel, SSHTunnel

    from .executor import SlurmExecutor

# What salloc and srun take alike.
_OPTIONS = (
    "account",
    "partition",
    "time",
    "nodes",
    "ntasks_per_node",
    "qos",
    "mem",
    "mem_per_gpu",
    "mem_per_cpu",
    "cpus_per_task",
    "cpus_per_gpu",
    "comment",
    "constraint",
    "exclude",
    "exclusive",
    "segment",
    "network",
)


def options(executor: SlurmExecutor, job_name: str) -> list[str]:
    """Return what an allocation is asked for with, as words.

    Args:
        executor: What to ask for.
        job_name: What to call it, after the executor's prefix.
    """
    from .options import options_of

    known = options_of(executor)
    found = {name: known.get(name) for name in _OPTIONS}
    found["job_name"] = f"{executor.job_name_prefix or ''}{job_name}"
    found |= gpu_options(known, executor.ntasks_per_node)
    return words({**found, **known.get("additional_parameters", {})})


def words(found: Mapping[str, Any]) -> list[str]:
    """Return options by name as words: True is a flag, None and False are left out.

    Args:
        found: The options.
    """
    said = {name.lstrip("-").replace("_", "-"): value for name, value in found.items()}
    return [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in sorted(said.items())
        if value is not None and value is not False
    ]


def allocation(executor: SlurmExecutor, job_name: str) -> list[str]:
    """Return the command that opens a shell in an allocation (salloc(1))."""
    return ["salloc", *options(executor, job_name)]


def program(
    executor: SlurmExecutor,
    command: str | Sequence[str],
    *,
    job_name: str,
    flags: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> list[str]:
    """Return the command that runs a program in an allocation of its own (srun(1)).

    Args:
        executor: What to ask for, and the container to run in.
        command: A line of shell, or the words of a command.
        job_name: What to call it, after the executor's prefix.
        flags: More words for srun.
        variables: Added to the executor's ``env_vars``.
        more: More options of srun by name.
    """
    container = {
        "container_image": executor.container_image,
        "container_mounts": ",".join(executor.container_mounts) or None,
        "container_env": ",".join(executor.container_env or ()) or None,
    }
    environment = plain({**executor.env_vars, **(variables or {})}, "srun")
    through = ["env", *(f"{n}={v}" for n, v in environment.items())] if environment else []
    run = ["bash", "-c", command] if isinstance(command, str) else list(command)
    given = [*words({**container, **(more or {})}), *(executor.srun_args or ()), *flags]
    return ["srun", *options(executor, job_name), *given, *through, *run]


def plain(environment: Mapping[str, Any], who: str) -> dict[str, str]:
    """Return variables that become part of a command or a script, of which none is a secret.

    Args:
        environment: The variables.
        who: What the command or script is of, for the error.

    Raises:
        PlanError: One is a secret.
    """
    for name, value in environment.items():
        if isinstance(value, Secret):
            raise PlanError(
                f"{who} would have to write the value of {value!r} for the variable {name} where "
                "others can read it. Leave it out, or run the task as a job of an experiment."
            )
    return dict(environment)


def at_terminal(executor: SlurmExecutor, argv: Sequence[str]) -> int:
    """Run a command on the login node, with this terminal as its own; return its exit code.

    Args:
        executor: Whose tunnel leads there.
        argv: The command.
    """
    from nemo_run.remote import SSHTunnel

    way = executor.way
    if isinstance(way, SSHTunnel):
        way.connect()
        return subprocess.call(way.command(list(argv), tty=True))
    before = getattr(way, "pre_command", None)
    line = " ".join(map(quote, argv))
    return subprocess.call(["sh", "-c", f"{before} && {line}"] if before else list(argv))


class Interactive:
    """What a SlurmExecutor does at the terminal, outside of experiments."""

    def alloc(self, job_name: str = "interactive") -> int:
        """Open a shell in an allocation, at this terminal; return its exit code.

        Args:
            job_name: What to call it, after the prefix.

        Raises:
            RemoteError: The login node cannot be reached.
        """
        return at_terminal(_executor(self), allocation(_executor(self), job_name))

    def srun(
        self,
        cmd: str | Sequence[str],
        job_name: str = "interactive",
        flags: Sequence[str] | None = None,
        env_vars: Mapping[str, str] | None = None,
        arg_dict: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> int:
        """Run a command in an allocation of its own, at this terminal; return its exit code.

        Args:
            cmd: A line of shell, or the words of a command.
            job_name: What to call it, after the prefix.
            flags: More words for srun.
            env_vars: Added to the executor's own.
            arg_dict: More options of srun by name.
            **options: The same, as keywords.

        Raises:
            RemoteError: The login node cannot be reached.
        """
        argv = program(
            _executor(self),
            cmd,
            job_name=job_name,
            flags=flags or (),
            variables=env_vars,
            more={**(arg_dict or {}), **options},
        )
        return at_terminal(_executor(self), argv)

    def bash(self, job_name: str = "interactive") -> int:
        """Open a shell on a node, in the executor's container; return its exit code.

        Args:
            job_name: What to call it, after the prefix.
        """
        return self.srun(["bash"], job_name=job_name, flags=["--pty"])

    def launch_devspace(self, *_args: Any, **_options: Any) -> None:
        """Refuse: workspaces for an editor are not in this version.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            "SlurmExecutor.launch_devspace is not in this version of NeMo Run: workspaces for an "
            "editor come later. SlurmExecutor.bash() opens a shell on a node."
        )

    connect_devspace = launch_devspace

    @property
    def local_is_slurm(self) -> bool:
        """Whether this machine can start jobs itself."""
        from shutil import which

        return which("srun") is not None

    @property
    def local(self) -> LocalTunnel:
        """This machine, as a tunnel."""
        from nemo_run.remote import LocalTunnel

        return LocalTunnel(job_dir=_executor(self).way.job_dir)

    @property
    def slurm(self) -> SSHTunnel | LocalTunnel:
        """The login node, as a tunnel: this machine, where it can start jobs itself."""
        return self.local if self.local_is_slurm else _executor(self).way


def _executor(one: Interactive) -> SlurmExecutor:
    return cast("SlurmExecutor", one)
