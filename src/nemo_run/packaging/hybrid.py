"""The packager that puts together what others send."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

from .packager import Packager, TreePackager
from .snapshot import Contents

if TYPE_CHECKING:
    from .snapshot import CodePlace


@dataclass(kw_only=True)
class HybridPackager(TreePackager):
    """Sends what several packagers send.

    Attributes:
        sub_packagers: Folder of the code folder → the packager that fills it.
        extract_at_root: Put everything into the code folder itself; the keys are names only. Of
            files with the same path the later packager's counts, and the plan says so.
    """

    sub_packagers: dict[str, Packager] = field(default_factory=dict)
    extract_at_root: bool = False

    def contents(self, place: CodePlace) -> Contents:
        """Return what all of them found; see :class:`Packager`."""
        whole: Contents | None = None
        for name, packager in self.sub_packagers.items():
            part = packager.gather(place)
            if part is None:
                continue
            folder = b"" if self.extract_at_root else _folder(name)
            if whole is None:
                whole = Contents({}, "" if folder else part.root, part.commit)
                whole.left_out = None if folder else part.left_out
            if part.root != whole.root:
                whole.left_out = None
            moved = {folder + path: entry for path, entry in part.entries.items()}
            whole.lay_over(moved, f"the packager {name!r}", "one before it")
            whole.modified += part.modified
            whole.untracked += part.untracked
            whole.warnings += part.warnings
            whole.holding += part.holding
            if part.commit != whole.commit:
                whole.commit = ""  # of several repositories none speaks for all
        if whole is None:
            raise PackagingError(
                "This HybridPackager has no packager that sends anything. Give sub_packagers=, as "
                "in {'code': run.GitArchivePackager()}."
            )
        return whole


def _folder(name: str) -> bytes:
    folder = os.path.normpath(name)
    if os.path.isabs(folder) or folder.split("/")[0] == "..":  # noqa: PTH117 - text
        raise PackagingError(
            f"The key {name!r} of sub_packagers is no folder of the code folder. Give a relative "
            "path, as in 'data'."
        )
    return b"" if folder == "." else os.fsencode(folder) + b"/"
