"""Fixtures of this folder; what they are made of is in `sshd_lab`, which tests import by name."""

from __future__ import annotations

from sshd_lab import cluster, lab, tunnel, wait_until

__all__ = ["cluster", "lab", "tunnel", "wait_until"]
