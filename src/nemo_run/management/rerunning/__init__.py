"""Stored experiments, run again: with other values, or elsewhere."""

from __future__ import annotations
