"""What the launching machine has to compute with: processors, memory, graphics cards."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

_NVIDIA = "/proc/driver/nvidia"
_SECONDS = 0.25
# On a machine with hundreds of cores the whole file takes long to make.
_FIRST = 4096
_VERSION = re.compile(r"Module\b.*?\s(\d+(?:\.\d+)+)\s")
_FACTS = ("name", "uuid", "driver")
_QUERY = ("--query-gpu=name,uuid,driver_version", "--format=csv,noheader")
# There is a card, but no folder of the driver: WSL, some sandboxes.
_CARDS = ("/dev/nvidiactl", "/dev/dxg")


def devices() -> dict[str, Any]:
    """Return what this machine has; what cannot be told is left out.

    Returns:
        ``cpus``, ``usable_cpus`` (those that this process may use), ``cpu`` (its name),
        ``memory_bytes``, and where there are cards of NVIDIA ``gpus`` (each with ``name``, ``uuid``
        and, from the driver's folder, ``bus``) and ``nvidia_driver``.
    """
    found = {
        "cpus": os.cpu_count(),
        "usable_cpus": _usable(),
        "cpu": _processor(),
        "memory_bytes": _memory(),
        **nvidia(_NVIDIA),
    }
    if "gpus" not in found and any(map(os.path.exists, _CARDS)):
        found |= _asked()
    return {name: value for name, value in found.items() if value}


def nvidia(folder: str) -> dict[str, Any]:
    """Return the cards and the driver as NVIDIA's driver tells them in ``/proc``.

    Reading it takes no time, where ``nvidia-smi`` may take seconds. The files are described in
    the README of the driver, in the chapter on its /proc file system interface.

    Args:
        folder: ``/proc/driver/nvidia``.
    """
    texts = [_text(path / "information") for path in _listed(Path(folder, "gpus"))]
    gpus = [card for text in texts if (card := _card(text))]
    version = _VERSION.search(_text(Path(folder, "version")))
    found = {"gpus": gpus, "nvidia_driver": version[1] if version else ""}
    return {name: value for name, value in found.items() if value}


def _card(text: str) -> dict[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    facts = {name.strip(): value.strip() for name, _, value in lines}
    names = {"name": "Model", "uuid": "GPU UUID", "bus": "Bus Location"}
    return {name: facts[theirs] for name, theirs in names.items() if facts.get(theirs)}


def _asked() -> dict[str, Any]:
    """Return the cards as nvidia-smi tells them, if it does so at once."""
    try:
        done = subprocess.run(
            ["nvidia-smi", *_QUERY],
            capture_output=True,
            timeout=_SECONDS,
            check=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    cards = [dict(zip(_FACTS, row, strict=True)) for row in rows if len(row) == len(_FACTS)]
    drivers = {card.pop("driver") for card in cards}
    return {"gpus": cards, "nvidia_driver": min(drivers)} if cards else {}


def _usable() -> int | None:
    # macOS has no sched_getaffinity.
    asked = getattr(os, "sched_getaffinity", None)
    return len(asked(0)) if asked else None


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open("rb") as file:
            text = file.read(_FIRST).decode("utf-8", "replace")
    except OSError:
        return ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
