"""Make a virtual environment with pip, also where the system's Python came without ensurepip.

Debian and Ubuntu put ensurepip into a package of its own (python3-venv), which a fresh machine
may lack. Then pip's own wheel is fetched from the package index and installs itself.

This file has to be read by older Pythons too, to tell that they are too old.
"""

import hashlib
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
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")  # git and ruff pass it by
    ensure = subprocess.run(
        [python, "-m", "ensurepip", "--default-pip"], capture_output=True, check=False
    )
    if ensure.returncode != 0:
        try:
            install_pip_from_index(python)
        except OSError as error:
            print(f"pip could not be fetched: {error}", file=sys.stderr)
            print(
                "Install python3-venv, or set PIP_INDEX_URL to an index that can be reached.",
                file=sys.stderr,
            )
            return 1
    return 0


def has_pip(python: Path) -> bool:
    """Tell whether that environment can install packages."""
    version = [python, "-m", "pip", "--version"]
    return subprocess.run(version, capture_output=True, check=False).returncode == 0


def install_pip_from_index(python: Path) -> None:
    """Fetch pip's newest wheel for this Python and let it install itself (PEP 503)."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/") + "/pip/"
    with urllib.request.urlopen(index, timeout=60) as page:
        version, link = newest_wheel(page.read().decode())
    url, _, digest = urllib.parse.urljoin(index, link).partition("#")
    with urllib.request.urlopen(url, timeout=300) as body:
        content = body.read()
    if digest.startswith("sha256=") and digest != f"sha256={hashlib.sha256(content).hexdigest()}":
        message = f"{url} is not the file that {index} names"
        raise OSError(message)
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / f"pip-{version}-py3-none-any.whl"
        wheel.write_bytes(content)
        subprocess.run(
            [python, f"{wheel}/pip", "install", "--quiet", "--no-index", wheel], check=True
        )


def newest_wheel(page: str) -> "tuple[str, str]":
    """Return version and link of the newest pip on that page which runs on this Python."""
    found = []
    for anchor in re.findall(r"<a\s[^>]*>", page):
        link = re.search(r'href="([^"]*\bpip-([\d.]+)-py3-none-any\.whl(?:#[^"]*)?)"', anchor)
        oldest = re.search(r'data-requires-python="[^"]*(?:>|&gt;)=3\.(\d+)', anchor)
        if link and (oldest is None or int(oldest[1]) <= sys.version_info.minor):
            found.append((tuple(map(int, link[2].split("."))), link[2], html.unescape(link[1])))
    if not found:
        message = "the index has no pip for this Python"
        raise OSError(message)
    return max(found)[1:]


if __name__ == "__main__":
    raise SystemExit(main())
