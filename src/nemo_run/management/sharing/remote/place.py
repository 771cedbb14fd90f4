"""Files of a remote home, through fsspec: whole or not at all, every call with a time-out."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "NEMORUN_REMOTE"
_CONNECT = 15
_ANSWER = 60
_EXTRAS = {"s3": "s3", "s3a": "s3", "sftp": "sftp", "ssh": "sftp"}
# A file appears under its name before it is whole there; a new one is written aside and renamed.
_WITH_FOLDERS = frozenset({"file", "local", "sftp", "ssh"})
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/@]*@")


def remote_url(given: str | None = None) -> str:
    """Return the remote home that is meant: what was given, else ``$NEMORUN_REMOTE``.

    Raises:
        StoreError: There is none.
    """
    url = given or os.environ.get(VARIABLE, "")
    if not url:
        raise StoreError(
            f"Which remote home? Set {VARIABLE}, or give --remote: a folder, sftp://host/folder or "
            "s3://bucket/prefix."
        )
    return url


class Place:
    """A remote home.

    Attributes:
        shown: Its address without a password.
        parallel: How many calls at once it takes well.

    Args:
        url: A folder, or an address that fsspec knows.

    Raises:
        StoreError: It cannot be reached, or what it needs is not installed.
    """

    def __init__(self, url: str) -> None:
        self.shown = _PASSWORD.sub(r"\1:***@", url)
        self._protocol = url.partition("://")[0] if "://" in url else "file"
        self.parallel = 1 if self._protocol in _WITH_FOLDERS else 8
        self._folders: set[str] = set()
        with self._told("reach"):
            self._files, self._root = _opened(url, self._protocol)
            self._check()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder; none where there is no such folder."""
        with self._told("list"):
            try:
                self._files.invalidate_cache()
                found = self._files.ls(self._path(folder), detail=False)
            except FileNotFoundError:
                return []
        names = [posixpath.basename(str(one).rstrip("/")) for one in found]
        return [name for name in names if name and not name.startswith(".")]

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        with self._told("look into"):
            return bool(self._files.exists(self._path(name)))

    def read(self, name: str, most: int) -> bytes:
        """Return what a file holds.

        Raises:
            FileNotFoundError: It is not there.
            StoreError: It is larger than ``most``, or cannot be read.
        """
        with self._told("read", missing=True), self._files.open(self._path(name), "rb") as file:
            data: bytes = file.read(most + 1)
        if len(data) > most:
            raise StoreError(f"{name} in {self.shown} is larger than any such file is.")
        return data

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, whole or not at all."""
        path = self._path(name)
        with self._told("write to"):
            if self._protocol not in _WITH_FOLDERS:
                self._files.pipe_file(path, data)
                return
            folder = posixpath.dirname(path)
            if folder not in self._folders:
                self._files.makedirs(folder, exist_ok=True)
                self._folders.add(folder)
            aside = posixpath.join(folder, f".new-{os.urandom(8).hex()}")
            try:
                with self._files.open(aside, "wb") as file:
                    file.write(data)
                    with contextlib.suppress(AttributeError, OSError):
                        os.fsync(file.fileno())
                self._files.mv(aside, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._files.rm_file(aside)
                raise

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with self._told("write to"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    def _check(self) -> None:
        """Tell a bucket that is not there from one that is empty."""
        if self._protocol not in {"s3", "s3a"}:
            return
        bucket = self._root.split("/")[0]
        try:
            self._files.call_s3("head_bucket", Bucket=bucket)
        except FileNotFoundError:
            raise StoreError(
                f"There is no bucket {bucket!r} where {self.shown} would be. Make it, or correct "
                "the name; the service is that of AWS_ENDPOINT_URL or FSSPEC_S3_ENDPOINT_URL."
            ) from None

    @contextlib.contextmanager
    def _told(self, doing: str, *, missing: bool = False) -> Iterator[None]:
        try:
            yield
        except (StoreError, MemoryError):
            raise
        except ImportError as error:
            extra = _EXTRAS.get(self._protocol)
            install = f": pip install 'nemo-run[{extra}]'" if extra else f" ({error})"
            raise StoreError(f"For {self.shown} a package is needed{install}.") from error
        except FileNotFoundError:
            if missing:
                raise
            raise StoreError(f"Could not {doing} {self.shown}: a folder is not there.") from None
        except PermissionError as error:
            raise StoreError(
                f"Could not {doing} {self.shown}: permission denied. Ask its owner, or look at the "
                f"credentials that are used ({_why(error)})."
            ) from error
        except Exception as error:
            raise StoreError(f"Could not {doing} {self.shown}: {_why(error)}.") from error


def _opened(url: str, protocol: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise StoreError(
            "For remote homes the package fsspec is needed: pip install 'nemo-run[share]'; "
            "nemo-run[s3] for S3, nemo-run[sftp] for SFTP."
        ) from None
    if protocol in {"sftp", "ssh"}:
        from .sftp import opened

        return opened(url, connect=_CONNECT, answer=_ANSWER)
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if protocol in {"s3", "s3a"}:
        # botocore: each try of a call, and how many there are.
        options["config_kwargs"] = {
            "connect_timeout": _CONNECT,
            "read_timeout": _ANSWER,
            "retries": {"max_attempts": 3},
        }
    if protocol == "file":
        options, url = {"skip_instance_cache": True}, os.path.expanduser(url)  # noqa: PTH111
    try:
        files, root = url_to_fs(url, **options)
    except ValueError as error:
        raise StoreError(
            f"{protocol}:// is none of the places that fsspec knows ({error}). Use a folder, "
            "sftp://host/folder or s3://bucket/prefix."
        ) from None
    return files, str(root).rstrip("/")


def _why(error: Exception) -> str:
    text = str(error).strip().splitlines()
    kind = type(error).__name__
    return f"{kind}: {text[0][:300].rstrip('.')}" if text else kind
