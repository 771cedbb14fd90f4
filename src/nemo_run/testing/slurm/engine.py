"""The life of jobs: admitted, started, ended, requeued. One thread; nothing here waits."""

from __future__ import annotations

import heapq
import itertools
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from . import processes, schedule
from .dependencies import NEVER, standing
from .model import (
    CANCELLED,
    COMPLETED,
    FAILED,
    NODE_FAIL,
    PENDING,
    PREEMPTED,
    REQUEUED,
    RUNNING,
    TIMEOUT,
    Job,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import Cluster

_CAUSES = {
    TIMEOUT: "TIME LIMIT",
    REQUEUED: "JOB REQUEUE",
    PREEMPTED: "PREEMPTION",
    NODE_FAIL: "NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS",
}
_REASONS = {TIMEOUT: "TimeLimit", NODE_FAIL: "NodeDown"}


class Engine:
    """Runs the jobs of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.now = time.time

        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._children: dict[int, Job] = {}

    # Time.

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._timers, (when, next(self._order), act))

    def until_next(self) -> float | None:
        """Return the seconds until something is to do; None while nothing is."""
        return max(0.0, self._timers[0][0] - self.now()) if self._timers else None

    def tick(self) -> None:
        """Do what is due."""
        while self._timers and self._timers[0][0] <= self.now():
            heapq.heappop(self._timers)[2]()

    # Coming.

    def admit(self, jobs: list[Job]) -> None:
        """Take jobs in; they have their ids."""
        for job in jobs:
            self.cluster.add(job)
        for job in jobs:
            if job.begin > self.now():
                self.at(job.begin, self.schedule)
            self._try(job)
            self.record(job)

    def record(self, job: Job) -> None:
        """Tell the accounting what a job is now."""
        visible = self.now() + self.cluster.late_accounting
        copy = job.frozen()
        last = job.history[-1][1] if job.history else None
        same = last is not None and last.restarts == job.restarts
        if same and not self.cluster.late_accounting:
            job.history.pop()
        job.history.append((visible, copy))

    def schedule(self) -> None:
        """Start whatever may start, oldest first; a smaller job may pass a bigger one."""
        full: set[tuple[str, int, int, int]] = set()
        for job in self.cluster.pending():
            need = (job.partition, job.nodes, job.cpus, job.gpus)
            if need in full and job.reason in {"Resources", "Priority"}:
                continue
            self._try(job)
            if job.state == PENDING and job.reason == "Resources":
                job.reason = "Priority" if full else "Resources"
                full.add(need)

    def _try(self, job: Job) -> None:
        if job.het_id:
            self._try_together(self.cluster.het(job.het_id))
            return
        nodes = schedule.may_start(self.cluster, job, self.now())
        if nodes:
            schedule.take(job, nodes)
            self._launch(job)
        elif job.reason == "DependencyNeverSatisfied":
            self._drop_hopeless(job)

    def _try_together(self, jobs: list[Job]) -> None:
        taken: list[Job] = []
        for job in jobs:
            names = frozenset(name for other in taken for name in other.node_names)
            nodes = schedule.may_start(self.cluster, job, self.now(), names)
            if not nodes:
                for other in taken:
                    schedule.give_back(self.cluster, other)
                    other.node_names = []
                return
            schedule.take(job, nodes)
            taken.append(job)
        if len(jobs) == 1 + max(job.het_offset for job in jobs):
            for job in reversed(jobs):
                self._launch(job)

    def _drop_hopeless(self, job: Job) -> None:
        wish = job.options.get("kill-on-invalid-dep", "")
        drop = wish == "yes" or (self.cluster.settings.kill_invalid_dependants and wish != "no")
        if drop and standing(self.cluster, job) == NEVER:
            self._over(job, CANCELLED, "DependencyNeverSatisfied")

    # Running.

    def _launch(self, job: Job) -> None:
        self.cluster.split(job)
        job.state, job.reason, job.start, job.end = RUNNING, "None", self.now(), None
        if job.het_offset:
            job.allocation_only = True
        self._set_limits(job)
        if job.allocation_only:
            self.record(job)
            self._tell(job)
            return
        try:
            job.pid = processes.start(self.cluster, job)
        except processes.LaunchError:
            schedule.give_back(self.cluster, job)
            job.exit_code = (0, 53)
            self._over(job, FAILED, "JobLaunchFailure")
            return
        self._children[job.pid] = job
        self.record(job)
        self._tell(job)

    def _tell(self, job: Job) -> None:
        for waiter in list(job.waiters):
            waiter(job)

    def _set_limits(self, job: Job) -> None:
        if job.time_limit is None or job.start is None:
            return
        began, scale = job.start, self.cluster.settings.time_scale

        def same() -> bool:
            return job.start == began and job.state == RUNNING and not job.ending

        self.at(began + job.time_limit / scale, lambda: self.end(job, TIMEOUT) if same() else None)
        wish, _, before = job.options.get("signal", "").rpartition("@")
        wish, before = (wish, before) if wish else (before, "60")
        if wish:
            early = max(0.0, job.time_limit - int(before)) / scale
            self.at(began + early, lambda: self._warn(job, wish) if same() else None)

    def _warn(self, job: Job, wish: str) -> None:
        flags, colon, name = wish.rpartition(":")
        number = signal_number(name) or signal.SIGTERM
        if colon and "B" in flags:
            processes.signal_batch(job, number)
        else:
            processes.signal_steps(job, number)

    def end(self, job: Job, state: str, *, by: int | None = None) -> None:
        """End a job: SIGTERM, then SIGKILL after KillWait. A waiting one is over at once.

        Args:
            job: Which.
            state: What it shall be then; REQUEUED starts it again.
            by: The user who cancelled it.
        """
        if job.ended or job.ending:
            return
        job.cancelled_by = by
        if job.state == PENDING:
            self._over(job, state, job.reason)
            return
        job.ending = job.ending_to = state
        for other in self.cluster.het(job.het_id) if job.het_id and not job.het_offset else []:
            self.end(other, state, by=by)
        processes.remark(job, _CAUSES.get(state, ""), self.now())
        if state == NODE_FAIL:
            processes.signal_all(job, signal.SIGKILL)
        else:
            processes.signal_all(job, signal.SIGCONT)
            processes.signal_all(job, signal.SIGTERM)
        wait = self.cluster.settings.kill_wait
        began = job.start
        self.at(self.now() + wait, lambda: self._kill(job) if job.start == began else None)
        self._tell(job)
        if job.allocation_only and not job.waiters:
            self.finished(job, (0, 15))

    def _kill(self, job: Job) -> None:
        if job.pid or job.steps:
            processes.signal_all(job, signal.SIGKILL)
        if job.allocation_only and job.state == RUNNING:
            self.finished(job, (0, 9))

    # Ending.

    def reap(self) -> None:
        """Learn which batch scripts have ended."""
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            job = self._children.pop(pid, None)
            if job is not None:
                code = os.waitstatus_to_exitcode(status)
                self._left(job, (code, 0) if code >= 0 else (0, -code))

    def _left(self, job: Job, exit_code: tuple[int, int]) -> None:
        """A batch script has ended; the job is over when its steps are, at most KillWait later."""
        if all(step.end is not None for step in job.steps) or job.ending_to == NODE_FAIL:
            self.finished(job, exit_code)
            return
        job.left = exit_code
        began = job.start
        if not job.ending:
            processes.signal_steps(job, signal.SIGCONT)
            processes.signal_steps(job, signal.SIGTERM)
        wait = self.cluster.settings.kill_wait
        self.at(self.now() + wait, lambda: self._kill(job) if job.start == began else None)

    def step_ended(self, job: Job) -> None:
        """A step has ended; so has its job, if only that was still to come."""
        if job.left is not None and all(step.end is not None for step in job.steps):
            self.finished(job, job.left)

    def finished(self, job: Job, exit_code: tuple[int, int]) -> None:
        """A job's batch script has ended, or its allocation was given up."""
        processes.signal_all(job, signal.SIGKILL)
        job.pid, job.left = 0, None
        for step in job.steps:
            if step.end is None:
                step.end, step.state, step.exit_code = self.now(), CANCELLED, (0, 15)
        schedule.give_back(self.cluster, job)
        job.derived = max((step.exit_code for step in job.steps), default=(0, 0))
        state = job.ending_to
        if not state:
            state = COMPLETED if exit_code == (0, 0) else FAILED
        job.exit_code = exit_code
        components = self.cluster.het(job.het_id) if job.het_id and not job.het_offset else []
        reason = _REASONS.get(state, "None")
        if state == FAILED:
            # 22.05 calls a script that died of a signal a failed launch.
            reason = "JobLaunchFailure" if exit_code[1] else "NonZeroExitCode"
        self._over(job, state, reason)
        for other in components:
            if other.state == RUNNING:
                other.ending_to = job.state if job.ended else state
                self.finished(other, exit_code)
                other.exit_code = exit_code
                self.record(other)

    def _over(self, job: Job, state: str, reason: str) -> None:
        again = state == REQUEUED or (state in {NODE_FAIL, PREEMPTED} and job.requeue)
        job.end = self.now()
        job.state, job.reason = state, reason
        job.ending = job.ending_to = ""
        self.record(job)
        if again and job.start is not None:
            self._put_back(job)
        elif again:
            job.state, job.end = PENDING, None
        else:
            self._tell(job)
        self.at(0.0, self.schedule)

    def _put_back(self, job: Job) -> None:
        now = self.now()
        job.begin = now + self.cluster.settings.requeue_delay
        job.state, job.reason = PENDING, "BeginTime"
        job.restarts += 1
        job.submit_time, job.start, job.end, job.eligible = now, None, None, None
        job.exit_code = job.derived = (0, 0)
        job.node_names, job.steps, job.cancelled_by = [], [], None
        self.record(job)
        self.at(job.begin, self.schedule)

    def requeue(self, job: Job, *, hold: bool = False) -> None:
        """Put a job back into the queue (``scontrol requeue``), also one that is over."""
        job.held = job.held or ("JobHeldUser" if hold else "")
        if job.ended:
            self.cluster.reopen(job)
            self._put_back(job)
        else:
            self.end(job, REQUEUED)

    def stop(self) -> None:
        """Kill everything."""
        for job in self.cluster.unfinished():
            processes.signal_all(job, signal.SIGKILL)
        for pid in processes.marked(self.cluster.folder):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def signal_number(text: str) -> int:
    """Return a signal's number; 0 for none."""
    if text.isdigit():
        return int(text)
    name = text.upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    return int(getattr(signal, name, 0)) if name != "SIG" else 0
