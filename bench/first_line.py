"""Print the CPU seconds that a process has used when the first line of user code runs."""

from __future__ import annotations

import sys
import time


def first_line() -> float:
    """Return the CPU time so far."""
    return time.process_time()


if __name__ == "__main__" and sys.argv[1] == "plain":
    print(first_line())
elif __name__ == "__main__":
    import nemo_run as run

    with run.Experiment("bench-worker") as experiment:
        experiment.add(run.Partial(first_line), executor=run.LocalExecutor(), name="first-line")
        print(experiment.run()["first-line"])
