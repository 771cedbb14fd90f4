"""What a disk holds after a power cut: only what was synced, as far as it was synced.

Two worlds, which bound what file systems do (fsync(2), rename(2)):

- *nothing*: a name is there if its folder was synced after it was made; a file holds what it held
  when it was synced.
- *names*: all names are there, and files hold what was synced; others are empty. So does a file
  system that writes names sooner than data.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from pathlib import Path

from ptrace import Call

Key = tuple[int, int]
"""An inode, and how often its number was used again."""


@dataclass
class Disk:
    """Follows a folder through the calls that change it.

    Attributes:
        root: The folder; empty or not there at the beginning.
    """

    root: Path
    _uses: dict[int, int] = field(default_factory=dict)
    _files: dict[Key, bytes] = field(default_factory=dict)
    _folders: dict[Key, dict[str, tuple[Key, int]]] = field(default_factory=dict)

    def seen(self, call: Call) -> None:
        """Take note of a call that is about to be made."""
        if call.name in ("fsync", "fdatasync"):
            self._keep(Path(call.path))
        elif call.name in ("sync", "syncfs"):
            for folder, _, names in os.walk(self.root):
                self._keep(Path(folder))
                for name in names:
                    self._keep(Path(folder, name))
        elif call.name in ("unlink", "unlinkat", "rmdir"):
            self._forget(Path(call.path))
        elif call.name.startswith("rename"):
            self._forget(Path(call.other))

    def lose(self, world: str) -> None:
        """Make the folder what a power cut leaves of it.

        Args:
            world: ``names`` or ``nothing``.
        """
        if not self.root.exists():
            return
        old = self.root.with_name(f"{self.root.name}.before")
        shutil.rmtree(old, ignore_errors=True)
        self.root.rename(old)
        if world == "names":
            self._copy_names(old, self.root)
        elif self._is_kept(old):
            self._copy_kept(self._key(old.stat().st_ino), self.root)
        else:
            # The home itself is the user's.
            self.root.mkdir(mode=0o700)
        shutil.rmtree(old)

    def _key(self, inode: int) -> Key:
        return inode, self._uses.get(inode, 0)

    def _keep(self, path: Path) -> None:
        try:
            info = path.lstat()
        except OSError:
            return
        key = self._key(info.st_ino)
        if stat.S_ISDIR(info.st_mode):
            names = {}
            for entry in os.scandir(path):
                found = entry.stat(follow_symlinks=False)
                names[entry.name] = (self._key(found.st_ino), found.st_mode)
            self._folders[key] = names
        elif stat.S_ISREG(info.st_mode):
            self._files[key] = path.read_bytes()

    def _forget(self, path: Path) -> None:
        """The number of an inode that goes away will be that of another file."""
        try:
            info = path.lstat()
        except OSError:
            return
        if stat.S_ISDIR(info.st_mode) or info.st_nlink == 1:
            self._uses[info.st_ino] = self._uses.get(info.st_ino, 0) + 1

    def _is_kept(self, path: Path) -> bool:
        return self._key(path.stat().st_ino) in self._folders

    def _copy_names(self, old: Path, new: Path) -> None:
        info = old.lstat()
        if stat.S_ISDIR(info.st_mode):
            new.mkdir()
            for entry in os.scandir(old):
                self._copy_names(Path(entry.path), new / entry.name)
        elif stat.S_ISLNK(info.st_mode):
            new.symlink_to(os.readlink(old))
            return
        elif stat.S_ISREG(info.st_mode):
            new.write_bytes(self._files.get(self._key(info.st_ino), b""))
        else:
            return
        new.chmod(stat.S_IMODE(info.st_mode))

    def _copy_kept(self, key: Key, new: Path, mode: int = 0o700) -> None:
        if stat.S_ISDIR(mode) or mode == 0o700:
            new.mkdir()
            for name, (inside, its_mode) in self._folders.get(key, {}).items():
                self._copy_kept(inside, new / name, its_mode)
        elif stat.S_ISREG(mode):
            new.write_bytes(self._files.get(key, b""))
        else:
            return
        new.chmod(stat.S_IMODE(mode))
