"""The packager that sends nothing, and the base of those that send something."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.config.mixin import ConfigurableMixin

if TYPE_CHECKING:
    from .snapshot import CodePlace, Contents, Snapshot


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

    def snapshot(self, place: CodePlace) -> Snapshot | None:
        """Return the code of this moment; None where none travels.

        Neither the user's files nor the store are changed.

        Args:
            place: Where the launching process is, and where snapshots are kept.

        Raises:
            PackagingError: The code cannot be packaged.
        """
        if self.symlink_from_remote_dir is not None:
            return None
        found = self.gather(place)
        if found is None:
            return None
        from .snapshot import snapshot_of

        return snapshot_of(found, place)

    def gather(self, place: CodePlace) -> Contents | None:
        """Return what travels, before it is written; see :meth:`snapshot`."""
        if _is_overridden(type(self)):
            from .tarball import contents_of

            return contents_of(self, place)
        return self.contents(place)

    def contents(self, place: CodePlace) -> Contents | None:  # noqa: ARG002
        """Return what this kind of packager finds; nothing here."""
        return None


@dataclass(kw_only=True)
class TreePackager(Packager):
    """The base of the packagers of this library that send something."""

    def package(self, path: Path, job_dir: str, name: str) -> str | None:
        """Write the code to ``<job_dir>/<name>.tar.gz`` and return that file's path.

        Jobs do not need it; it is here for programs that call it.

        Args:
            path: The folder to start from.
            job_dir: The folder to write to.
            name: The name of the file, without its ending.
        """
        from .tarball import write

        return write(self, path, Path(job_dir, f"{name}.tar.gz"))


def _is_overridden(kind: type[Packager]) -> bool:
    """Whether a class of a user says itself what to send, by ``package``."""
    owner = next(one for one in kind.__mro__ if "package" in vars(one))
    return owner not in (Packager, TreePackager)
