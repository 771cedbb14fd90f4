"""What a test may do to the cluster that no user can: faults, and a look at everything."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from . import shown
from .model import CANCELLED, NODE_FAIL, PREEMPTED, RUNNING, Job
from .state import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from .engine import Engine


def answer(engine: Engine, verb: str, values: dict[str, Any]) -> Any:
    """Carry out a request of :class:`~nemo_run.testing.slurm.FakeSlurm`."""
    known: dict[str, Callable[..., Any]] = {
        "jobs": _jobs,
        "set": _set,
        "fault": _fault,
        "clear": _clear,
        "fail_node": _fail_node,
        "resume_node": _resume_node,
        "preempt": _preempt,
        "cancel_as": _cancel_as,
        "out_of_memory": _out_of_memory,
        "stop": lambda _engine: None,
    }
    return known[verb](engine, **values)


def _jobs(engine: Engine) -> list[dict[str, Any]]:
    return [_plain(job) for job in engine.cluster.all_jobs()]


def _plain(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "text_id": job.text_id,
        "name": job.name,
        "state": shown.state(job),
        "reason": job.reason,
        "exit_code": list(job.exit_code),
        "comment": job.comment,
        "command": shown.command(job),
        "submit_line": job.submit_line,
        "directory": job.directory,
        "nodes": job.node_names,
        "restarts": job.restarts,
        "pid": job.pid,
        "submit_time": job.submit_time,
        "start": job.start,
        "end": job.end,
        "options": job.options,
        "script": job.script.decode(errors="surrogateescape"),
        "steps": [
            {
                "id": step.id,
                "name": step.name,
                "nodes": step.nodes,
                "tasks": step.tasks,
                "state": step.state,
                "exit_code": list(step.exit_code),
                "submit_line": step.submit_line,
                "containers": step.containers,
            }
            for step in job.steps
        ],
    }


def _set(engine: Engine, *, down: bool | None = None, late: float | None = None) -> None:
    if down is not None:
        engine.cluster.down = down
    if late is not None:
        engine.cluster.late_accounting = late


def _fault(engine: Engine, **values: Any) -> None:
    engine.cluster.faults.insert(0, Fault(**values))


def _clear(engine: Engine) -> None:
    engine.cluster.faults.clear()


def _fail_node(engine: Engine, name: str) -> None:
    engine.cluster.nodes[name].down = True
    for job in engine.cluster.running():
        if name in job.node_names:
            engine.end(job, NODE_FAIL)


def _resume_node(engine: Engine, name: str) -> None:
    node = engine.cluster.nodes[name]
    node.down = node.drained = False
    engine.schedule()


def _found(engine: Engine, job: str) -> list[Job]:
    found = engine.cluster.find(job)
    if not found:
        raise KeyError(job)
    return found


def _preempt(engine: Engine, job: str) -> None:
    for one in _found(engine, job):
        if one.state == RUNNING:
            engine.end(one, PREEMPTED)


def _cancel_as(engine: Engine, uid: int, job: str) -> None:
    for one in _found(engine, job):
        engine.end(one, CANCELLED, by=uid)


def _out_of_memory(engine: Engine, job: str) -> None:
    from . import processes

    for one in _found(engine, job):
        if one.state == RUNNING:
            one.ending = one.ending_to = "OUT_OF_MEMORY"
            processes.signal_all(one, signal.SIGKILL)
