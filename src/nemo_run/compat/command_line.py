"""The parser of command lines, as programs of the reference implementation call it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def parse_cli_args(
    fn: Any, args: Sequence[str], kind: Any = None, *, output_type: Any = None
) -> Any:
    """Return the configuration of a function that a command line describes.

    Args:
        fn: The function.
        args: The words of the command line.
        kind: ``Partial`` or ``Config``; programs give it here, or by name, or both.
        output_type: The same.
    """
    from nemo_run.cli.parse_args import parse_cli_args as parse
    from nemo_run.config import Partial

    return parse(fn, args, output_type or kind or Partial)
