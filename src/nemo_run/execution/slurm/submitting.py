"""From rendered jobs to what the agent is asked to submit, and from its answer to handles."""

from __future__ import annotations

import os
import shlex
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import BackendError, ShortageError
from nemo_run.execution.folders import attempt_folder, log_folder, member_folder, output_folder
from nemo_run.execution.jobspec import Token
from nemo_run.execution.secrets import assignments, hidden, values_of

from . import arrays
from .connections import ask, host_of, remember, tunnel_of
from .handles import LOCAL, Place, handle_of, job_id, place_of
from .layout import secrets_file
from .staging import NotTakenError, stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nemo_run.execution.backend import Rendered
    from nemo_run.execution.jobspec import Handle, JobSpec

    from .arrays import Array

# Beyond this, sbatch itself takes too long to be waited for; the agent says something in between.
_TIMEOUT = 900.0

_ADVICE = (
    ("Invalid partition", "`sinfo -s` lists the partitions."),
    ("Invalid account", "`sacctmgr show assoc user=$USER` lists your accounts and partitions."),
    ("Invalid qos", "`sacctmgr show assoc user=$USER format=account,qos` lists what you may use."),
    ("node configuration is not available", "`sinfo -o '%P %D %c %m %G'` shows what nodes have."),
    ("time limit", "`sinfo -o '%P %l'` shows the longest time of each partition."),
    ("More processors requested", "`sinfo -o '%P %D %c'` shows nodes and CPUs."),
    ("Invalid feature", "`sinfo -o '%P %f'` lists the features of nodes."),
    ("Job dependency problem", "A job that it waits for is unknown to the cluster."),
    ("access/permission", "Ask whoever runs the cluster whether your account may submit there."),
    ("DOS line breaks", "A text that went into the script has carriage returns."),
)


@dataclass
class Contents:
    """The files of many jobs; each content is sent once."""

    blobs: list[bytes] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)

    def add(self, content: bytes) -> int:
        """Return the number of a content."""
        if content not in self._known:
            self._known[content] = len(self.blobs)
            self.blobs.append(content)
        return self._known[content]

    def payload(self) -> Iterator[bytes]:
        """Return all of them, one after the other, compressed."""
        packer = zlib.compressobj(6)
        for blob in self.blobs:
            yield packer.compress(blob)
        yield packer.flush()


def submit(jobs: Sequence[Rendered]) -> dict[Token, Handle | Exception]:
    """Start jobs, those of one host in one call.

    Args:
        jobs: The jobs, in any order.
    """
    answers: dict[Token, Handle | Exception] = {}
    by_host: dict[str, list[Rendered]] = {}
    for job in jobs:
        by_host.setdefault(host_of(job.spec.options), []).append(job)
    for host, theirs in by_host.items():
        try:
            answers.update(_submit(host, theirs))
        except BackendError as error:
            if len(by_host) == 1:
                raise
            answers.update({job.spec.token: ShortageError(str(error)) for job in theirs})
    return answers


def _submit(host: str, jobs: Sequence[Rendered]) -> dict[Token, Handle | Exception]:
    options = jobs[0].spec.options
    tunnel = tunnel_of(options)
    remember(options)
    contents = Contents()
    answers: dict[Token, Handle | Exception] = {}
    accepted, after_of, secrets = [], {}, Delivery(contents)
    for job in jobs:
        try:
            _check_before(job, answers)
            after_of[job.spec.token] = after(job, host)
            secrets.add(job.spec)
            accepted.append(job)
        except BackendError as error:
            answers[job.spec.token] = error
    try:
        limit = stage(host, tunnel, [job.spec for job in accepted])
    except NotTakenError as error:
        return {**answers, **{job.spec.token: error for job in accepted}}
    together, alone = arrays.planned(accepted, limit)
    submissions = [_one(job, host, contents, after_of[job.spec.token]) for job in alone]
    submissions += _arrays(together, host, contents, after_of)
    for submission in submissions:
        submission["secrets"] = secrets.of(token for token, _, _ in submission["elements"])
    request = {
        "op": "submit",
        "from": os.uname().nodename,
        "submissions": submissions,
        "blobs": [len(blob) for blob in contents.blobs],
        "hidden": sorted(secrets.hidden),
    }
    if not submissions:
        return answers
    # What was cut off is not asked for again here: the caller looks first what came of it.
    answer = ask(tunnel, request, contents.payload(), timeout=_TIMEOUT, again=False)
    specs = {job.spec.token: job.spec for job in jobs}
    return answers | {
        token: _answered(specs[token], host, answer["answers"][token])
        for token in specs
        if token in answer["answers"]
    }


def _check_before(job: Rendered, refused: Mapping[Token, object]) -> None:
    for one in job.after:
        if one.job in refused:
            raise BackendError(
                f"Job {job.spec.job!r} waits for {one.job}, which was not submitted: "
                f"{refused[Token(one.job)]}"
            )


@dataclass
class Delivery:
    """The secrets of jobs that are submitted together.

    Attributes:
        contents: Takes what is to be sent.
        hidden: The variables with secrets, which sbatch is not to hand on.
    """

    contents: Contents
    hidden: set[str] = field(default_factory=set)
    _files: dict[Token, tuple[str, int]] = field(default_factory=dict)

    def add(self, spec: JobSpec) -> None:
        """Look up the secrets of a job, as they are now.

        Raises:
            SecretError: One is not where it is said to be found.
        """
        if not spec.secrets:
            return
        values = values_of(spec)
        number = self.contents.add(assignments(values))
        self._files[spec.token] = (secrets_file(spec), number)
        self.hidden |= hidden(values, os.environ)
        for member in spec.members:
            self.hidden.update(member.secrets)

    def of(self, tokens: Iterable[Token]) -> dict[Token, tuple[str, int]]:
        """Return file and number of the content, by token, of those jobs that have secrets."""
        return {token: self._files[token] for token in tokens if token in self._files}


_OPTIONS = ["--parsable", "--kill-on-invalid-dep=yes"]


def _one(job: Rendered, host: str, contents: Contents, waits: list[Any]) -> dict[str, Any]:
    return {
        "script": job.artifacts[0].path,
        "options": _OPTIONS,
        "elements": [[job.spec.token, attempt_folder(job.spec), None]],
        "identity": job.spec.identity,
        "after": waits,
        "files": files(job, host, contents),
        "folders": folders(job),
    }


def _arrays(
    together: Sequence[Array],
    host: str,
    contents: Contents,
    after_of: Mapping[Token, list[Any]],
) -> Iterator[dict[str, Any]]:
    """Yield the submission of each array."""
    before: dict[tuple[str, int], str] = {}
    for array in sorted(together, key=lambda one: one.number):
        tokens = [job.spec.token for job in array.jobs]
        waits = list(after_of[tokens[0]])
        name = (array.folder.rpartition("/")[0], array.parallel)
        if array.parallel and name in before:
            # The limit is for all of them, and Slurm keeps it within one array only.
            waits.append({"kind": "afterany", "token": before[name], "whole": True})
        before[name] = tokens[0]
        own = [one for job in array.jobs for one in files(job, host, contents)]
        made = {one for job in array.jobs for one in folders(job)}
        places = zip(tokens, array.jobs, array.indices, strict=True)
        yield {
            "script": array.artifacts[0].path,
            "options": _OPTIONS,
            "elements": [[token, attempt_folder(job.spec), i] for token, job, i in places],
            "parallel": array.parallel,
            "identity": array.jobs[0].spec.identity,
            "after": waits,
            "files": own + [(a.path, contents.add(a.content), a.mode) for a in array.artifacts],
            "folders": sorted(made | {array.folder}),
        }


def files(job: Rendered, host: str, contents: Contents) -> list[tuple[str, int, int]]:
    """Return path, number of the content and permissions of each file that is to be sent."""
    wanted = [(a.path, a.content, a.mode) for a in job.artifacts]
    wanted += [
        (f"{member.directory}/{name}", text.encode("utf-8", "surrogateescape"), 0o600)
        for member in job.spec.members
        for name, text in member.files.items()
    ]
    if host == LOCAL:
        wanted = [one for one in wanted if not _is_there(one[0], one[1])]
    return [(path, contents.add(content), mode) for path, content, mode in wanted]


def _is_there(path: str, content: bytes) -> bool:
    try:
        return Path(path).read_bytes() == content
    except OSError:
        return False


def folders(job: Rendered) -> list[str]:
    """Return the folders that must be there before the job starts: Slurm makes none."""
    spec = job.spec
    found = {attempt_folder(spec), *(member_folder(spec, m) for m in spec.members)}
    found |= {log_folder(spec, m) for m in spec.members}
    found |= {output_folder(m) for m in spec.members}
    for path in outputs(job.artifacts[0].content):
        head = path.rpartition("/")[0]
        # Of what Slurm fills in itself, nothing can be made before.
        if head.startswith("/") and "%" not in head.replace("%%", ""):
            found.add(head.replace("%%", "%"))
    return sorted(found)


def outputs(script: bytes) -> list[str]:
    """Return where ``#SBATCH`` lines send output and errors, with the ``%`` that Slurm fills in."""
    found = [value for name, value in arrays.header(script) if name in {"output", "error"}]
    return [one for value in found for one in shlex.split(value)[:1]]


def after(job: Rendered, host: str) -> list[dict[str, str]]:
    """Return what Slurm is to wait for before it starts a job.

    Raises:
        BackendError: A job on another cluster, or what names no job at all.
    """
    found = []
    for one in job.after:
        place = place_of(one.job)
        if place is None:
            found.append({"kind": one.kind, "token": str(one.job)})
        else:
            _same(job.spec, one.job, place, host)
            found.append({"kind": one.kind, "id": place.id, "folder": place.folder})
    kind = job.spec.options.get("dependency_type") or "afterok"
    for named in job.spec.options.get("dependencies") or ():
        place = place_of(named)
        number = place.id if place else job_id(named)
        if number is None:
            raise BackendError(
                f"Job {job.spec.job!r} depends on {named!r}, which names no job. Give the id "
                "that squeue shows, such as '4242' or '4242_7', or a handle of a Slurm job."
            )
        if place is not None:
            _same(job.spec, named, place, host)
        found.append({"kind": kind, "id": number, "folder": place.folder if place else ""})
    return found


def _same(spec: JobSpec, named: str, place: Place, host: str) -> None:
    if place.host != host:
        raise BackendError(
            f"Job {spec.job!r} is to start after {named}, which runs on {place.host}; Slurm on "
            f"{host} cannot wait for it. Leave it to NeMo Run: name the job as a dependency in "
            "the experiment."
        )


def _answered(spec: JobSpec, host: str, answer: Mapping[str, Any]) -> Handle | Exception:
    if "id" in answer:
        cluster = answer.get("cluster") or ""
        return handle_of(Place(host, answer["id"], cluster, attempt_folder(spec)))
    said = str(answer["why"]).strip()
    where = "" if host == LOCAL else f" on {host}"
    advice = next((f" {hint}" for word, hint in _ADVICE if word.lower() in said.lower()), "")
    kind = ShortageError if answer["kind"] == "shortage" else BackendError
    return kind(f"Job {spec.job!r} could not be submitted{where}: {_line(said)}{advice}")


def _line(said: str) -> str:
    lines = [line.removeprefix("sbatch: error: ").strip() for line in said.splitlines()]
    text = "; ".join(dict.fromkeys(line.rstrip(".") for line in lines if line))
    return f"{text}."
