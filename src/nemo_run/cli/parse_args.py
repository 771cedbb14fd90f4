"""Arguments of a command line as a configuration, for programs with a front door of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from nemo_run.config.graph.copying import recast
from nemo_run.config.graph.node import Config, Node, Partial, is_node, target_of
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.positional import bound, parted, start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def parse_cli_args(
    fn: Callable[..., T] | Node[T],
    args: Sequence[str],
    output_type: type[Config[T] | Partial[T]] = Partial,
) -> Any:
    """Return the configuration of a function that a command line describes.

    Args:
        fn: The function, or a configuration of it to begin with.
        args: Words: values by position (or first the name of one of its factories), then
            ``key=value``.
        output_type: ``Partial`` or ``Config``.

    Raises:
        OverrideError: A key, value or factory cannot be used.
    """
    begin: Any = fn
    words, overrides = parted(args, target_of(begin) if is_node(fn) else begin)
    if not is_node(fn):
        made, words = start(fn, words)  # type: ignore[arg-type]
        begin = Partial(fn) if made is None else made  # type: ignore[arg-type]
    target = target_of(begin)
    node = apply(begin, [*bound(target, words), *overrides])
    if isinstance(node, output_type):
        return node
    return recast(node, output_type)


def parse_partial(fn: Callable[..., T], *args: str) -> Partial[T]:
    """Return the ``Partial`` of a function that the words of a command line describe."""
    return parse_cli_args(fn, args, Partial)  # type: ignore[no-any-return]


def parse_config(fn: Callable[..., T], *args: str) -> Config[T]:
    """Return the ``Config`` of a function that the words of a command line describe."""
    return parse_cli_args(fn, args, Config)  # type: ignore[no-any-return]
