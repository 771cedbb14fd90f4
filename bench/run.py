"""Print the figures of bench/README.md, each beside plain Python or the shell.

make bench                       all of them
.venv/bin/python bench/run.py import help     some of them
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cases
import leaving


def _cluster(name: str) -> Callable[[], Iterator[cases.Row]]:
    """Return a case that needs a cluster; what it needs is imported when it is asked for."""

    def case() -> Iterator[cases.Row]:
        import cluster

        yield from getattr(cluster, name)()

    return case


CASES: dict[str, Callable[[], Iterator[cases.Row]]] = {
    "import": cases.importing,
    "help": cases.helping,
    "worker": cases.starting_the_worker,
    "script": cases.one_script,
    "partial": cases.one_partial,
    "capture": cases.capturing,
    "jobs": cases.many_jobs,
    "sweep": cases.sweep_of_many,
    "codec": cases.codec_and_copy,
    "list": cases.listing,
    "metrics": leaving.logging,
    "pull": leaving.pulling,
    "slurm": _cluster("submitting"),
    "resubmit": _cluster("resubmitting"),
    "follow": _cluster("following"),
}


def main(names: list[str]) -> int:
    """Measure the named cases, or all; return the exit code."""
    unknown = [name for name in names if name not in CASES]
    if unknown:
        print(f"No case is called {unknown[0]!r}. There are: {', '.join(CASES)}.", file=sys.stderr)
        return 2
    cores = os.cpu_count()
    print(f"{platform.platform()}, {cores} cores, Python {platform.python_version()}\n")
    print("| what | ours | beside | difference | ratio | budget |")
    print("| --- | --- | --- | --- | --- | --- |")
    # Measured as it is installed: compiled once, not at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    home = tempfile.mkdtemp(prefix="nemo-run-bench-")
    os.environ["NEMORUN_HOME"] = home
    try:
        for name in names or CASES:
            for row in CASES[name]():
                print(row.line(), flush=True)
    finally:
        shutil.rmtree(Path(home), ignore_errors=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
