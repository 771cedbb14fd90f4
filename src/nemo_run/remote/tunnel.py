"""What every tunnel is: where another machine is, and what can be done there. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.config.mixin import ConfigurableMixin
from nemo_run.exceptions import RemoteCommandError

if TYPE_CHECKING:
    from .legacy import Callback
    from .streams import Exchange, Finished

# Of a failed command's standard error, this much goes into the message.
_SHOWN = 2000


@dataclass
class PackagingJob(ConfigurableMixin):
    """Where the code of a job lies on the target.

    Attributes:
        symlink: The code is there already, and the job's code folder is a link to it.
        src_path: The folder that holds it.
        dst_path: The job's code folder.
    """

    symlink: bool = False
    src_path: str | None = None
    dst_path: str | None = None


@dataclass(frozen=True)
class RunResult:
    """What a command said, and how it ended.

    Attributes:
        stdout: Its standard output, as text; bytes that are no UTF-8 survive as surrogates.
        stderr: Its standard error.
        return_code: Its exit status; 0 is success.
        command: What was run.
    """

    stdout: str = ""
    stderr: str = ""
    return_code: int = 0
    command: str = ""

    @property
    def exited(self) -> int:
        """The exit status."""
        return self.return_code

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.return_code == 0

    @property
    def failed(self) -> bool:
        """Whether it failed."""
        return not self.ok

    def __bool__(self) -> bool:
        return self.ok


@dataclass
class Tunnel(ConfigurableMixin):
    """A machine to work on. A subclass says how it is reached.

    It is data: it holds no connection, so it can be copied, compared, stored and sent.

    Attributes:
        job_dir: The folder on that machine that experiments go to.
        packaging_jobs: Where the code of jobs lies there, by the key of the job.
    """

    job_dir: str = ""
    packaging_jobs: dict[str, PackagingJob] = field(default_factory=dict, kw_only=True)

    @property
    def key(self) -> str:
        """What tells this machine and account from others."""
        raise NotImplementedError

    def connect(self) -> None:
        """Make sure that the machine can be worked with; asks for what the login needs.

        Raises:
            RemoteError: It cannot; the message says why.
        """

    def setup(self) -> None:
        """Connect, and make the folder for experiments.

        Raises:
            RemoteError: One of them failed.
        """
        raise NotImplementedError

    def run(
        self,
        command: str,
        hide: bool | str | None = True,
        warn: bool = False,
        *,
        timeout: float | None = None,
        again: bool = False,
    ) -> RunResult:
        """Run a command line in the shell of the machine's account.

        Its standard input is empty.

        Args:
            command: What to type there.
            hide: True: capture only. False: also show what it says, as it says it. ``"stdout"``
                and ``"stderr"`` hide one of them.
            warn: Return the result of a command that failed, instead of raising.
            timeout: After how many seconds without any output to give up; None: never.
            again: Run it a second time when the connection breaks and nobody knows how far it
                came. Only for commands that may run twice.

        Raises:
            RemoteCommandError: It failed; its ``result`` is the :class:`RunResult`.
            RemoteTimeoutError: It was silent for too long. It may go on over there.
            RemoteError: The machine could not be reached, or the connection broke.
        """
        from .running import run

        result = run(self, command, hide=hide, timeout=timeout, again=again)
        if result.failed and not warn:
            said = (result.stderr.strip() or result.stdout.strip())[-_SHOWN:]
            raise RemoteCommandError(
                f"`{command}` on {self.key} ended with exit code {result.return_code}"
                f"{': ' if said else '.'}{said}",
                result,
            )
        return result

    def put(self, local_path: str, remote_path: str) -> None:
        """Copy a file or folder of this machine to the other one.

        A file that is there is replaced in one step; folders above it are made. A file given
        for an existing folder, or for a path that ends with ``/``, goes into it. A folder is
        merged into one that is there: files of the same name are replaced, others stay.

        Args:
            local_path: The file or folder.
            remote_path: What it shall be there; relative to the account's home.

        Raises:
            FileNotFoundError: There is no ``local_path``.
            RemoteError: It could not be copied.
        """
        raise NotImplementedError

    def get(self, remote_path: str, local_path: str) -> None:
        """Copy a file or folder of the other machine to this one; as :meth:`put`, reversed.

        Args:
            remote_path: The file or folder; relative to the account's home.
            local_path: What it shall be here.

        Raises:
            RemoteError: There is none, or it could not be copied.
        """
        raise NotImplementedError

    def cleanup(self) -> None:
        """Let go of the machine. The connection is shared, so others may go on with it."""

    def disconnect(self) -> None:
        """Let go of the machine; another word for :meth:`cleanup`."""
        self.cleanup()

    def keep_alive(self, *callbacks: Callback, interval: float = 1) -> None:
        """Stay until interrupted, and call each callback every ``interval`` seconds."""
        from .legacy import keep_alive

        keep_alive(self, *callbacks, interval=interval)

    def _exchange(self, exchange: Exchange) -> Finished:
        """Run a command of this library over there."""
        raise NotImplementedError

    def _before(self, command: str) -> str:
        """Return ``command`` behind what the machine needs before each."""
        return command

    def _command_line(self, command: str) -> tuple[str, bytes]:
        """Return what to run for a command, and the line before its output; empty for none."""
        return command, b""

    def _python(self, code: str) -> Any:
        """Return what :class:`Exchange` runs to start Python with ``code``."""
        raise NotImplementedError
