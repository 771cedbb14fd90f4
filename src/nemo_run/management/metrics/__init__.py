"""The numbers that jobs log while they run: read, and brought from where they run.

What is read is a file that another process is writing, and somebody else may have written: lines
that make no sense are passed over, and memory is bounded however long it is.
"""

from __future__ import annotations

from .bringing import fetch
from .reading import Metrics, Series, metrics_files, read

__all__ = ["Metrics", "Series", "fetch", "metrics_files", "read"]
