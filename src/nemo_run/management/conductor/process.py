"""The process that drives one experiment to its end, and outlives the terminal.

Started by :mod:`nemo_run.management.conductor.launch`.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
from typing import TYPE_CHECKING

from nemo_run.execution.registry import get_backend
from nemo_run.management.store import events
from nemo_run.management.store.record import Record

from .charge import charge
from .conducting import Conducting

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.execution.backend import Backend


def conduct(
    record: Record,
    backend_named: Callable[[str], Backend] = get_backend,
    *,
    begun: Callable[[Conducting], None] = lambda _: None,
) -> int:
    """Take charge of an experiment and drive it to its end, unless somebody else has charge.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        begun: Called with what is being driven, to be able to stop it.

    Returns:
        The exit code of the process: 0 also when there was nothing to do.
    """
    try:
        with charge(record):
            _conduct(Conducting(record, backend_named), begun)
    except TimeoutError:
        # Its holder does what we would; two launchers are no error.
        return 0
    return 0


def _conduct(work: Conducting, begun: Callable[[Conducting], None]) -> None:
    begun(work)
    work.note(events.conductor_started(os.getpid(), platform.node(), ""))
    why = work.run()
    work.note(events.conductor_ended(why, *_cost()))
    if why != "done":
        work.log(f"left, {why}; what runs goes on")


def _cost() -> tuple[float, float]:
    """Return the CPU seconds and the MiB that this process has used."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of each).
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return used.ru_utime + used.ru_stime, used.ru_maxrss / unit


def main(arguments: list[str]) -> int:
    """Conduct the experiment in the folder that is the only argument."""

    def stop_on_signal(work: Conducting) -> None:
        def stop(_number: int, _frame: object) -> None:
            # The jobs run on; `nemo-run experiment resume` takes charge again.
            work.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    return conduct(Record(arguments[0]), begun=stop_on_signal)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
