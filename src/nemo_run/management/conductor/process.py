"""The process that drives one experiment to its end, and outlives the terminal.

Started by :mod:`nemo_run.management.conductor.launch`.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from nemo_run.execution.registry import get_backend
from nemo_run.management.store.record import Record

from .charge import charge
from .conducting import Conducting
from .launch import ONLY_CANCELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.execution.backend import Backend


def conduct(
    record: Record,
    backend_named: Callable[[str], Backend] = get_backend,
    *,
    begun: Callable[[Conducting], None] = lambda _: None,
    only_cancels: bool = False,
) -> int:
    """Take charge of an experiment and drive it to its end, unless somebody else has charge.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        begun: Called with what is being driven, to be able to stop it.
        only_cancels: Only carry out the requests to cancel.

    Returns:
        The exit code of the process: 0 also when there was nothing to do.
    """
    try:
        with charge(record):
            work = Conducting(record, backend_named, only_cancels=only_cancels)
            begun(work)
            if work.run() == "stopped":
                work.log("left, stopped; what runs goes on")
    except TimeoutError:
        # Its holder does what we would; two launchers are no error.
        return 0
    return 0


def main(arguments: list[str]) -> int:
    """Conduct the experiment in the folder that is the first argument.

    With :data:`ONLY_CANCELS` after it, only the requests to cancel are carried out.
    """

    def stop_on_signal(work: Conducting) -> None:
        def stop(_number: int, _frame: object) -> None:
            # The jobs run on; `nemo-run experiment resume` takes charge again.
            work.stopping = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    only_cancels = arguments[1:] == [ONLY_CANCELS]
    return conduct(Record(arguments[0]), begun=stop_on_signal, only_cancels=only_cancels)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
