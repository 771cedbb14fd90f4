"""The files that a command takes values from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.config.overrides.grammar import Override


@dataclass(frozen=True)
class Files:
    """What files say.

    Attributes:
        paths: The files, in the order in which they are laid over each other.
        overrides: The values of the task.
        run: Those of the sections ``run:``.
    """

    paths: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    run: tuple[Override, ...] = ()


def read_files(
    defaults: Mapping[str, Any], options: Mapping[str, Any], of_words: Sequence[Override]
) -> Files:
    """Read the files that a command names.

    Args:
        defaults: The program's defaults, by field of the context.
        options: The options given, likewise.
        of_words: ``run.…`` of the command line.

    Raises:
        OverrideError: A file cannot be read, or holds what cannot be used.
    """
    named = [str(o.text) for o in of_words if o.steps in {("yaml",), ("config",)}]
    paths = (*defaults.get("yaml", ()), *options.get("yaml", ()), *named)
    factory = options.get("factory") or defaults.get("factory") or ""
    if factory.startswith("@"):
        paths = (factory[1:], *paths)
    if not paths:
        return Files()
    from nemo_run.config.files.layers import overrides_of, run_overrides_of
    from nemo_run.config.files.load import load

    loaded = [load(path) for path in paths]
    return Files(
        paths,
        tuple(override for one in loaded for override in overrides_of(one)),
        tuple(override for one in loaded for override in run_overrides_of(one)),
    )
