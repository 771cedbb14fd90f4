"""The backend that runs jobs on a cluster under Slurm."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import Capabilities, LogFile
from nemo_run.execution.folders import attempt_folder, log_file
from nemo_run.execution.observation import Observation, State

from . import polling, submitting
from .connections import ask, host_of, reach, tunnel_of
from .handles import Place, handle_of, place_of
from .layout import secrets_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nemo_run.execution.backend import Artifact, Rendered, Wanted
    from nemo_run.execution.findings import Finding, Route
    from nemo_run.execution.jobspec import Handle, JobSpec, Token
    from nemo_run.remote import Tunnel

    from .executor import SlurmExecutor


class SlurmBackend:
    """Talks to Slurm where its commands are: on this machine, or over SSH.

    It holds nothing: what it knows lies on the cluster, in the handles and in files of
    ``$NEMORUN_HOME/connections``, so every process sees the same.
    """

    name = "slurm"
    executor = "nemo_run.execution.slurm.executor:SlurmExecutor"
    capabilities = Capabilities(
        dependencies=True,
        groups=True,
        detach=True,
        requeue=True,
        arrays=True,
        batch=1000,
        interval=polling.SHORTEST,
    )

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        """Return the batch script of a job and the scripts of its steps; pure."""
        from .render import render

        return render(spec)

    def render_arrays(self, jobs: Sequence[Rendered]) -> Sequence[Artifact]:
        """Return the scripts of job arrays; pure. A cluster with a smaller limit gets more."""
        from .arrays import planned

        arrays, _ = planned(jobs)
        return [artifact for array in arrays for artifact in array.artifacts]

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        """Start jobs, those of one cluster in one call; see :meth:`Backend.submit`.

        Raises:
            BackendError: The cluster cannot be reached.
        """
        answers = submitting.submit(jobs)
        for host in {host_of(job.spec.options) for job in jobs}:
            polling.Cluster(host).moved()
        return answers

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        """Return the handles of jobs that were submitted, also where nobody saw the answer.

        Raises:
            BackendError: The cluster cannot be reached.
        """
        found: dict[Token, Handle] = {}
        by_host: dict[str, list[JobSpec]] = {}
        for spec in specs:
            by_host.setdefault(host_of(spec.options), []).append(spec)
        for host, theirs in by_host.items():
            jobs = [[spec.token, attempt_folder(spec), spec.identity] for spec in theirs]
            answer = ask(tunnel_of(theirs[0].options), {"op": "find", "jobs": jobs})["answers"]
            for spec in theirs:
                if spec.token in answer:
                    job, cluster = answer[spec.token]["id"], answer[spec.token].get("cluster")
                    at = Place(host, job, cluster or "", attempt_folder(spec))
                    found[spec.token] = handle_of(at)
        return found

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        """Return the tokens of those jobs that the cluster knows by this handle.

        Raises:
            BackendError: The cluster cannot be reached.
        """
        named: dict[str, list[tuple[JobSpec, Handle, Place]]] = {}
        for spec, handle in jobs:
            at = place_of(handle)
            if at is not None and at.folder == attempt_folder(spec):
                named.setdefault(at.host, []).append((spec, handle, at))
        owned: list[Token] = []
        for host, theirs in named.items():
            cluster = polling.Cluster(host)
            # Mostly this was asked before a look, of which it would be the half.
            before = cluster.verified({handle: _whose(spec) for spec, handle, _ in theirs})
            owned += [spec.token for spec, _, _ in theirs if _whose(spec) in before]
            new = [one for one in theirs if _whose(one[0]) not in before]
            if not new:
                continue
            asked = [[spec.token, at.folder, spec.identity] for spec, _, at in new]
            answer = ask(reach(host), {"op": "find", "jobs": asked})["answers"]
            found = {
                handle: spec
                for spec, handle, at in new
                if answer.get(spec.token, {}).get("id") == at.id
            }
            owned += [spec.token for spec in found.values()]
            cluster.note({handle: _whose(spec) for handle, spec in found.items()})
        return owned

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """Look at jobs; one query for all jobs of all processes of the user.

        Raises:
            BackendError: No cluster answered. That says nothing about the jobs.
        """
        places = {handle: place_of(handle) for handle in handles}
        foreign = {
            handle: Observation(
                State.UNKNOWN, message=f"The handle {handle!r} is none of a Slurm job."
            )
            for handle, at in places.items()
            if at is None
        }
        return foreign | polling.look({h: at for h, at in places.items() if at is not None})

    def cancel(self, handles: Collection[Handle]) -> None:
        """End jobs that are still what their handles say; the ended are left alone.

        Raises:
            BackendError: The cluster cannot be reached, or Slurm still runs one of them.
        """
        for host, places in _by_host(handles).items():
            jobs = [[at.id, at.cluster, at.folder] for at in places]
            answer = ask(reach(host), {"op": "cancel", "jobs": jobs})
            polling.Cluster(host).moved()
            if answer["left"]:
                raise BackendError(
                    f"Slurm on {host} has not ended {', '.join(answer['left'])}: "
                    f"{answer['why'] or 'it says nothing about it'}."
                )

    def forget(self, specs: Collection[JobSpec]) -> None:
        """Remove the secrets of jobs that have ended, those of one cluster in one call.

        Raises:
            BackendError: The cluster cannot be reached, or a file cannot be removed.
        """
        by_host: dict[str, list[JobSpec]] = {}
        for spec in specs:
            by_host.setdefault(host_of(spec.options), []).append(spec)
        for host, theirs in by_host.items():
            jobs = [[secrets_folder(spec), spec.attempt] for spec in theirs]
            answer = ask(tunnel_of(theirs[0].options), {"op": "forget", "jobs": jobs})
            if answer["left"]:
                raise BackendError(f"{host}: {'; '.join(answer['left'])}.")

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        """Return the log of each rank of each member, on the target."""
        return [
            LogFile(member.name, spec.attempt, rank, log_file(spec, member, rank))
            for member in spec.members
            for rank in range(member.world_size)
        ]

    def bring(self, wanted: Sequence[Wanted]) -> Mapping[Token, Exception]:
        """Copy results and logs into the record, those of one cluster in one call."""
        from .bringing import bring

        return bring(wanted)

    def tunnel(self, spec: JobSpec) -> Tunnel:
        """Return the way to the machine that has the folder of a job."""
        return tunnel_of(spec.options)

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when a look may show something new, at the latest after ``timeout`` seconds."""
        due = [polling.Cluster(host).due() for host in _by_host(handles)]
        time.sleep(max(0.0, min([timeout, *(max(one, polling.GAP) for one in due)])))

    def examine(self, executor: SlurmExecutor) -> Iterator[Finding]:
        """Yield what works of a cluster and what does not; see :class:`Examined`."""
        from .doctor.examining import examine

        return examine(executor)

    def shell(
        self, spec: JobSpec, handle: Handle, *, node: int, command: Sequence[str]
    ) -> Sequence[str]:
        """Return the command that opens a shell beside a running job; see :class:`Entered`."""
        from .entering import shell

        return shell(spec, handle, node=node, command=command)

    def route(self, handle: Handle, *, node: int, port: int, local_port: int) -> Route:
        """Return how a port of a job's node is reached from here; see :class:`Entered`."""
        from .entering import route

        return route(handle, node=node, port=port, local_port=local_port)


def _whose(spec: JobSpec) -> str:
    """Return what tells a submission from all others, also from those of another record."""
    return f"{spec.token}#{spec.identity}"


def _by_host(handles: Iterable[Handle]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for handle in handles:
        at = place_of(handle)
        if at is not None:
            found.setdefault(at.host, []).append(at)
    return found
