"""Every code block of README.md and docs/ runs, in the order of its page.

A page is one folder: its blocks share files and experiments, as they do for a reader who types
them in.

- ```` ```python ```` is run as a script;
- ```` ```python file=train.py ```` is saved under that name;
- ```` ```sh ```` is run by `sh -e`;
- ```` ```python raises ```` must fail, and ```` ```sh fails ```` too;
- any block with ``file=`` is saved, whatever its language;
- ```` ```text ```` and other languages are for reading.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```\s*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, its words, its text and where it stands."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def file(self) -> str | None:
        return next((w.removeprefix("file=") for w in self.words if w.startswith("file=")), None)

    @property
    def fails(self) -> bool:
        return "fails" in self.words or "raises" in self.words


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, tuple(words), match["body"], line))
    return found


def command(block: Block, folder: Path) -> list[str] | None:
    """Save what is to be saved and return what is to be run, if anything."""
    if block.file:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.text, encoding="utf-8")
        return None
    if block.language == "python":
        script = folder / f"line_{block.line}.py"
        script.write_text(block.text, encoding="utf-8")
        return [sys.executable, script.name]
    return ["sh", "-e", "-c", block.text] if block.language == "sh" else None


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_block_of_the_page_does_what_it_says(page: Path, tmp_path: Path, home: Path) -> None:
    """A reader who types the page in, block by block, meets no surprise."""
    folder = tmp_path / "reader"
    folder.mkdir()
    here = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": here + os.pathsep + os.environ["PATH"],
        "COLUMNS": "100",
    }
    for block in blocks(page):
        if "not-run" in block.words:
            continue
        run = command(block, folder)
        if run is None:
            continue
        done = subprocess.run(
            run, cwd=folder, env=environment, capture_output=True, text=True, timeout=120
        )
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        said = f"{where}:\n{block.text}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        assert (done.returncode != 0) is block.fails, said


def test_pages_are_found() -> None:
    """The list is never empty by mistake."""
    assert ROOT / "README.md" in PAGES
    assert any(blocks(page) for page in PAGES)
