"""``python -m nemo_run`` is the command ``nemo-run``."""

from __future__ import annotations

import sys

from nemo_run.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
