"""srun and salloc, as the controller sees them: a connection that lasts as long as they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import layout, processes
from . import options as opts
from .jobenv import job_variables
from .model import RUNNING, Job, Step
from .submission import Caller, NotTaken, Refused, make_job

if TYPE_CHECKING:
    from .engine import Engine

Send = Callable[[Any], None]


class Session:
    """One srun or salloc.

    Args:
        engine: Which.
        caller: Who asks.
        send: Sends a message to it.
    """

    def __init__(self, engine: Engine, caller: Caller, send: Send) -> None:
        self.engine = engine
        self.caller = caller
        self.send = send
        self.own: list[Job] = []
        self.steps: list[tuple[Job, Step]] = []
        self.parts: list[tuple[dict[str, str], list[str]]] = []
        self._begun = False

    def begin(self) -> None:
        """Read the command line; ask for an allocation where there is none.

        Raises:
            Refused: Slurm would refuse.
        """
        self.parts = self._read()
        inside = self.parts[0][0].get("jobid") or self.caller.environment.get("SLURM_JOB_ID", "")
        if self.caller.program == "srun" and inside:
            jobs = self.engine.cluster.find(inside)
            jobs = [job for job in jobs if str(job.id) == inside] or jobs
            if not jobs or jobs[0].state != RUNNING:
                fault = "Job/step already completing or completed" if jobs else ""
                text = fault or "Invalid job id specified"
                raise Refused(
                    f"srun: error: Unable to confirm allocation for job {inside}: {text}",
                    "srun: Check SLURM_JOB_ID environment variable. "
                    f"Expired or invalid job {inside}",
                )
            self._run(jobs[0])
            return
        self._allocate()

    def _read(self) -> list[tuple[dict[str, str], list[str]]]:
        program = self.caller.program
        parts = []
        for words in opts.components(self.caller.words):
            try:
                found, command = opts.parse(program, words)
            except opts.Unknown as unknown:
                raise Refused(
                    str(unknown), f'Try "{program} --help" for more information'
                ) from None
            parts.append((found, command))
        if program == "srun" and not all(command for _, command in parts):
            raise Refused("srun: fatal: No command given to execute.")
        return parts

    # An allocation of one's own.

    def _allocate(self) -> None:
        program = self.caller.program
        command = " ".join(self.parts[0][1]) or "interactive"
        try:
            jobs = [
                make_job(
                    self.engine.cluster,
                    self.caller,
                    found,
                    b"",
                    [],
                    command=command,
                    now=self.engine.now(),
                )
                for found, _ in self.parts
            ]
        except NotTaken as refused:
            lead = "Job submit/allocate failed" if program == "salloc" else "Unable to allocate"
            text = "resources" if program == "srun" else ""
            first = refused.lines[0]
            raise Refused(
                *refused.lines[1:],
                f"{program}: error: {lead}{' ' + text if text else ''}: {first}",
            ) from None
        for job in jobs:
            job.allocation_only = True
            job.id = self.engine.cluster.take_id()
            if len(jobs) > 1:
                job.het_id, job.het_offset = jobs[0].id, jobs.index(job)
            job.options.setdefault("no-requeue", "")
        jobs[0].waiters.append(self._moved)
        self.own = jobs
        self.engine.admit(jobs)
        if not self._begun:
            self._say(f"job {jobs[0].id} queued and waiting for resources")

    def _say(self, text: str) -> None:
        if "quiet" not in self.parts[0][0]:
            self.send({"err": f"{self.caller.program}: {text}\n"})

    def _moved(self, job: Job) -> None:
        if job.ended or job.ending:
            self._say(f"Force Terminated job {job.id}" if self._begun else _revoked(job))
            self.send({"revoked": True, "rc": 1})
        elif job.state == RUNNING and not self._begun:
            self._begun = True
            if self.caller.program == "srun":
                self._run(job)
                return
            self._say(f"Granted job allocation {job.id}")
            variables = job_variables(self.engine.cluster, job)
            self.send({"granted": self.parts[-1][1], "environment": variables, "job": job.id})

    # A step.

    def _run(self, job: Job) -> None:
        plans: list[dict[str, Any]] = []
        first = 0
        components = self.engine.cluster.het(job.het_id) if job.het_id else [job]
        number = 1 + max((step.id for one in components for step in one.steps), default=-1)
        for at, (found, command) in enumerate(self.parts):
            for target in self._targets(job, found, at):
                step, plan = layout.component(
                    self.engine,
                    self.caller,
                    target,
                    found,
                    command,
                    step_id=number,
                    first_task=first,
                )
                first += step.tasks
                self.steps.append((target, step))
                plans.append(plan)
        for target, step in self.steps:
            target.steps.append(step)
        if len(plans) > 1:
            _join(job, plans)
        self.send({"step": plans})

    def _targets(self, job: Job, found: dict[str, str], at: int) -> list[Job]:
        components = self.engine.cluster.het(job.het_id) if job.het_id else [job]
        groups = found.get("het-group")
        if groups is None:
            several = len(self.parts) > 1 and len(components) > 1
            return [components[at if several else job.het_offset if job.het_id else 0]]
        wanted = [int(number) for part in groups.split(",") for number in _span(part)]
        if any(number >= len(components) for number in wanted):
            raise Refused(f"srun: fatal: Invalid --het-group value {groups}")
        return [components[number] for number in wanted]

    def heard(self, message: dict[str, Any]) -> None:
        """Take what the program tells: its tasks' processes, its end."""
        if "pids" in message:
            for (_, step), pids in zip(self.steps, message["pids"], strict=True):
                step.pids = pids
            if any(job.ending or job.state != RUNNING for job, _ in self.steps):
                self._abandon()
            for job, _ in self.steps:
                self.engine.record(job)
        if "codes" in message:
            for (job, step), code in zip(self.steps, message["codes"], strict=True):
                self._end_step(job, step, (code[0], code[1]))
            self._give_up(max((tuple(code) for code in message["codes"]), default=(0, 0)))
            self.send({"rc": 0})
        if "left" in message:
            self._give_up((message["left"], 0))
            self.send({"rc": 0})

    def _end_step(self, job: Job, step: Step, code: tuple[int, int]) -> None:
        if step.end is not None:
            return
        step.end, step.exit_code = self.engine.now(), code
        cancelled = bool(code[1]) and (job.ending or code[1] in (9, 15))
        step.state = "CANCELLED" if cancelled else "FAILED" if code != (0, 0) else "COMPLETED"
        if job.state == RUNNING:
            self.engine.record(job)
            self.engine.step_ended(job)

    def _abandon(self) -> None:
        for _, step in self.steps:
            for pid in step.pids:
                processes.signal_group(pid, 9)

    def closed(self) -> None:
        """The program is gone: so are its tasks, and its allocation."""
        for job, step in self.steps:
            if step.end is None:
                for pid in step.pids:
                    processes.signal_group(pid, 9)
                self._end_step(job, step, (0, 9))
        self._give_up((0, 15))

    def _give_up(self, code: tuple[int, ...]) -> None:
        for job in self.own[:1]:
            job.waiters.clear()
            if job.state == RUNNING:
                self.engine.finished(job, (code[0], code[1]))
            elif not job.ended:
                self.engine.end(job, "CANCELLED", by=self.caller.uid)
        self.own = []


def _join(job: Job, plans: list[dict[str, Any]]) -> None:
    """Let the components of one srun count as one: ranks, nodes and job id go through."""
    total = sum(len(plan["tasks"]) for plan in plans)
    before = 0
    for plan in plans:
        leader = str(job.het_id or job.id)
        plan["common"] |= {"SLURM_JOB_ID": leader, "SLURM_JOBID": leader}
        plan["common"] |= {"SLURM_NTASKS": str(total), "SLURM_NPROCS": str(total)}
        nodes = 1 + max((int(own["SLURM_NODEID"]) for _, own in plan["tasks"]), default=-1)
        for _, own in plan["tasks"]:
            own["SLURM_NODEID"] = str(before + int(own["SLURM_NODEID"]))
        before += nodes


def _revoked(job: Job) -> str:
    return f"Job allocation {job.id} has been revoked"


def _span(part: str) -> list[int]:
    low, _, high = part.partition("-")
    return list(range(int(low), int(high or low) + 1))
