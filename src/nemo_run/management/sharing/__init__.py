"""Experiments for others: archives that open on another machine, and homes elsewhere."""

from __future__ import annotations
