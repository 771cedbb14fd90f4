"""What runs inside a job: one file, shipped as it is (:mod:`nemo_run.worker.worker`)."""

from __future__ import annotations

from pathlib import Path


def source() -> str:
    """Return the text of the file that travels with every job."""
    return (Path(__file__).parent / "worker.py").read_text(encoding="utf-8")
