"""The front door: the command ``nemo-run``."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from nemo_run.compat import missing

    raise missing(__name__, name)
