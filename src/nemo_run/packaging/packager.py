"""The packager that sends nothing, and the base of those that send something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.config.mixin import ConfigurableMixin

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(kw_only=True)
class Packager(ConfigurableMixin):
    """Sends no code: for jobs that see the launcher's own files, and images that hold theirs.

    A subclass overrides :meth:`package` to say which code travels.

    Attributes:
        debug: Set the variables that make CUDA, NCCL and torch explain themselves in the job.
        symlink_from_remote_dir: A folder of the target that already holds the code; the job's
            code folder becomes a link to it and nothing is sent.
    """

    debug: bool = False
    symlink_from_remote_dir: str | None = None

    def package(self, path: Path, job_dir: str, name: str) -> str | None:  # noqa: ARG002
        """Return the file that holds the code below ``path``; ``None``, as there is none to send.

        Args:
            path: Where the code is.
            job_dir: The folder of the job, in which a package may be made.
            name: What to call it.
        """
        return None

    def setup(self) -> None:
        """Run inside the job before the task; nothing to do here."""
