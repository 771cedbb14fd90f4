"""Install the programs that some tests need; what is there already is left alone.

Run by `make test` with CI=true or ENGINES=install. PyTorch is large, so only CI installs it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys

# program → Debian package
PROGRAMS = {"dash": "dash", "busybox": "busybox", "ps": "procps", "zsh": "zsh", "fish": "fish"}
TORCH = "torch==2.13.0"


def main() -> int:
    missing = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        apt = ["apt-get"] if os.geteuid() == 0 else ["sudo", "-n", "apt-get"]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*apt, "update", "-qq"], check=True, env=environment)
        subprocess.run(
            [*apt, "install", "-y", "-qq", "--no-install-recommends", *missing],
            check=True,
            env=environment,
        )
    if os.environ.get("CI") == "true" and importlib.util.find_spec("torch") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", TORCH], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
