"""What is measured. Every case yields rows: our figure, what it stands beside, the budget."""

from __future__ import annotations

import copy
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import measure

HERE = Path(__file__).parent
PYTHON = sys.executable
COMMAND = str(Path(sys.executable).with_name("nemo-run"))


@dataclass(frozen=True)
class Row:
    """One line of the table. Figures are in ``unit``; ``beside`` is None where there is nothing."""

    what: str
    ours: float
    beside: float | None
    unit: str
    budget: str

    def line(self) -> str:
        """Return the row as Markdown."""
        other, more, ratio = "", "", ""
        if self.beside is not None:
            other = f"{self.beside:,.1f} {self.unit}"
            more = f"{self.ours - self.beside:,.1f} {self.unit}"
            ratio = f"{self.ours / self.beside:.2f}" if self.beside else ""
        ours = f"{self.ours:,.1f} {self.unit}"
        return f"| {self.what} | {ours} | {other} | {more} | {ratio} | {self.budget} |"


def importing() -> Iterator[Row]:
    """`import nemo_run`: CPU and modules over bare Python."""
    ours, plain = measure.beside([PYTHON, "-c", "import nemo_run"], [PYTHON, "-c", "pass"])
    yield Row("import nemo_run, CPU", 1e3 * ours.cpu, 1e3 * plain.cpu, "ms", "80 ms")
    count = "import sys; {}print(len(sys.modules))"
    modules = [
        float(_output([PYTHON, "-c", count.format(extra)])) for extra in ("import nemo_run; ", "")
    ]
    yield Row("import nemo_run, modules", modules[0], modules[1], "", "150")


def helping() -> Iterator[Row]:
    """`nemo-run --help`, and that of a script's own function: CPU over bare Python."""
    ours, plain = measure.beside([COMMAND, "--help"], [PYTHON, "-c", "pass"])
    yield Row("nemo-run --help, CPU", 1e3 * ours.cpu, 1e3 * plain.cpu, "ms", "150 ms")
    script = str(HERE / "entrypoint.py")
    ours, plain = measure.beside([PYTHON, script, "--help"], [PYTHON, "-c", "pass"])
    yield Row("--help of an entrypoint, CPU", 1e3 * ours.cpu, 1e3 * plain.cpu, "ms", "150 ms")


def starting_the_worker() -> Iterator[Row]:
    """The worker up to the first line of the user's function, CPU over bare Python."""
    first_line = str(HERE / "first_line.py")
    ours = [float(_output([PYTHON, first_line, "worker"])) for _ in range(9)]
    plain = [float(_output([PYTHON, first_line, "plain"])) for _ in range(9)]
    yield Row(
        "worker start to the first line of user code, CPU",
        1e3 * statistics.median(ours),
        1e3 * statistics.median(plain),
        "ms",
        "40 ms over Python",
    )


def one_script() -> Iterator[Row]:
    """`run.run` of a shell script that does nothing, wall over the script itself."""
    ours = _seconds_inside("script")
    plain = measure.median(["/bin/sh", "-c", "true"]).wall
    yield Row(
        "one trivial script, run.run to return", 1e3 * ours, 1e3 * plain, "ms", "500 ms over it"
    )


def one_partial() -> Iterator[Row]:
    """`run.run` of a function that does nothing, wall beside starting Python."""
    ours = _seconds_inside("partial")
    plain = measure.median([PYTHON, "-c", "pass"]).wall
    yield Row("one trivial Partial, run.run to return", 1e3 * ours, 1e3 * plain, "ms", "")


def capturing() -> Iterator[Row]:
    """What a submission records of machine, packages and code, beside listing packages alone."""
    script = str(HERE / "capture.py")
    ours = [float(_output([PYTHON, script, "ours"])) for _ in range(9)]
    plain = [float(_output([PYTHON, script, "plain"])) for _ in range(9)]
    yield Row(
        "record where a run comes from, wall, beside importlib.metadata",
        1e3 * statistics.median(ours),
        1e3 * statistics.median(plain),
        "ms",
        "300 ms",
    )


def many_jobs() -> Iterator[Row]:
    """100 and 1,000 jobs that do nothing: our CPU a job, memory, and the wall clock."""
    for count in (100, 1000):
        figures = json.loads(_output([PYTHON, str(HERE / "many_jobs.py"), str(count)]))
        shell = f"i=0; while [ $i -lt {count} ]; do /bin/sh -c true; i=$((i+1)); done"
        plain = measure.median(["/bin/sh", "-c", shell], runs=3)
        yield Row(
            f"{count:,} jobs: CPU of launcher and conductor, a job",
            1e3 * (figures["launcher_cpu"] + figures["conductor_cpu"]) / count,
            None,
            "ms",
            "5 ms a job",
        )
        yield Row(
            f"{count:,} jobs: wall, beside a shell loop of `sh -c true`",
            1e3 * figures["wall"],
            1e3 * plain.wall,
            "ms",
            "",
        )
        yield Row(f"{count:,} jobs: conductor, peak memory", figures["memory"], None, "MiB", "flat")


def sweep_of_many() -> Iterator[Row]:
    """A sweep of 1,000 points that do nothing, four at once: our CPU a point, and the table's."""
    figures = json.loads(_output([PYTHON, str(HERE / "many_jobs.py"), "1000", "4"]))
    cpu = (figures["launcher_cpu"] + figures["conductor_cpu"]) / 1000
    yield Row("sweep of 1,000, 4 at once: CPU a point", 1e3 * cpu, None, "ms", "7 ms a point")
    yield Row("sweep of 1,000: its table, CPU", 1e3 * figures["table"], None, "ms", "1 s")


def codec_and_copy() -> Iterator[Row]:
    """A graph of 1,000 nodes: written, read, copied, built, beside json and deepcopy of a dict."""
    import nemo_run as run
    from nemo_run.config import build
    from nemo_run.config.files import codec

    tree = run.Config(dict, children=[run.Config(_leaf, a=i, b=str(i), c=[i]) for i in range(999)])
    plain = {"children": [{"a": i, "b": str(i), "c": [i]} for i in range(999)]}
    text, plain_text = codec.dumps(tree), json.dumps(plain, indent=1)
    yield Row(
        "1,000 nodes: write",
        _ms(lambda: codec.dumps(tree)),
        _ms(lambda: json.dumps(plain, indent=1)),
        "ms",
        "",
    )
    yield Row(
        "1,000 nodes: read",
        _ms(lambda: codec.loads(text)),
        _ms(lambda: json.loads(plain_text)),
        "ms",
        "",
    )
    yield Row("1,000 nodes: clone", _ms(tree.clone), _ms(lambda: copy.deepcopy(plain)), "ms", "")
    yield Row(
        "1,000 nodes: build",
        _ms(lambda: build(tree)),
        _ms(lambda: [_leaf(**c) for c in plain["children"]]),
        "ms",
        "",
    )


def listing() -> Iterator[Row]:
    """List 10,000 experiments of 3 jobs with 20 facts each: CPU over the start of the command."""
    import make_experiments

    make_experiments.make_experiments(Path(os.environ["NEMORUN_HOME"]), 10_000)
    first = measure.once([COMMAND, "experiment", "list", "--limit", "20"])
    yield Row(
        "10,000 experiments: first list, builds the index, CPU", 1e3 * first.cpu, None, "ms", ""
    )
    yield Row("10,000 experiments: first list, peak memory", first.memory, None, "MiB", "")
    condition = "lr < 1e-2 and accuracy > 0.9"
    for what, options in (
        ("list", []),
        ("list, by state", ["--state", "FAILED"]),
        ("list, by tag", ["--tag", "best"]),
        (f"list --where '{condition}'", ["--where", condition]),
        ("list --sort -accuracy", ["--sort", "-accuracy", "--columns", "lr,accuracy"]),
    ):
        ours, start = measure.beside(
            [COMMAND, "experiment", "list", "--limit", "20", *options], [COMMAND, "--version"]
        )
        yield Row(
            f"10,000 experiments: {what}, CPU",
            1e3 * ours.cpu,
            1e3 * start.cpu,
            "ms",
            "150 ms over start",
        )


def _leaf(a: int, b: str, c: list[int]) -> tuple[int, str, list[int]]:
    return a, b, c


def _ms(call: Callable[[], object], runs: int = 9) -> float:
    times = []
    for _ in range(runs):
        started = time.process_time()
        call()
        times.append(time.process_time() - started)
    return 1e3 * statistics.median(times)


def _seconds_inside(kind: str) -> float:
    script = str(HERE / "one_job.py")
    return statistics.median(float(_output([PYTHON, script, kind])) for _ in range(7))


def _output(command: list[str]) -> str:
    import subprocess

    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]
