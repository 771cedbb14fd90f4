"""Error messages as files that are reviewed like code.

``tests/snapshots/errors.json`` maps a case to the text a person sees. A test takes the fixture
``error_snapshot`` (tests/conftest.py) or calls :func:`compare`::

    def test_an_unknown_command(error_snapshot):
        error_snapshot("cli: unknown command", message_seen)

A text that differs fails the test and shows both. To accept the new texts, and to add new
cases::

    NEMO_RUN_UPDATE_SNAPSHOTS=1 python -m pytest -n0 tests/cli

and review the difference of the file. What changes from run to run (folders, ids, times) is
replaced before it is compared; pass more of it as ``replace={seen: "<what it is>"}``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

FILE = Path(__file__).parent / "snapshots" / "errors.json"
_UPDATE = os.environ.get("NEMO_RUN_UPDATE_SNAPSHOTS", "") not in {"", "0"}


def compare(case: str, text: str, replace: dict[str, str] | None = None) -> None:
    """Fail unless ``text`` is what the snapshot file holds for ``case``."""
    seen = _settled(text, replace or {})
    known = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    if _UPDATE:
        known[case] = seen
        text = json.dumps(known, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        fresh = FILE.with_suffix(f".{os.getpid()}.tmp")  # another run may be reading
        fresh.write_text(text, "utf-8")
        fresh.replace(FILE)
        return
    hint = "run with NEMO_RUN_UPDATE_SNAPSHOTS=1 and -n0 to accept, then review the file"
    assert case in known, f"{case!r} is not in {FILE}; {hint}.\n{seen}"
    assert seen == known[case], f"the text of {case!r} changed; {hint}."


def _settled(text: str, replace: dict[str, str]) -> str:
    """Return ``text`` without what changes from run to run."""
    for seen, name in sorted(replace.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(seen, name)
    home = os.environ.get("NEMORUN_HOME", "")
    if home:
        text = text.replace(home, "<home>").replace(str(Path(home).parent), "<tmp>")
    text = re.sub(r"_\d{16,}(_\d+)?", "_<time>", text)
    return text.strip()
