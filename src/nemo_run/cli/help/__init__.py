"""What ``--help`` of a function and :func:`nemo_run.help` show."""

from __future__ import annotations

from .page import help, help_of  # noqa: A004 - the public name

__all__ = ["help", "help_of"]
