"""Hooks: programs, web addresses and functions that are told what happens to experiments.

What is to be told whom is written into the record when an experiment is made (``hooks.json``). A
process of its own reads the journal and tells it (:mod:`.process`), so that nothing that a hook
does, or fails to do, reaches the run.
"""

from __future__ import annotations

from .hook import Hook

__all__ = ["Hook"]
