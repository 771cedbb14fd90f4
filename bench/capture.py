"""Print how long it takes to say where an experiment comes from, in wall seconds.

python bench/capture.py ours     all that is recorded at submission, imports included
python bench/capture.py plain    the names and versions of packages, by importlib.metadata
"""

from __future__ import annotations

import sys
import time


def ours() -> None:
    """Do what a submission does, in a process that has imported nemo_run."""
    from nemo_run.management.capture import environment

    environment.describe()


def plain() -> None:
    """List the packages as Python's own library does."""
    from importlib.metadata import distributions

    _ = {one.metadata["Name"]: one.version for one in distributions()}


if __name__ == "__main__":
    import nemo_run  # noqa: F401 - paid by both

    started = time.perf_counter()
    {"ours": ours, "plain": plain}[sys.argv[1]]()
    print(time.perf_counter() - started)
