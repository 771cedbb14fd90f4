"""Damaging the files of an experiment, as chance or an enemy would, and reading all of it.

python tests/faults/fuzz.py [--seconds 60] [--seed 1]
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

SECONDS = 60
"""How long a command may take."""
MEBIBYTES = 700
"""How much memory this process may need in all."""

_PROGRAM = """\
import nemo_run as run
import fuzz_work

if __name__ == "__main__":
    with run.Experiment("fuzzed", enable_goodbye_message=False) as experiment:
        script = run.Script(inline="echo hello", entrypoint="sh")
        experiment.add(script, name="script")
        experiment.add(run.Partial(fuzz_work.good, x=3), name="good")
        experiment.add(run.Partial(fuzz_work.bad, x=3), name="bad")
        experiment.add([run.Partial(fuzz_work.good, x=1), script], name="group")
        experiment.run()
"""
_WORK = """\
import os
import nemo_run as run

def good(x):
    for step in range(3):
        run.log_metrics({"loss": 1 / (step + 1)}, step=step)
    with open(os.path.join(os.environ["NEMORUN_OUTPUT_DIR"], "a.txt"), "w") as file:
        file.write("x")
    return {"accuracy": x}

def bad(x):
    raise ValueError("as it should")
"""
# Should this ever be imported or called, the run is over.
_CANARY = """\
raise SystemExit("code of an experiment was run by reading it")
"""

READING = (
    ("list",),
    ("list", "--json"),
    ("show", "{id}"),
    ("show", "{id}", "--json"),
    ("status", "{id}"),
    ("status", "{id}", "--json"),
    ("logs", "{id}"),
    ("metrics", "{id}"),
    ("metrics", "{id}", "good", "--json"),
    ("artifacts", "list", "{id}"),
    ("artifacts", "list", "{id}", "--json"),
    ("explain", "{id}", "good", "x"),
    ("events", "{id}"),
    ("events", "{id}", "--json"),
    ("diff", "{id}", "{other}"),
    ("verify", "{id}"),
    ("verify", "{id}", "--json"),
    ("report", "{id}", "--output", "{out}"),
    ("export", "{id}", "--force", "--output", "{out}.tar"),
    ("apply", "{id}"),
    ("note", "{id}"),
    ("tag", "{id}"),
    ("gc", "--dryrun"),
)

NAMES = sorted({words[0] for words in READING})

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, 0.1, "", "a", "a" * 5000, "\ud800", "\x1b[31m",
    "../../../etc/passwd", "/etc/passwd", "\0", "nan", [], {}, [[]], [None], [{}], {"": None},
    {"a": {"a": {}}}, ["a", 1], "fuzz_canary:run", "fuzz_canary.run",
    {"type": "call", "call": "fuzz_canary.run", "target": "fuzz_canary:run", "arguments": {}},
    {"_target_": "fuzz_canary.run"},
)  # fmt: skip
_TEXTS = (
    b"", b"null", b"[]", b"{}", b"NaN", b"-Infinity", b"[" * 100_000, b'{"a":' * 50_000,
    b"\0" * 4096, b"\xff\xfe\x00", b"\xef\xbb\xbf{}", b"9" * 10_000, b'"\\ud800"', b"1e999999",
    b"\n" * 1000,
)  # fmt: skip


class TooSlowError(Exception):
    """A command took too long."""


class Fuzzed:
    """An experiment that was made once, and damaged copies of it.

    Attributes:
        id: Its id.
        files: Those that are read, relative to the experiment.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        (root / "program.py").write_text(_PROGRAM)
        (root / "fuzz_work.py").write_text(_WORK)
        (root / "fuzz_canary.py").write_text(_CANARY)
        home = {"NEMORUN_HOME": str(root / "whole")}
        done = subprocess.run(
            [sys.executable, root / "program.py"],
            env={**os.environ, **home},
            cwd=root,
            check=False,
            capture_output=True,
            text=True,
        )
        folders = list((root / "whole" / "experiments" / "fuzzed").iterdir())
        assert len(folders) == 1, done.stderr
        self.id = folders[0].name
        shutil.copytree(folders[0], folders[0].with_name("fuzzed_whole"))
        self._put_beside(folders[0])
        skipped = (".lock", ".log", ".sh", ".py", "conductor.log")
        self.files = sorted(
            str(path.relative_to(folders[0]))
            for path in folders[0].rglob("*")
            if path.is_file() and not path.name.endswith(skipped)
        )

    def _put_beside(self, folder: Path) -> None:
        """Files that only some experiments have."""
        (folder / "marks.json").write_text('{"format": 1, "tags": ["x"], "note": "n"}\n')
        (folder / "look.json").write_text('{"time": 1.0, "seq": 3, "seen": 2.0}\n')
        (folder / "jobs/good/logs/1/brought").write_text('["rank-0.log"]\n')

    def damaged(self, chance: random.Random) -> tuple[Path, str]:
        """Return a home with a copy in which some files are damaged, and which."""
        home = self._root / "damaged"
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self._root / "whole", home)
        folder = home / "experiments" / "fuzzed" / self.id
        named = chance.sample(self.files, chance.choice((1, 1, 1, 2, 4)))
        for name in named:
            path = folder / name
            path.write_bytes(mutated(path.read_bytes(), chance))
        return home, ", ".join(named)

    @property
    def whole(self) -> Path:
        """The home that nobody damaged."""
        return self._root / "whole"

    def archive(self) -> bytes | None:
        """Return the experiment as it is exported; None where that cannot be done."""
        path = self._root / "whole.tar"
        if not path.exists():
            os.environ["NEMORUN_HOME"] = str(self.whole)
            ended(["export", self.id, "--output", str(path)])
        return path.read_bytes() if path.exists() else None

    def read_all(self, home: Path, only: Collection[str] = ()) -> list[str]:
        """Run all commands that read, and return what was not as it should be."""
        os.environ["NEMORUN_HOME"] = str(home)
        wrong = []
        names = {"id": self.id, "other": "fuzzed_whole", "out": str(self._root / "out")}
        for words in READING:
            if not only or words[0] in only:
                found = read([word.format(**names) for word in words])
                wrong += [found] if found else []
        return wrong


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return other bytes: a document with odd values, or a broken one."""
    kind = chance.randrange(10)
    if kind < 6:
        changed = _other_document(data, chance)
        if changed is not None:
            return changed
    if kind == 6:
        return chance.choice(_TEXTS)
    if kind == 7:
        return data[: chance.randrange(len(data) + 1)]
    if kind == 8:
        return data * chance.choice((2, 3))
    flipped = bytearray(data)
    for _ in range(chance.choice((1, 3, 20))):
        if flipped:
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
    return bytes(flipped)


def _other_document(data: bytes, chance: random.Random) -> bytes | None:
    lines = data.splitlines()
    try:
        whole = json.loads(data)
        return json.dumps(_changed(whole, chance)).encode("utf-8", "surrogatepass")
    except ValueError:
        pass
    if not lines:
        return None
    at = chance.randrange(len(lines))
    try:
        lines[at] = json.dumps(_changed(json.loads(lines[at]), chance)).encode()
    except ValueError:
        return None
    return b"\n".join(lines) + b"\n"


def _changed(document: Any, chance: random.Random) -> Any:
    """Return a document with a few values replaced, removed or added."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        places = list(_places(document))
        if not places:
            return _odd(chance)
        holder, key = chance.choice(places)
        act = chance.randrange(6)
        if act == 0 and isinstance(holder, dict):
            del holder[key]
        elif act == 1 and isinstance(holder, dict):
            holder[chance.choice(("", "x", "\ud800", "format", "id"))] = _odd(chance)
        elif act == 2 and isinstance(holder, list):
            holder.append(_odd(chance))
        else:
            holder[key] = _odd(chance)
    return document


def _odd(chance: random.Random) -> Any:
    # What is put into a document may be changed there.
    return copy.deepcopy(chance.choice(ODD))


def _places(document: Any) -> Any:
    if isinstance(document, dict):
        for key, value in list(document.items()):
            yield document, key
            yield from _places(value)
    elif isinstance(document, list):
        for at, value in enumerate(document):
            yield document, at
            yield from _places(value)


def read(words: list[str]) -> str:
    """Run a command of ``nemo-run experiment``; return what is wrong with its end, else nothing."""
    return ended(words)[0]


def ended(words: list[str], group: tuple[str, ...] = ("experiment",)) -> tuple[str, int | None]:
    """Run a command here; return what is wrong with how it ended, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, _too_late)
    signal.alarm(SECONDS)
    try:
        from nemo_run.cli.app import main

        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*group, *words])
    except BaseException as error:
        why = "".join(traceback.format_exc()[-1800:])
        return f"{' '.join(words)}: {type(error).__name__}: {error}\n{why}", None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    said = err.getvalue()
    if "No command" in said:
        return "", None
    wrong = _wrong(words, code, out.getvalue(), said)
    return (f"{' '.join(words)}: {wrong}" if wrong else ""), code


def _too_late(_number: int, _frame: object) -> None:
    raise TooSlowError(f"more than {SECONDS} s")


def _wrong(words: list[str], code: int, out: str, said: str) -> str:
    if code not in (0, 1, 2):
        return f"ended with {code}: {said[-500:]}"
    if "Traceback" in said and "as it should" not in said:
        return said[-1500:]
    if words[-1] == "--json" and code == 0:
        try:
            for line in out.splitlines() if words[0] == "events" else [out]:
                json.loads(line)
        except ValueError as error:
            return f"no JSON: {error}: {out[:200]}"
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"needs {used:.0f} MiB" if used > MEBIBYTES else ""


def main() -> int:
    """Damage and read for a while, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="commands, with commas between")
    chosen = parser.parse_args()
    only = tuple(filter(None, chosen.only.split(",")))
    chance = random.Random(chosen.seed)
    tried = 0
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="nemo-run-fuzz-", ignore_cleanup_errors=True) as root:
        sys.path.insert(0, root)
        fuzzed = Fuzzed(Path(root))
        wrong = fuzzed.read_all(Path(root, "whole"), only)
        assert not wrong, wrong
        for words in READING:
            names = {"id": fuzzed.id, "other": "fuzzed_whole", "out": f"{root}/out"}
            print(words[0], *ended([word.format(**names) for word in words])[1:])
        end = time.monotonic() + chosen.seconds
        while time.monotonic() < end:
            home, named = fuzzed.damaged(chance)
            tried += 1
            for one in fuzzed.read_all(home, only):
                where = one.strip().splitlines()[-1] if "\n" in one else one
                if not found[where]:
                    print(f"\nIn {named}:\n{one}", flush=True)
                found[where] += 1
    print(f"{tried} damaged homes read with {len(READING)} commands, {len(found)} faults.")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
