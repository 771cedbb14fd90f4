"""The files that a command takes values from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nemo_run.config.overrides.grammar import Override


@dataclass(frozen=True)
class Files:
    """What files say.

    Attributes:
        paths: The files, in the order in which they are laid over each other.
        overrides: The values of the task.
        run: Those of the sections ``run:``.
        factory: What the task begins with, where one of them names it.
    """

    paths: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    run: tuple[Override, ...] = ()
    factory: str | None = None


def paths_of(
    defaults: Mapping[str, Any], options: Mapping[str, Any], of_words: Sequence[Override]
) -> tuple[str, ...]:
    """Return the files that a command names, in order.

    Args:
        defaults: The program's defaults, by field of the context.
        options: The options given, likewise.
        of_words: ``run.…`` of the command line.
    """
    named = [str(o.text) for o in of_words if o.steps in {("yaml",), ("config",)}]
    factory = options.get("factory") or defaults.get("factory") or ""
    first = (factory[1:],) if factory.startswith("@") else ()
    return (*first, *defaults.get("yaml", ()), *options.get("yaml", ()), *named)


def read_files(paths: Sequence[str], function: Callable[..., Any] | None) -> Files:
    """Read files.

    Args:
        paths: The files, in order.
        function: What the task calls, where it is known.

    Raises:
        OverrideError: A file cannot be read, or holds what cannot be used.
    """
    if not paths:
        return Files()
    from nemo_run.config.files.layers import factory_of, overrides_of, run_overrides_of
    from nemo_run.config.files.load import load

    loaded = [load(path) for path in paths]
    factories = [found for found in map(factory_of, loaded) if found is not None]
    return Files(
        tuple(paths),
        tuple(override for one in loaded for override in overrides_of(one, function)),
        tuple(override for one in loaded for override in run_overrides_of(one)),
        str(factories[-1].text) if factories else None,
    )


def tell_replaced(overrides: Sequence[Override]) -> None:
    """Say which values of files the command line leaves no place for.

    Args:
        overrides: Those of files and of the command line, in their order.
    """
    from nemo_run.cli.shared.settings import note
    from nemo_run.config.overrides.ordering import replaced

    told: dict[str, list[str]] = {}
    for part, whole in replaced(overrides):
        if whole.kind == "command line":
            place = f"{part.file}:{part.line}" if part.line else part.file
            told.setdefault(f"{whole.key}={whole.text}", []).append(f"{part.key} ({place})")
    for whole_text, parts in told.items():
        note(f"{whole_text} replaces {', '.join(parts)}.")
