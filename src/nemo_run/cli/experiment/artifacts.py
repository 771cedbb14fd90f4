"""``nemo-run experiment artifacts``, which is ``nemo-run artifacts``."""

from __future__ import annotations

from nemo_run.cli.artifacts import group as command

__all__ = ["command"]
