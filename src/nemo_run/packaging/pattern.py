"""The packager that sends files which match patterns, in a repository or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

from .packager import TreePackager
from .patterns import as_list, matched, pairs
from .snapshot import Contents
from .tree import shown

if TYPE_CHECKING:
    from .snapshot import CodePlace


@dataclass(kw_only=True)
class PatternPackager(TreePackager):
    """Sends the files that match patterns of the shell; git need not know of them.

    A folder that matches stands for everything in it, and ``**`` for any folders.

    Attributes:
        include_pattern: One pattern or several; seen from the relative path, or absolute.
        relative_path: For each pattern the folder that its files' paths in the code folder start
            from; seen from the launching process's folder, or absolute.
    """

    include_pattern: str | list[str]
    relative_path: str | list[str]

    def __post_init__(self) -> None:
        pairs(self.include_pattern, self.relative_path, "relative_path")

    def contents(self, place: CodePlace) -> Contents:
        """Return what matches; see :class:`Packager`."""
        patterns = as_list(self.include_pattern)
        folders = [
            os.path.normpath(
                os.path.join(place.working_directory, os.path.expanduser(folder))  # noqa: PTH111, PTH118
            )
            for folder in as_list(self.relative_path) or [""] * len(patterns)
        ]
        root = folders[0] if len(set(folders)) == 1 else ""
        found = Contents({}, root, left_out=lambda _: "is matched by no pattern")
        for pattern, folder in zip(patterns, folders, strict=True):
            more = matched(pattern, folder, place)
            if not more:
                found.warnings += (f"The pattern {pattern!r} matches no file in {shown(folder)}.",)
            found.lay_over(more, repr(pattern), "an earlier pattern")
        if not found.entries:
            raise PackagingError(
                f"No file matches {' or '.join(map(repr, patterns)) or 'no pattern'} in "
                f"{' or '.join(dict.fromkeys(map(shown, folders)))}."
            )
        return found
