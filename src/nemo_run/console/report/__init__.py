"""What is known of one or several experiments, as one page that needs nothing else."""

from __future__ import annotations

from .page import report

__all__ = ["report"]
