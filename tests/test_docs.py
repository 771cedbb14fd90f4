"""Every code block of README.md and docs/ runs, in the order of its page.

A page is one folder: its blocks share files and experiments, as they do for a reader who types
them in.

- ```` ```python ```` is run as a script;
- ```` ```python file=train.py ```` is saved under that name;
- ```` ```sh ```` is run by `sh -e`;
- ```` ```python raises ```` must fail, and ```` ```sh fails ```` too;
- any block with ``file=`` is saved, whatever its language;
- ```` ```sh in=examples/entrypoints ```` runs in the page's copy of that folder of the repository;
- ```` ```python shows=examples/entrypoints/moons.py ```` is a part of that file, word for word;
- ```` ```text output ```` is what the block before it printed, with ``…`` for what differs from
  run to run; ```` ```text stderr ```` the same of its standard error;
- ```` ```text ```` and other languages are for reading.
"""

from __future__ import annotations

import os
import re
import shutil
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
        return self.word("file")

    def word(self, name: str) -> str | None:
        return next((w.partition("=")[2] for w in self.words if w.startswith(f"{name}=")), None)

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
    if block.language == "python" and not block.word("shows"):
        script = folder / f"line_{block.line}.py"
        script.write_text(block.text, encoding="utf-8")
        return [sys.executable, script.name]
    return ["sh", "-e", "-c", block.text] if block.language == "sh" else None


def place(block: Block, folder: Path) -> Path:
    """Return where a block runs; a folder of the repository is copied once a page."""
    inside = block.word("in")
    if inside is None:
        return folder
    if not (folder / inside).exists():
        shutil.copytree(
            ROOT / inside, folder / inside, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder / inside


def matches(shown: str, seen: str) -> bool:
    """Whether a page shows what was printed, but for what stands as ``…``."""
    lines = ["".join(f"{line.rstrip()}\n" for line in text.splitlines()) for text in (shown, seen)]
    pattern = ".*?".join(map(re.escape, lines[0].split("…")))
    return re.fullmatch(pattern, lines[1], re.DOTALL) is not None


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
    done = None
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if "not-run" in block.words:
            continue
        for stream in {"output", "stderr"}.intersection(block.words):
            seen = done.stdout if stream == "output" else done.stderr
            assert matches(block.text, seen), f"{where}:\n{block.text}\n--- was\n{seen}"
        run = command(block, folder)
        if run is None:
            continue
        done = subprocess.run(
            run,
            cwd=place(block, folder),
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )
        said = f"{where}:\n{block.text}\n--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}"
        assert (done.returncode != 0) is block.fails, said


def test_pages_are_found() -> None:
    """The list is never empty by mistake."""
    assert ROOT / "README.md" in PAGES
    assert any(blocks(page) for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_what_a_page_shows_of_a_file_stands_in_it(page: Path) -> None:
    """Nobody reads an example that is no longer so."""
    for block in blocks(page):
        file = block.word("shows")
        if file is not None:
            where = f"{page.relative_to(ROOT)}, line {block.line}"
            assert block.text in (ROOT / file).read_text("utf-8"), f"{where} is not in {file}"


def test_what_was_printed_is_compared_but_for_the_dots() -> None:
    """A line too many is a difference."""
    assert matches("a\n… done\n", "a  \n3 done\n")
    assert not matches("a\n", "a\nb\n")
    assert not matches("a … c\n", "a b d\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A reader who follows one arrives."""
    text = FENCE.sub("", page.read_text("utf-8"))
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing


def test_the_modules_that_the_architecture_names_are_there() -> None:
    """The page is of the code as it is."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = "management|execution|packaging|remote|config|worker|testing|compat|cli|console"
    named = set(re.findall(rf"\b(?:{rooms})/[\w/]*(?:\.py)?", text))
    assert len(named) > 20
    assert not [name for name in named if not (ROOT / "src" / "nemo_run" / name).exists()]
