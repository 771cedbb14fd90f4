"""A Slurm in a folder, for tests: real programs on ``PATH``, real scripts, real processes."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import wire
from .hostlist import expand
from .state import Settings
from .times import limit_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

PROGRAMS = ("sbatch", "squeue", "sacct", "scancel", "srun", "scontrol", "sinfo", "salloc")


@dataclass(frozen=True)
class Step:
    """A step of a job: what one srun ran.

    Attributes:
        id: Its number.
        name: The program.
        nodes: The names of its nodes.
        tasks: How many processes.
        state: As sacct has it.
        exit_code: Its highest exit status, and the signal.
        submit_line: srun's command line.
        containers: The container options that were given, by name (``container-image``).
    """

    id: int
    name: str
    nodes: tuple[str, ...]
    tasks: int
    state: str
    exit_code: tuple[int, int]
    submit_line: str
    containers: Mapping[str, str]


@dataclass(frozen=True)
class SlurmJob:
    """A job as it is now; one for each element of an array or component of a het job.

    Attributes:
        id: Its raw number.
        text_id: What users call it: ``12``, ``12_3``, ``12+1``.
        state: As squeue has it, in full.
        options: What it was submitted with, command line and ``#SBATCH`` lines together.
        pid: Its batch script's process; 0 when none runs.
        submit_time: Seconds since the epoch; so are start and end.
    """

    id: int
    text_id: str
    name: str
    state: str
    reason: str
    exit_code: tuple[int, int]
    comment: str
    command: str
    submit_line: str
    directory: str
    nodes: tuple[str, ...]
    restarts: int
    pid: int
    submit_time: float
    start: float | None
    end: float | None
    options: Mapping[str, str]
    script: str
    steps: tuple[Step, ...]


class FakeSlurm:
    """A Slurm made of small real programs, which runs what is submitted on this machine.

    ::

        with FakeSlurm(tmp_path / "slurm") as slurm:
            subprocess.run(["sbatch", "job.sh"], env={**os.environ, **slurm.environment()})

    Args:
        folder: Where it lives; made when missing, for its owner alone.
        nodes: How many nodes (named n1, n2, …), or their names. Names that resolve to this
            machine (``127.0.0.[1-4]``) let the tasks of a job find each other.
        gpus_per_node: GPUs of each node.
        cpus_per_node: CPUs of each node, which bound how many tasks run at once.
        partitions: Name to (nodes, longest time, time by default), times as Slurm writes them;
            the first is the default. None: ``main`` with all nodes, a day, ten minutes.
        accounting: Whether sacct works.
        cluster: The cluster's name where ``sbatch --parsable`` shall print one.
        first_job_id: The id of the first job (FirstJobId).
        max_array_size: One more than the biggest array index.
        version: What ``--version`` says.
        time_scale: How many seconds of a time limit pass in one: with 60, a limit of a minute
            ends a job after a second. Nothing else is scaled.
        kill_wait: Seconds between SIGTERM and SIGKILL.
        requeue_delay: Seconds a requeued job waits (two minutes at a usual site).
        min_job_age: Seconds that squeue and scontrol remember an ended job.
        accounts: The accounts that exist; None takes any name.
        qos: The qualities of service that exist; None takes any.
        features: What ``--constraint`` may name; None takes any.
        max_submit: How many unfinished jobs are allowed.
        kill_invalid_dependants: As DependencyParameters=kill_invalid_depend.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        nodes: int | str | Sequence[str] = 4,
        gpus_per_node: int = 8,
        cpus_per_node: int = 16,
        memory_per_node: int = 64000,
        partitions: Mapping[str, tuple[str, str, str]] | None = None,
        accounting: bool = True,
        cluster: str | None = None,
        first_job_id: int = 1,
        max_array_size: int = 1001,
        version: str = "slurm 22.05.8",
        time_scale: float = 1.0,
        kill_wait: float = 2.0,
        requeue_delay: float = 0.2,
        min_job_age: float = 300.0,
        accounts: Sequence[str] | None = None,
        qos: Sequence[str] | None = None,
        features: Sequence[str] | None = None,
        max_submit: int | None = None,
        kill_invalid_dependants: bool = False,
    ) -> None:
        self.folder = Path(folder).absolute()
        names = [f"n{at}" for at in range(1, nodes + 1)] if isinstance(nodes, int) else nodes
        names = expand(names) if isinstance(names, str) else list(names)
        chosen = partitions or {"main": (",".join(names), "1-0", "10")}
        self._settings = Settings(
            cluster=cluster or "",
            nodes=names,
            gpus_per_node=gpus_per_node,
            cpus_per_node=cpus_per_node,
            memory_per_node=memory_per_node,
            partitions={
                name: (expand(among), limit_seconds(longest), limit_seconds(default))
                for name, (among, longest, default) in chosen.items()
            },
            accounting=accounting,
            first_job_id=first_job_id,
            max_array_size=max_array_size,
            version=version,
            time_scale=time_scale,
            kill_wait=kill_wait,
            requeue_delay=requeue_delay,
            min_job_age=min_job_age,
            accounts=None if accounts is None else list(accounts),
            qos=None if qos is None else list(qos),
            features=None if features is None else list(features),
            max_submit=max_submit,
            kill_invalid_dependants=kill_invalid_dependants,
        )
        self._controller: subprocess.Popen[bytes] | None = None
        self._owner = -1

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.folder / "bin"

    def environment(self) -> dict[str, str]:
        """Return what a program needs to find this Slurm and no other: ``PATH``."""
        path = os.environ.get("PATH", os.defpath)
        return {"PATH": f"{self.bin}{os.pathsep}{path}"}

    def start(self) -> Self:
        """Write the programs and start the controller.

        Raises:
            OSError: The folder cannot be made.
            ValueError: Its name is too long for this system.
            RuntimeError: The controller did not start.
        """
        if len(os.fsencode(self.folder)) > 80 and not Path("/proc/self/fd").exists():
            raise ValueError(
                f"The folder {self.folder} of a fake Slurm is too long for a Unix socket here: "
                f"{len(os.fsencode(self.folder))} bytes, at most 80. Give it a shorter one."
            )
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / wire.SOCKET).unlink(missing_ok=True)
        self._write_programs()
        read, self._owner = os.pipe()
        log = (self.folder / "slurmctld.log").open("ab")
        start = (
            f"import sys; sys.path.insert(0, {_ROOM!r}); from slurm.controller import main; main()"
        )
        try:
            self._controller = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", start, str(self.folder), str(read)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(read,),
                start_new_session=True,
            )
        finally:
            os.close(read)
            log.close()
        assert self._controller.stdin
        assert self._controller.stdout
        with self._controller.stdin as settings:
            settings.write(json.dumps(self._settings.plain()).encode() + b"\n")
        with self._controller.stdout as answer:
            ready = answer.readline()
        if ready != b"ready\n":
            said = (self.folder / "slurmctld.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"The fake Slurm in {self.folder} did not start:\n{said}")
        return self

    def _write_programs(self) -> None:
        self.bin.mkdir(exist_ok=True)
        for name in PROGRAMS:
            code = (
                f"import sys; sys.path.insert(0, {_ROOM!r}); "
                f"from slurm.client import main; main({name!r}, {str(self.folder)!r})"
            )
            words = [sys.executable, "-I", "-S", "-c", code]
            path = self.bin / name
            path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
            path.chmod(0o755)

    def stop(self) -> None:
        """End everything: jobs, their processes, the controller. The folder stays."""
        if self._controller is None:
            return
        os.close(self._owner)
        try:
            self._controller.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._controller.kill()
            self._controller.wait()
        self._controller = None

    def remove(self) -> None:
        """Stop, and remove the folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # What happened.

    def jobs(self) -> list[SlurmJob]:
        """Return every job there ever was, oldest first."""
        return [_job(values) for values in self._ask("jobs")]

    def job(self, text: str | int) -> SlurmJob:
        """Return one job.

        Args:
            text: As squeue calls it: ``12``, ``12_3``, ``12+1``.

        Raises:
            KeyError: There is none.
        """
        for job in self.jobs():
            if str(text) in {job.text_id, str(job.id)}:
                return job
        raise KeyError(f"no job {text} was submitted to {self.folder}")

    # Faults.

    def down(self) -> None:
        """Let the controller answer nobody; what runs, runs on. sacct still works."""
        self._ask("set", down=True)

    def up(self) -> None:
        """Let the controller answer again."""
        self._ask("set", down=False)

    def late_accounting(self, seconds: float) -> None:
        """Let sacct learn of everything only after so many seconds."""
        self._ask("set", late=seconds)

    def delay(self, program: str, seconds: float, *, times: int = -1) -> None:
        """Let a program's answers come late.

        Args:
            program: ``sbatch``, …; empty for all.
            seconds: How late.
            times: How many calls; -1 for all from now on.
        """
        self._ask("fault", program=program, seconds=seconds, times=times)

    def fail(
        self,
        program: str,
        error: str,
        *,
        code: int = 1,
        after: bool = False,
        seconds: float = 0.0,
        times: int = 1,
    ) -> None:
        """Let a program fail.

        Args:
            program: ``sbatch``, …; empty for all.
            error: What it writes on stderr.
            code: Its exit status.
            after: Carry the request out all the same: the job is there, the answer was lost.
            seconds: How late the failure comes.
            times: How many calls; -1 for all from now on.
        """
        values = {"error": error, "code": code, "after": after, "seconds": seconds}
        self._ask("fault", program=program, times=times, **values)

    def heal(self) -> None:
        """Forget every delay and failure."""
        self._ask("clear")

    def fail_node(self, name: str) -> None:
        """Let a node die: its jobs end as NODE_FAIL at once, and start elsewhere if they may."""
        self._ask("fail_node", name=name)

    def resume_node(self, name: str) -> None:
        """Let a node come back."""
        self._ask("resume_node", name=name)

    def preempt(self, job: str | int) -> None:
        """Preempt a running job; it starts again unless it was submitted with --no-requeue."""
        self._ask("preempt", job=str(job))

    def cancel_as(self, uid: int, job: str | int) -> None:
        """Cancel a job as another user (an operator) would."""
        self._ask("cancel_as", uid=uid, job=str(job))

    def out_of_memory(self, job: str | int) -> None:
        """Let a running job be killed for its memory."""
        self._ask("out_of_memory", job=str(job))

    def _ask(self, verb: str, **values: Any) -> Any:
        with wire.connect(str(self.folder)) as link:
            link.sendall(wire.pack({"program": "control", "verb": verb, "values": values}))
            answers = wire.receive(link, wire.Reader())
        if not answers:
            raise RuntimeError(f"The fake Slurm in {self.folder} did not answer to {verb} {values}")
        return answers[0]["value"]


def _job(values: dict[str, Any]) -> SlurmJob:
    steps = tuple(
        Step(**{**step, "nodes": tuple(step["nodes"]), "exit_code": tuple(step["exit_code"])})
        for step in values["steps"]
    )
    changed = {"nodes": tuple(values["nodes"]), "exit_code": tuple(values["exit_code"])}
    return SlurmJob(**{**values, **changed, "steps": steps})


# The programs import this package by its own name, without nemo_run's: they start in a blink.
_ROOM = str(Path(__file__).parent.parent)
