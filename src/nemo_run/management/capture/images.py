"""The container images that jobs run in, as exactly as can be told without asking a registry."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nemo_run.execution.jobspec import JobSpec

_FIELDS = frozenset({"container_image", "image", "docker_image"})
_DIGEST = re.compile(r"@(sha256:[0-9a-f]{64})$")


def images(specs: Iterable[JobSpec]) -> dict[str, dict[str, Any]]:
    """Return what is known of each image that jobs name: reference → facts.

    Of a registry's image the ``digest``, where it is written in the reference; of a file on this
    machine ``size`` in bytes and when it was ``modified``, in seconds since the epoch. A digest of
    a file of gigabytes would take minutes.
    """
    found: dict[str, dict[str, Any]] = {}
    for spec in specs:
        for reference in references(spec):
            if reference not in found:
                found[reference] = described(reference, here=is_here(spec))
    return found


def references(spec: JobSpec) -> list[str]:
    """Return the images that a job names, each once."""
    options = [spec.options, *_tables(spec.options.get("members"))]
    named = [one.get(field) for one in options for field in sorted(_FIELDS)]
    return list(dict.fromkeys(name for name in named if isinstance(name, str) and name))


def is_here(spec: JobSpec) -> bool:
    """Whether a job's target has the files of this machine."""
    tunnel = spec.options.get("tunnel")
    return not isinstance(tunnel, dict) or tunnel.get("kind", "local") == "local"


def described(reference: str, *, here: bool) -> dict[str, Any]:
    """Return what can be told of one image."""
    match = _DIGEST.search(reference)
    if match:
        return {"digest": match[1]}
    if here and Path(reference).is_absolute():
        try:
            state = Path(reference).stat()
        except (OSError, ValueError):
            return {}
        return {"size": state.st_size, "modified": state.st_mtime}
    return {}


def _tables(listed: object) -> list[Mapping[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
