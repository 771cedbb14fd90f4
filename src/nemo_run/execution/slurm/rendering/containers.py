"""The options of pyxis: in which image the processes of a member run. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.home import RUNDIR_SPECIAL_NAME
from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec


def words(spec: JobSpec, options: dict[str, Any]) -> list[str]:
    """Return the options of srun for a member's container; none where it has none.

    Args:
        spec: The job.
        options: Those of the member.
    """
    if not options.get("container_image"):
        return []
    mounts = ",".join(_mounts(spec, options))
    found = [
        # Where srun is, there is no such folder in the container (slurmstepd would complain).
        "--chdir=/",
        f"--container-image={_image(options['container_image'])}",
        f"--container-mounts={quote(mounts)}",
        f"--container-workdir={quote(layout.inside(spec))}/code",
    ]
    if options.get("container_env"):
        found.append(f"--container-env={quote(','.join(options['container_env']))}")
    return found


def _image(image: str) -> str:
    """Return the image as a word: a file below the home is told from a name in a registry."""
    if image.startswith(("./", "../", "~/")) or (
        image.endswith(".sqsh") and not image.startswith("/") and "://" not in image
    ):
        return f'"$HOME"/{quote(image.removeprefix("~/").removeprefix("./"))}'
    return quote(image)


def _mounts(spec: JobSpec, options: dict[str, Any]) -> list[str]:
    given = [
        mount.replace(RUNDIR_SPECIAL_NAME, spec.directory, 1)
        if mount.startswith(RUNDIR_SPECIAL_NAME)
        else mount
        for mount in options.get("container_mounts") or []
    ]
    linked = layout.linked_folder(options)
    more = [f"{spec.directory}:{layout.inside(spec)}", *([f"{linked}:{linked}"] if linked else [])]
    return list(dict.fromkeys([*given, *more]))
