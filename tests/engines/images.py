"""Container images for the cluster: folders to chroot into, and the plugin that does it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PYTHON = "test/python:1"
BUSYBOX = "test/busybox:1"


def make_plugin(folder: Path) -> str:
    """Compile the SPANK plugin into ``folder`` and return its line of plugstack.conf(5)."""
    source = Path(__file__).with_name("ctr.c")
    library = folder / "ctr.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-Wall", "-Werror=implicit", "-o", library, source],
        check=True,
        capture_output=True,
    )
    return f"required {library} images={folder / 'images'}\n"


def make_images(folder: Path) -> None:
    """Make both images below ``folder/images``."""
    python = _root(folder, PYTHON)
    (python / "usr").mkdir()
    (python / "usr-of-host").touch()
    for name in ("bin", "sbin", "lib", "lib64"):
        (python / name).symlink_to(f"usr/{name}")
    busybox = _root(folder, BUSYBOX)
    (busybox / "bin").mkdir()
    program = shutil.which("busybox") or "busybox"
    shutil.copy2(program, busybox / "bin" / "busybox")
    for library in _libraries(program):
        (busybox / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library, busybox / library[1:])
    listed = subprocess.run(["busybox", "--list"], check=True, capture_output=True, text=True)
    for name in {*listed.stdout.split()} - {"busybox"}:
        (busybox / "bin" / name).symlink_to("busybox")


def _root(folder: Path, image: str) -> Path:
    root = folder / "images" / image.replace("/", "+").replace(":", "+")
    for name in ("proc", "dev", "sys", "etc", "tmp", "root"):
        (root / name).mkdir(parents=True)
    for name in ("hosts", "passwd"):
        (root / "etc" / name).touch()
    os.chmod(root / "tmp", 0o1777)
    return root


def _libraries(program: str) -> list[str]:
    """What the dynamic linker would load; nothing for a static program."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [word for word in listed.split() if word.startswith("/")]
