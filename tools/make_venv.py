"""Make a virtual environment with pip, also where the system's Python came without ensurepip.

Debian and Ubuntu put ensurepip into a package of its own (python3-venv), which a fresh machine
may lack. Then pip's own wheel is fetched from the package index and installs itself.
"""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

MINIMUM = (3, 10)


def main() -> int:
    """Make the environment that the command line names; return the exit code."""
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"NeMo Run needs Python 3.10 or newer; {sys.executable} is {found}.", file=sys.stderr)
        print("Name another one: make PYTHON=python3.12 …", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    python = folder / "bin" / "python"
    if python.exists() and has_pip(python):
        return 0
    venv.create(folder, with_pip=False, clear=folder.exists(), symlinks=True)
    ensure = subprocess.run(
        [python, "-m", "ensurepip", "--default-pip"], capture_output=True, check=False
    )
    if ensure.returncode != 0:
        install_pip_from_index(python)
    return 0


def has_pip(python: Path) -> bool:
    """Tell whether that environment can install packages."""
    version = [python, "-m", "pip", "--version"]
    return subprocess.run(version, capture_output=True, check=False).returncode == 0


def install_pip_from_index(python: Path) -> None:
    """Fetch pip's newest wheel and let it install itself (PEP 503 for the index page)."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    with urllib.request.urlopen(index, timeout=60) as page:
        links = re.findall(r'href="([^"]+\.whl[^"]*)"', page.read().decode())
    stable = [link for link in links if re.search(r"/pip-[\d.]+-py3-none-any\.whl", link)]
    newest = max(stable, key=lambda link: [int(n) for n in version_of(link).split(".")])
    url = urllib.parse.urljoin(index, html.unescape(newest).split("#")[0])
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / f"pip-{version_of(newest)}-py3-none-any.whl"
        with urllib.request.urlopen(url, timeout=300) as body:
            wheel.write_bytes(body.read())
        subprocess.run(
            [python, f"{wheel}/pip", "install", "--quiet", "--no-index", wheel], check=True
        )


def version_of(link: str) -> str:
    """Return the version in a wheel's name."""
    found = re.search(r"/pip-([\d.]+)-py3", link)
    if found is None:
        message = f"no version in {link!r}"
        raise ValueError(message)
    return found.group(1)


if __name__ == "__main__":
    raise SystemExit(main())
