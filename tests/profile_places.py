"""Files with profiles, where a site, a user and a project keep them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Places:
    """A machine with a home, a project in it, and a site's folder beside."""

    root: Path

    @property
    def project(self) -> Path:
        return self.root / "home" / "ada" / "project"

    def site(self, text: str) -> Path:
        return _write(self.root / "etc" / "nemo-run.toml", text)

    def user(self, text: str) -> Path:
        return _write(self.root / "home" / "ada" / ".config" / "nemo-run" / "nemo-run.toml", text)

    def of_project(self, text: str, name: str = "nemo-run.toml") -> Path:
        return _write(self.project / name, text)


def make_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Make them, and go into the project."""
    places = Places(root)
    (places.project / ".git").mkdir(parents=True)
    (root / "etc").mkdir()
    monkeypatch.setenv("HOME", str(root / "home" / "ada"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("NEMORUN_SITE_CONFIG", str(_write(root / "etc" / "nemo-run.toml", "")))
    monkeypatch.chdir(places.project)
    return places


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path
