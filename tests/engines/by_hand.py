"""A cluster to play with: `cd tests && python -m engines.by_hand`, as root; Ctrl-C ends it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from signal import pause

from . import packages
from .shared import Place
from .slurm import Slurm
from .slurm_conf import Shape
from .ssh import Login


def main() -> int:
    """Bring everything up, say how to use it, and wait."""
    if missing := packages.missing(packages.ALL):
        print(f"These Debian packages are missing: {' '.join(missing)}", file=sys.stderr)
        return 1
    place = Place.of("by hand")

    def bring_up(shape: Shape) -> None:
        shape = replace(shape, accounting=True)
        Slurm(shape).up()
        Login(shape).up()
        place.ready(shape)

    shape = place.enter(bring_up)
    print(f"export SLURM_CONF={Slurm(shape).conf} PATH={Login(shape).bin}:$PATH")
    print(f"# the login host: ssh {Login(shape).host}", flush=True)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            pause()
    finally:
        place.leave()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
