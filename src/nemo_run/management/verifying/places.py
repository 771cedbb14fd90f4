"""Whether images, secrets and targets can be had where jobs would run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError, SecretError
from nemo_run.execution.registry import backend_names, is_backend
from nemo_run.management.capture import images as named
from nemo_run.management.plans import spec_of

from .check import Check, count, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record

# A login host that does not answer in this time (seconds) is told of as unreachable.
_PATIENCE = 20.0
# What a target's engine is used by.
_PROGRAMS = {"slurm": "sbatch"}


def images(record: Record, *, connect: bool) -> Iterator[Check]:
    """Say of each container image whether it is the one of then, as far as that can be told.

    Args:
        record: The experiment.
        connect: Whether other machines are asked; files there are then told of with them.
    """
    facts = record.meta.get("images")
    seen: set[str] = set()
    for spec in _specs(record):
        for reference in named.references(spec):
            is_told_there = connect and reference.startswith("/") and not named.is_here(spec)
            if reference in seen or is_told_there:
                continue
            seen.add(reference)
            then = facts.get(reference) if isinstance(facts, dict) else None
            yield _image(reference, then if isinstance(then, dict) else {}, spec)


def _image(reference: str, then: Mapping[str, Any], spec: JobSpec) -> Check:
    what = "image"
    now = named.described(reference, here=named.is_here(spec))
    if "digest" in now:
        says = f"{reference} names its digest, so it is the same or none."
        return Check(what, "green", says)
    is_file = reference.startswith("/") or reference.endswith(".sqsh")
    if not is_file:
        return Check(
            what,
            "amber",
            f"{reference} is a name that may mean another image by now.",
            "Write the image with its digest: name@sha256:….",
        )
    if not named.is_here(spec):
        return Check(what, "amber", f"{reference} is a file on the target, which was not asked.")
    if not now:
        return Check(what, "red", f"{reference} is not there.", "Put the image there again.")
    if then and (then.get("size"), then.get("modified")) != (now["size"], now["modified"]):
        says = f"{reference} was changed since: its size or its time is another one."
        return Check(what, "amber", says, "Keep images under names that say their version.")
    return Check(what, "green", f"{reference} has the size and the time of then.")


def secrets(record: Record) -> Iterator[Check]:
    """Say whether the secrets that jobs need are found here; their values are not shown."""
    from nemo_run.execution.secrets import value

    wanted = {name: source for spec in _specs(record) for name, source in spec.secrets.items()}
    for name, source in sorted(wanted.items()):
        if source.startswith("keyring"):
            yield Check("secret", "amber", f"{name} is in the system's key store; not asked for.")
            continue
        try:
            value(name, source)
        except (SecretError, OSError, ValueError) as error:
            yield Check("secret", "red", str(error))
        else:
            yield Check("secret", "green", f"{name} is found.")


def targets(record: Record, *, connect: bool) -> Iterator[Check]:
    """Say of each engine whether it can be reached.

    Args:
        record: The experiment.
        connect: Whether other machines are asked.
    """
    specs = _specs(record)
    seen: set[tuple[str, str]] = set()
    for spec in specs:
        tunnel = spec.options.get("tunnel")
        fields = tunnel if isinstance(tunnel, dict) else {}
        key = (spec.backend, "" if named.is_here(spec) else str(fields.get("host")))
        if key in seen:
            continue
        seen.add(key)
        if not is_backend(spec.backend):
            installed = ", ".join(backend_names())
            says = f"No installed package offers the backend {spec.backend!r}; there are: "
            yield Check("target", "red", f"{says}{installed}.", "Install the package that does.")
        elif named.is_here(spec):
            yield _here(spec.backend)
        elif connect:
            files = [n for one in specs for n in named.references(one) if n.startswith("/")]
            yield from _elsewhere(spec.backend, fields, sorted(set(files)))
        else:
            says = f"{spec.backend} on {fields.get('host')} was not asked."
            yield Check("target", "amber", says, "Leave out --offline to ask it.")


def _here(backend: str) -> Check:
    from shutil import which

    program = _PROGRAMS.get(backend, "")
    if program and which(program) is None:
        says = f"{program} is not on the PATH, so {backend} cannot be used from this machine."
        return Check("target", "red", says, "Run it where the engine's commands are.")
    return Check("target", "green", f"{backend} is on this machine.")


def _elsewhere(backend: str, fields: Mapping[str, Any], files: list[str]) -> Iterator[Check]:
    """Ask a login host, in one round trip, for the engine's command and for images.

    What the record says is to be typed there first (``pre_command``) is not: this only looks.
    """
    from nemo_run.remote import SSHTunnel

    program = _PROGRAMS.get(backend, "true")
    wanted = " ".join(shlex.quote(file) for file in files)
    script = (
        f"command -v {program} >/dev/null && echo engine; "
        f'for file in {wanted}; do test -r "$file" && printf "%s\\n" "$file"; done; :'
    )
    known: dict[str, Any] = {name: fields.get(name) for name in ("user", "port", "identity")}
    try:
        tunnel = SSHTunnel(job_dir="", host=str(fields.get("host") or ""), **known)
        said = tunnel.run(script, timeout=_PATIENCE, warn=True, again=True).stdout.splitlines()
    except (NemoRunError, OSError, ValueError, TypeError) as error:
        advice = "Try `ssh` to it by hand; if it has another name now, change the executor."
        yield Check("target", "red", f"{fields.get('host')}: {error}", advice)
        return
    if "engine" in said:
        yield Check("target", "green", f"{tunnel.key} answers, and {program} is there.")
    else:
        says = f"{tunnel.key} answers, and {program} is not on the PATH that a command finds there."
        advice = "If the executor's pre_command loads it, all is well; see `nemo-run doctor`."
        yield Check("target", "amber", says, advice)
    missing = [file for file in files if file not in said]
    if missing:
        says = f"On {tunnel.key}, {some(missing)} cannot be read."
        yield Check("image", "red", says, "Put the image there again.")
    elif files:
        yield Check("image", "green", f"{count(len(files), 'image')} on {tunnel.key} can be read.")


def _specs(record: Record) -> list[JobSpec]:
    found = [spec_of(record, str(job["id"])) for job in record.jobs]
    return [spec for spec in found if spec is not None]
