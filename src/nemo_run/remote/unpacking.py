"""Unpacks a tar stream from another machine, which cannot reach outside of its folder."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO

from nemo_run.exceptions import RemoteError


def unpack(pipe: IO[bytes], folder: Path) -> None:
    """Unpack a stream into a folder that is made for it.

    Links are made last, so that nothing is written through one. Devices and pipes are left out.

    Args:
        pipe: The stream.
        folder: The folder; there is none yet.

    Raises:
        RemoteError: A member is to lie outside of the folder.
        tarfile.TarError: The stream is damaged or ends too early.
    """
    folder.mkdir()
    links: list[tuple[Path, str]] = []
    modes: list[tuple[Path, int]] = []
    with tarfile.open(fileobj=pipe, mode="r|") as tar:
        for member in tar:
            place = folder / _inside(member.name)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                modes.append((place, member.mode))
            elif member.issym():
                links.append((place, member.linkname))
            elif member.islnk():
                shutil.copy2(folder / _inside(member.linkname), place)
            elif member.isreg():
                _write(tar, member, place)
    for place, target in links:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
    for place, mode in reversed(modes):
        place.chmod(mode & 0o777 | 0o700)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise RemoteError(f"The other machine sent {name!r}, which leads out of the folder.")
    return path


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    assert content
    with place.open("wb") as file:
        shutil.copyfileobj(content, file, 1 << 16)
    place.chmod(member.mode & 0o777)
    os.utime(place, (member.mtime, member.mtime))
