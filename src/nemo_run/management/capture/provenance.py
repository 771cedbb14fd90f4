"""Where an experiment came from, as its record tells; whoever wrote it, reading runs nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import StoreError
from nemo_run.masking import mask_all, mask_arguments

from . import images as image_names
from . import packages as installed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record

# What jobs ask an engine for, under whatever of these names its executor has.
_ASKED = (
    *("partition", "constraint", "nodelist", "gres", "mem", "mem_per_cpu", "mem_per_gpu"),
    *("cpus_per_task", "gpus_per_node", "gpus_per_task", "gpus", "exclusive", "time", "qos"),
    *("num_gpus", "shm_size", "instance_type"),
)


@dataclass(frozen=True)
class CodeTree:
    """The code that traveled with a job: a git tree, and the commit that it sits on.

    Attributes:
        tree: The id of the git tree in ``code.git``.
        commit: The commit of the repository that it was taken from; empty where there is none.
        root: The folder that it was taken from.
        summary: How it differs from the commit, for people.
    """

    tree: str
    commit: str = ""
    root: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Image:
    """A container image that a job runs in.

    Attributes:
        reference: As it was asked for.
        digest: ``sha256:…`` where the reference names it; else empty.
        size: Of a file on the launching machine, its bytes.
        modified: Of such a file, when it was changed, in seconds since the epoch.
    """

    reference: str
    digest: str = ""
    size: int | None = None
    modified: float | None = None


@dataclass(frozen=True)
class Provenance:
    """Who launched an experiment, where, and with what. Secrets are covered.

    Fields are empty where the record does not say.

    Attributes:
        user: Who.
        host: On which machine.
        platform: Its system.
        argv: The command as it is typed.
        cwd: In which folder.
        nemo_run: The version of NeMo Run.
        python: ``version`` and ``executable``.
        packages: Installed packages: name → version.
        packages_digest: The name of that table; empty in records of earlier versions.
        environment: Variables that tell how programs were set up.
        git: ``commit``, ``branch`` and ``dirty`` of the folder; None outside of a repository.
        devices: What the launching machine has: ``cpus``, ``memory_bytes``, ``gpus``, …
        executors: Job → where and how it runs, in one line.
        code: Job → the code that traveled with it; those without are left out.
        asked: Job → what it asked its target for: ``nodes``, ``gpus_per_node``, ….
        images: Job → the images that it runs in; those without are left out.
        rerun_of: The id of the experiment whose jobs these are; empty if there is none.
        rerun_overrides: What was set anew for that, as on the command line.
        rerun_executor: The executor that was taken instead of the stored ones; empty if none.
    """

    user: str = ""
    host: str = ""
    platform: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    nemo_run: str = ""
    python: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    packages_digest: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    devices: Mapping[str, Any] = field(default_factory=dict)
    executors: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, CodeTree] = field(default_factory=dict)
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: Mapping[str, tuple[Image, ...]] = field(default_factory=dict)
    rerun_of: str = ""
    rerun_overrides: tuple[str, ...] = ()
    rerun_executor: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as data that JSON can hold."""
        return asdict(self)


def of(record: Record) -> Provenance:
    """Return where an experiment came from.

    What is damaged counts as not said.

    Raises:
        StoreError: ``experiment.json`` itself cannot be read.
    """
    meta = record.meta
    specs = {str(job["id"]): _spec(record, str(job["id"])) for job in record.jobs}
    codes = {str(job["id"]): _code(job.get("code")) for job in record.jobs}
    facts = _table(meta.get("images"))
    images = {job: _images(spec, facts) for job, spec in specs.items() if spec is not None}
    return Provenance(
        user=_text(meta.get("user")),
        host=_text(meta.get("host")),
        platform=_text(meta.get("platform")),
        argv=_words(meta.get("argv")),
        cwd=_text(meta.get("cwd")),
        nemo_run=_text(meta.get("nemo_run")),
        python={key: str(value) for key, value in _table(meta.get("python")).items()},
        packages=installed.of(record),
        packages_digest=installed.digest_of(meta.get("packages")) or "",
        environment=mask_all({k: str(v) for k, v in _table(meta.get("environment")).items()}),
        git=_table(meta.get("git")) or None,
        devices=_table(meta.get("devices")),
        executors={str(job["id"]): _text(job.get("executor")) for job in record.jobs},
        code={job: code for job, code in codes.items() if code is not None},
        asked={job: _asked(spec) for job, spec in specs.items() if spec is not None},
        images={job: found for job, found in images.items() if found},
        rerun_of=_text(meta.get("rerun_of")),
        rerun_overrides=_words(meta.get("rerun_overrides")),
        rerun_executor=_text(meta.get("rerun_executor")),
    )


def _spec(record: Record, job: str) -> JobSpec | None:
    from nemo_run.management.plans import spec_of

    try:
        return spec_of(record, job)
    except StoreError:
        return None


def _code(said: object) -> CodeTree | None:
    if not isinstance(said, dict) or not said.get("tree"):
        return None
    return CodeTree(*(_text(said.get(name)) for name in ("tree", "commit", "root", "summary")))


def _images(spec: JobSpec, facts: Mapping[str, Any]) -> tuple[Image, ...]:
    return tuple(_image(name, _table(facts.get(name))) for name in image_names.references(spec))


def _image(reference: str, facts: Mapping[str, Any]) -> Image:
    size, modified = facts.get("size"), facts.get("modified")
    return Image(
        reference,
        _text(facts.get("digest")),
        size if type(size) is int else None,
        float(modified) if isinstance(modified, (int, float)) else None,
    )


def _asked(spec: JobSpec) -> dict[str, Any]:
    """Return what a job asked its target for."""
    said = {name: spec.options.get(name) for name in _ASKED}
    return {
        "nodes": sum(member.nodes for member in spec.members),
        "processes": sum(member.nodes * member.processes_per_node for member in spec.members),
        **{name: value for name, value in said.items() if value not in (None, "", False)},
    }


def _words(said: object) -> tuple[str, ...]:
    return tuple(mask_arguments([str(word) for word in said])) if isinstance(said, list) else ()


def _table(said: object) -> dict[str, Any]:
    return {str(key): value for key, value in said.items()} if isinstance(said, dict) else {}


def _text(said: object) -> str:
    return said if isinstance(said, str) else ""
