"""The process that drives one experiment to its end, and outlives the terminal.

Started by :mod:`nemo_run.management.conductor.launch`.
"""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from nemo_run.execution.registry import get_backend
from nemo_run.management.hooks.launch import start as tell_hooks
from nemo_run.management.sharing.at_end import push_at_end
from nemo_run.management.store.record import Record
from nemo_run.shared_home import open_up

from .charge import charge
from .conducting import Conducting, Leave
from .launch import HAND_OVER, ONLY_CANCELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.execution.backend import Backend


_LEAVING = 3
"""Seconds until it leaves whatever it waits for."""


def conduct(
    record: Record,
    backend_named: Callable[[str], Backend] = get_backend,
    *,
    begun: Callable[[Conducting], None] = lambda _: None,
    only_cancels: bool = False,
    hand_over: bool = False,
) -> int:
    """Take charge of an experiment and drive it to its end, unless somebody else has charge.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        begun: Called with what is being driven, to be able to stop it.
        only_cancels: Only carry out the requests to cancel.
        hand_over: Leave as soon as the engines finish the rest alone.

    Returns:
        The exit code of the process: 0 also when there was nothing to do.
    """
    try:
        with charge(record):
            work = Conducting(record, backend_named, only_cancels=only_cancels, hand_over=hand_over)
            begun(work)
            hindered = tell_hooks(record)
            if hindered:
                work.log(hindered)
            why = work.run()
            if why == "stopped":
                work.log("left, stopped; what runs goes on")
        # Where a home is shared, others may read what jobs have left.
        open_up(record.path)
        # Free again, so that it is pushed as an experiment that is over.
        hindered = push_at_end(record)
        if hindered:
            work.log(hindered)
    except TimeoutError:
        # Its holder does what we would; two launchers are no error.
        return 0
    return 0


def main(arguments: list[str]) -> int:
    """Conduct the experiment in the folder that is the first argument.

    With :data:`ONLY_CANCELS` after it, only the requests to cancel are carried out; with
    :data:`HAND_OVER` it leaves as soon as the engines finish the rest alone.
    """

    def leave(_number: int, _frame: object) -> None:
        raise Leave

    def stop_on_signal(work: Conducting) -> None:
        def stop(_number: int, _frame: object) -> None:
            # The jobs run on; `nemo-run experiment resume` takes charge again.
            work.stopping = True
            # An engine may take minutes to answer; what it was asked is found again by its token.
            signal.alarm(_LEAVING)

        signal.signal(signal.SIGALRM, leave)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)

    try:
        return conduct(
            Record(arguments[0]),
            begun=stop_on_signal,
            only_cancels=ONLY_CANCELS in arguments[1:],
            hand_over=HAND_OVER in arguments[1:],
        )
    except Leave:
        # It came a moment after everything was done.
        return 0
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
