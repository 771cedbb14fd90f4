"""Waits until nobody uses an engine any more, and ends what they have left: sessions get killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from .shared import Place, locked


def main(folder: Path) -> None:
    """Return when the engine in ``folder`` is gone."""
    place = Place(folder)
    while folder.exists():
        time.sleep(1)
        if not place.users():
            with locked():
                place.sweep()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
