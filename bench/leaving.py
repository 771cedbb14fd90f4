"""What jobs leave: a call of log_metrics, and a file of 1 GB that is pulled."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cases import Row

_CALLS = 100_000


def logging() -> Iterator[Row]:
    """Log two numbers a step, beside writing the same with a file and json."""
    import nemo_run as run

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NEMORUN_METRICS_FILE"] = f"{folder}/metrics.jsonl"
        run.log_metrics(step=0, loss=1.0)
        started = time.process_time()
        for step in range(_CALLS):
            run.log_metrics(step=step, loss=0.123 * step, lr=1e-4)
        ours = time.process_time() - started
        with open(f"{folder}/plain.jsonl", "a") as file:
            started = time.process_time()
            for step in range(_CALLS):
                line = {"step": step, "time": time.time(), "loss": 0.123 * step, "lr": 1e-4}
                file.write(json.dumps(line) + "\n")
            plain = time.process_time() - started
        started = time.process_time()
        for step in range(_CALLS):
            line = {"step": step, "time": time.time(), "loss": 0.123 * step, "lr": 1e-4}
            with open(f"{folder}/each.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")
        each = time.process_time() - started
    per_call = 1e6 / _CALLS
    name = "log_metrics, a call, beside file.write(json.dumps())"
    yield Row(f"{name}, buffered, CPU", ours * per_call, plain * per_call, "µs", "20 µs")
    yield Row(f"{name}, opened each time, CPU", ours * per_call, each * per_call, "µs", "")


_PULL = """
import sys
from pathlib import Path
from nemo_run.management.artifacts import pulling
from nemo_run.management.artifacts.listing import look
from nemo_run.management.artifacts.places import Place
from nemo_run.remote import LocalTunnel
source, here = sys.argv[1:]
place = Place("job", "", source, here, (), LocalTunnel())
work = pulling._Work(pulling.Pulled(), pulling.Progress(), lambda state: None)
work.bring(look([place]), place, Path(here))
"""


def pulling() -> Iterator[Row]:
    """Pull a file through the protocol, and 1,000 small ones; beside cp and two sha256sum."""
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder, "large"), Path(folder, "small")
        large.mkdir()
        small.mkdir()
        with (large / "file").open("wb") as file:
            block = os.urandom(1 << 20)
            for _ in range(1024):
                file.write(block)
        for number in range(1000):
            (small / str(number)).write_bytes(b"%d" % number)
        for source, what in ((large, "pull a file of 1 GiB"), (small, "pull 1,000 small files")):
            plain = _seconds(
                f"cp -r {source} {folder}/copy && sync {folder}/copy && cat {source}/* | "
                f"sha256sum && cat {folder}/copy/* | sha256sum",
            )
            shutil.rmtree(f"{folder}/copy")
            ours = _seconds(
                sys.executable, "-c", _PULL, str(source), f"{folder}/here-{source.name}"
            )
            yield Row(f"{what}, wall", ours, plain, "s", "")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        yield Row("pull: peak memory of the largest process", peak, None, "MiB", "flat")


def _seconds(*command: str) -> float:
    argv = list(command) if len(command) > 1 else ["sh", "-c", *command]
    started = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
