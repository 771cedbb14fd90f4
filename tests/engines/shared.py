"""One engine for all processes of a test session: brought up by the first, down by the last."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import shutil
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import Processes, start_time
from .slurm_conf import Shape

_ROOT = Path("/tmp")  # short: a Unix socket's path has 107 bytes
_LOCK = _ROOT / "nr-engines.lock"
_PORTS = 20


@dataclass(frozen=True)
class Place:
    """The folder of one engine, which several processes use."""

    folder: Path

    @classmethod
    def of(cls, name: str) -> Place:
        """Return the place of this session's engine ``name``, the same in all its workers."""
        # Set by xdist in its workers, the same in all of them.
        session = os.environ.get("PYTEST_XDIST_TESTRUNUID") or _own_name()
        return cls(_ROOT / f"nr-{zlib.crc32(f'{session} {name}'.encode()):08x}")

    def enter(self, bring_up: Callable[[Shape], None]) -> Shape:
        """Use the engine; it is brought up if it is not there."""
        with locked():
            for folder in _ROOT.glob("nr-????????"):
                Place(folder).sweep()
            if not (self.folder / "shape").exists():
                self._make(bring_up)
            return self._join()

    def leave(self) -> None:
        """Stop using it; the last one takes it down."""
        with locked():
            self._own_file.unlink(missing_ok=True)
            self.sweep()

    def sweep(self) -> None:
        """Take it down if none of those who used it is left, killed ones too."""
        if self._is_ours() and (self.folder / "users").is_dir() and not self.users():
            Processes(self.folder).stop_all()
            shutil.rmtree(self.folder, ignore_errors=True)

    def users(self) -> list[Path]:
        """Return the files of those processes that use it and are there."""
        return [file for file in (self.folder / "users").glob("*") if _is_there(file)]

    @property
    def _own_file(self) -> Path:
        return self.folder / "users" / _own_name()

    def _is_ours(self) -> bool:
        """Whether root made the folder: anybody can make one in /tmp."""
        with contextlib.suppress(OSError):
            return self.folder.lstat().st_uid == os.geteuid() and not self.folder.is_symlink()
        return False

    def _join(self) -> Shape:
        net, port, accounting = (self.folder / "shape").read_text().split()
        self._own_file.touch()
        return Shape(self.folder, net, int(port), accounting=accounting == "True")

    def _make(self, bring_up: Callable[[Shape], None]) -> None:
        if self._is_ours():
            # What a bring-up that failed has left.
            Processes(self.folder).stop_all()
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        (self.folder / "users").mkdir()
        self._own_file.touch()
        # Ends what a killed session leaves.
        subprocess.Popen(
            [sys.executable, "-S", "-m", "engines.guard", self.folder],
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        bring_up(Shape(self.folder, *_free()))

    def ready(self, shape: Shape) -> None:
        """Others may use it from now on."""
        text = f"{shape.net} {shape.port} {shape.accounting}"
        (self.folder / "shape").write_text(text)


def _own_name() -> str:
    return f"{os.getpid()}-{start_time(os.getpid())}"


def _is_there(file: Path) -> bool:
    pid, _, start = file.name.partition("-")
    return start_time(int(pid)) == int(start)


@contextmanager
def locked() -> Iterator[None]:
    """One at a time brings an engine up or down on this machine."""
    with os.fdopen(os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _free() -> tuple[str, int]:
    """Return a loopback net and the first of some ports that nobody listens on."""
    chance = random.SystemRandom()
    while True:
        net = f"127.{chance.randint(1, 254)}.{chance.randint(1, 254)}"
        # Below those that outgoing connections take.
        first = chance.randrange(20000, 32000, _PORTS)
        if all(_is_free(first + i) for i in range(_PORTS)):
            return net, first


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("", port))
        except OSError:
            return False
    return True
