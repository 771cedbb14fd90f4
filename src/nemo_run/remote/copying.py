"""Copies files and folders between this machine and a tunnel's, as one tar stream in one session.

The other side needs a POSIX shell and tar, neither rsync nor sftp.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import tarfile
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nemo_run.exceptions import RemoteCommandError, RemoteError

from .counting import count
from .streams import Exchange
from .unpacking import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tunnel import Tunnel

# Without a byte for so long (seconds) a copy is given up.
_PATIENCE = 300.0
_BLOCK = 1 << 16

# $t is the target and $n the name of what comes; it is unpacked beside the target, so that moving
# it there is one step (rename(2)). A folder is moved file by file into one that is there; a dot for
# each says that something is going on.
_PUT = r"""
set -e
case $t in "~/"*) t=$HOME/${t#"~/"} ;; "~") t=$HOME ;; esac
if [ "$k" = file ]; then
  case $t in */) mkdir -p -- "$t" ;; esac
  if [ -d "$t" ]; then t=${t%/}/$n; fi
  if [ -d "$t" ]; then echo "$t is a folder" >&2; exit 1; fi
else
  if [ -e "$t" ] && [ ! -d "$t" ]; then echo "$t is no folder" >&2; exit 1; fi
  while [ "$t" != / ] && [ "${t%/}" != "$t" ]; do t=${t%/}; done
fi
case $t in /*) ;; *) t=$PWD/$t ;; esac
p=${t%/*}
mkdir -p -- "${p:-/}"
if [ -d "$t" ]; then w=$t/.nemo_run.$r; else w=$p/.nemo_run.$r; fi
trap 'rm -rf -- "$w"' EXIT
trap 'exit 1' HUP INT TERM PIPE
mkdir -- "$w"
(cd -- "$w" && tar -xpof -)
cd -- "$w"
if [ "$k" = file ]; then mv -f -- ./data "$t"; exit; fi
if [ ! -d "$t" ]; then mv -- ./data "$t"; exit; fi
cd ./data
export t
find . -type d -exec sh -c 'for d; do mkdir -p -- "$t/$d"; printf .; done' sh {} +
find . ! -type d -exec sh -c 'for f; do
  if [ -h "$t/$f" ]; then rm -f -- "$t/$f"; fi
  if [ -d "$t/$f" ]; then echo "$t/$f is a folder" >&2; exit 1; fi
  mv -f -- "$f" "$t/$f" || exit 1
  printf .
done' sh {} +
"""
_GET = r"""
case $t in "~/"*) t=$HOME/${t#"~/"} ;; "~") t=$HOME ;; esac
if [ -d "$t" ]; then
  cd -- "$t" && printf '%s\n' "$m dir" && tar -cf - .
elif [ -e "$t" ]; then
  case $t in */*) cd -- "${t%/*}/" ;; esac && printf '%s\n' "$m file" && tar -chf - "./${t##*/}"
else
  echo "there is no $t" >&2
  exit 1
fi
"""


def put(tunnel: Tunnel, local_path: str, remote_path: str) -> None:
    """Copy there; see :meth:`Tunnel.put`."""
    source = Path(local_path).expanduser()
    kind = "dir" if source.is_dir() else "file"
    source.stat()  # raises what is wrong with it

    def feed(pipe: IO[bytes]) -> None:
        with tarfile.open(
            fileobj=pipe, mode="w|", bufsize=_BLOCK, dereference=kind == "file"
        ) as tar:
            tar.add(source, arcname="data")
        pipe.flush()

    words = {"t": remote_path, "k": kind, "n": source.name, "r": secrets.token_hex(6)}
    exchange = Exchange(
        command=_shell(tunnel, _PUT, words),
        feed=feed,
        take=_ignore,
        timeout=_PATIENCE,
        again=True,
    )
    _carry_out(tunnel, exchange, f"{local_path} could not be copied to {tunnel.key}:{remote_path}")


def get(tunnel: Tunnel, remote_path: str, local_path: str) -> None:
    """Copy from there; see :meth:`Tunnel.get`."""
    marker = f"nemo_run:{secrets.token_hex(8)}"

    def take(pipe: IO[bytes]) -> None:
        while line := pipe.readline():
            head, _, kind = line.decode("utf-8", "replace").rstrip("\n").rpartition(" ")
            if head.endswith(marker):
                name = remote_path.rstrip("/").rpartition("/")[2]
                _receive(pipe, local_path, kind, name)
                _ignore(pipe)

    exchange = Exchange(
        command=_shell(tunnel, _GET, {"t": remote_path, "m": marker}),
        take=take,
        timeout=_PATIENCE,
        again=True,
    )
    _carry_out(tunnel, exchange, f"{tunnel.key}:{remote_path} could not be copied to {local_path}")


def copy_here(source_path: str, target_path: str) -> None:
    """Copy a file or folder of this machine, by the rules of :meth:`Tunnel.put`."""
    source = Path(source_path).expanduser()
    source.stat()
    target = _target(target_path, source.name, is_folder=source.is_dir())
    if not source.is_dir():
        _copy_file(source, target)
        return
    if source.resolve() in target.resolve().parents:
        raise ValueError(f"{source_path} cannot be copied into itself ({target_path}).")
    with _beside(target) as folder:
        shutil.copytree(source, folder / "data", symlinks=True)
        _move(folder / "data", target)


def _receive(pipe: IO[bytes], local_path: str, kind: str, name: str) -> None:
    target = _target(local_path, name, is_folder=kind == "dir")
    with _beside(target) as folder:
        unpack(pipe, folder / "data")
        _move(folder / "data" if kind == "dir" else folder / "data" / name, target)


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Make a folder for a while, from where things can be moved to the target in one step."""
    place = target if target.is_dir() else target.parent
    with tempfile.TemporaryDirectory(prefix=".nemo_run.", dir=place) as folder:
        yield Path(folder)


def _move(arrived: Path, target: Path) -> None:
    if arrived.is_dir() and target.is_dir():
        _merge(arrived, target)
    else:
        arrived.replace(target)


def _target(path: str, name: str, *, is_folder: bool) -> Path:
    """Return where a copy goes on this machine; folders above it are made."""
    target = Path(path).expanduser()
    if not is_folder and (path.endswith("/") or target.is_dir()):
        target /= name
    if is_folder and target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{path} is no folder, and a folder shall be copied to it.")
    if not is_folder and target.is_dir():
        raise IsADirectoryError(f"{target} is a folder, and a file shall be copied to it.")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _merge(source: Path, target: Path) -> None:
    for root, folders, files in os.walk(source):
        place = target / Path(root).relative_to(source)
        if place.is_symlink() and place != target:
            raise RemoteError(f"{place} is a link; a folder is not copied through it.")
        place.mkdir(exist_ok=True)
        links = [one for one in folders if Path(root, one).is_symlink()]
        for name in (*files, *links):
            Path(root, name).replace(place / name)


def _copy_file(source: Path, target: Path) -> None:
    temporary = target.with_name(f".nemo_run.{secrets.token_hex(6)}")
    try:
        shutil.copy2(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _shell(tunnel: Tunnel, script: str, words: dict[str, str]) -> str:
    """Return a command line that every login shell (bash, csh, fish) reads alike.

    The script goes as octal digits: the shells differ in what quotes, backslashes, exclamation
    marks and line ends mean.
    """
    settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in words.items())
    digits = "".join(f"\\0{byte:03o}" for byte in os.fsencode(settings + script))
    return tunnel._before(f"""sh -c 'eval "$(printf %b "{digits}")"'""")  # noqa: SLF001


def _carry_out(tunnel: Tunnel, exchange: Exchange, failed: str) -> None:
    count(tunnel.key)
    try:
        finished = tunnel._exchange(exchange)  # noqa: SLF001 - the tunnel's other half
    except tarfile.TarError as error:
        raise RemoteError(f"{failed}: {error}.") from error
    if finished.return_code:
        said = finished.stderr.decode("utf-8", "replace").strip()
        raise RemoteCommandError(f"{failed}: {said or f'exit code {finished.return_code}'}.")


def _ignore(pipe: IO[bytes]) -> None:
    while pipe.read(_BLOCK):
        pass
