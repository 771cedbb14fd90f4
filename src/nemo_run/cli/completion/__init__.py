"""What a shell offers when the Tab key is pressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from .values import Candidate
    from .words import candidates

_HOMES = {"Candidate": "values", "candidates": "words"}

__all__ = ["Candidate", "candidates"]

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
