"""Packagers that write a tar file: those of users are read, and ours write one when asked to."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError, shown

from .patterns import is_gits
from .snapshot import CodePlace, Contents
from .tree import EXECUTABLE, FILE, LINK, Entry, entry_of, entry_of_bytes

if TYPE_CHECKING:
    from .packager import Packager


def contents_of(packager: Packager, place: CodePlace) -> Contents | None:
    """Return what is in the tar file that a packager of a user writes.

    Args:
        packager: It is asked to write into a temporary folder.
        place: Where the launching process is.

    Raises:
        PackagingError: It wrote none, or one with paths outside of the code folder.
    """
    kind = type(packager).__qualname__
    work = tempfile.TemporaryDirectory(prefix="nemo_run_package_")
    job_dir = Path(work.name, "job")
    job_dir.mkdir()
    file = packager.package(Path(place.working_directory), str(job_dir), "code")
    if file is None:
        return None
    path = Path(place.working_directory, file)
    try:
        # Several archives in a row are one, as they are for the tar that unpacks them elsewhere;
        # but then anything is an archive, so what is none is found before.
        tarfile.open(path).close()
        with tarfile.open(path, ignore_zeros=True) as archive:
            entries = _read(archive, Path(work.name), f"{kind}.package()")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise PackagingError(
            f"{kind}.package() returned {shown(file)}, which cannot be read as a tar file: {error}."
        ) from error
    return Contents(entries, place.working_directory, holding=[work])


def _read(archive: tarfile.TarFile, folder: Path, who: str) -> dict[bytes, Entry]:
    entries: dict[bytes, Entry] = {}
    for number, member in enumerate(archive):
        name = os.path.normpath(member.name)
        if name.startswith(("/", "../")) or name == "..":
            raise PackagingError(
                f"{who} wrote the path {member.name!r} into its tar file, which leads out of the "
                "code folder."
            )
        path = os.fsencode(name)
        if is_gits(path):
            continue
        if member.issym():
            entries[path] = entry_of_bytes(os.fsencode(member.linkname), LINK)
        elif member.islnk():
            target = os.fsencode(os.path.normpath(member.linkname))
            if target not in entries:
                raise PackagingError(
                    f"{who} wrote {member.name!r} as a second name of {member.linkname!r}, which "
                    "is not in its tar file before it."
                )
            entries[path] = entries[target]
        elif member.isfile():
            mode = EXECUTABLE if member.mode & 0o100 else FILE
            copy = folder / f"{number}"
            source = archive.extractfile(member)
            with copy.open("wb") as out:
                if source is not None:
                    shutil.copyfileobj(source, out)
            entries[path] = entry_of(os.fsencode(copy), mode)
        elif not member.isdir():
            raise PackagingError(
                f"{who} wrote {member.name!r}, which is neither file, folder nor link."
            )
    return entries


def write(packager: Packager, start: Path, file: Path) -> str:
    """Write what a packager finds as a compressed tar file.

    Args:
        packager: One of this library.
        start: The folder to start from.
        file: What to write.
    """
    from .snapshot import snapshot_of
    from .store import CodeStore

    with tempfile.TemporaryDirectory(prefix="nemo_run_package_") as folder:
        place = CodePlace(str(start), os.path.join(folder, "code.git"))  # noqa: PTH118
        found = packager.contents(place)
        if found is None:
            raise PackagingError(f"{type(packager).__qualname__} sends nothing.")
        snapshot = snapshot_of(found, place)
        snapshot.keep()
        file.parent.mkdir(parents=True, exist_ok=True)
        # Without a time of its own, equal code makes equal files.
        with file.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as out:
            for piece in CodeStore(place.store).tar_stream(snapshot.tree):
                out.write(piece)
    return str(file)
