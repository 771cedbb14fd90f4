"""Install the programs that some tests need; what is there already is left alone.

Run by `make test` with CI=true or ENGINES=install. PyTorch is large, so only CI installs it. The
clusters of tests/engines need root, so their packages are installed for root only.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engines import packages

# program → Debian package
PROGRAMS = {
    "busybox": "busybox",
    "chromium": "chromium",
    "dash": "dash",
    "fish": "fish",
    "ps": "procps",
    "rsync": "rsync",
    "ssh": "openssh-client",
    "/usr/sbin/sshd": "openssh-server",
    "tcsh": "tcsh",
    "zsh": "zsh",
}
TORCH = "torch==2.13.0"
# Debian's packages start their daemons unless this program forbids it (invoke-rc.d(8)).
POLICY = Path("/usr/sbin/policy-rc.d")


def main() -> int:
    """Install what is missing; return the exit status."""
    root = os.geteuid() == 0
    missing = packages.missing(packages.ALL) if root else []
    missing += [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if missing:
        install(sorted({*missing}), [] if root else ["sudo", "-n"])
    if os.environ.get("CI") == "true" and importlib.util.find_spec("torch") is None:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", TORCH], check=True)
    return 0


def install(missing: list[str], prefix: list[str]) -> None:
    """Install Debian packages, and start none of their daemons."""
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    apt += ["-qq", "-o", "DPkg::Lock::Timeout=300"]
    forbid = not POLICY.exists()
    if forbid:
        with tempfile.NamedTemporaryFile("w") as text:
            text.write("#!/bin/sh\nexit 101\n")
            text.flush()
            subprocess.run([*prefix, "install", "-m", "755", text.name, POLICY], check=True)
    try:
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", *missing], check=True)
    finally:
        if forbid:
            subprocess.run([*prefix, "rm", "-f", POLICY], check=True)


if __name__ == "__main__":
    raise SystemExit(main())
