"""The journal: whatever happens to processes, disks and lines, events are not lost or made up."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.management.store.journal import CORRUPT, Journal
from nemo_run.management.store.locks import locked


def noted(*names: str) -> list[dict]:
    return [{"event": name} for name in names]


def names(journal: Journal) -> list[str]:
    return [event["event"] for event in journal.read()[0]]


def empty(folder: Path) -> Path:
    path = folder / "events.jsonl"
    path.touch(0o600)
    return path


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(empty(tmp_path), clock=lambda: 1700000000.5)


def test_events_come_back_numbered_and_timed_in_the_order_written(journal: Journal) -> None:
    written = journal.append(noted("a", "b"))
    journal.append([{"event": "c", "time": 5.0, "job": "train"}])

    events, _ = journal.read()

    assert events[:2] == written
    assert events == [
        {"seq": 1, "time": 1700000000.5, "event": "a", "format": 1},
        {"seq": 2, "time": 1700000000.5, "event": "b"},
        {"seq": 3, "time": 5.0, "event": "c", "job": "train"},
    ]


def test_every_line_is_json_that_any_tool_reads(journal: Journal) -> None:
    journal.append([{"event": "a", "text": "line\nbreak \u2028 é \udc80"}])

    (line,) = journal.path.read_bytes().splitlines()

    assert json.loads(line)["text"] == "line\nbreak \u2028 é \udc80"
    assert line.isascii()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new.jsonl")
    journal.begin(noted("a"))
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_following_reads_only_what_is_new(journal: Journal) -> None:
    journal.append(noted("a"))
    _, offset = journal.read()
    assert journal.read(offset) == ([], offset)

    journal.append(noted("b", "c"))

    events, later = journal.read(offset)
    assert [e["event"] for e in events] == ["b", "c"]
    assert later == journal.path.stat().st_size


def test_a_line_that_is_still_being_written_is_left_for_the_next_look(journal: Journal) -> None:
    journal.append(noted("a", "b"))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole[:-5])

    events, offset = journal.read()
    assert [e["event"] for e in events] == ["a"]

    journal.path.write_bytes(whole)
    assert [e["event"] for e in journal.read(offset)[0]] == ["b"]


def test_a_journal_that_does_not_exist_yet_is_empty(journal: Journal) -> None:
    assert journal.read() == ([], 0)


def test_a_line_torn_at_any_byte_is_reported_and_never_merged(journal: Journal) -> None:
    journal.append(noted("first"))
    kept = journal.path.read_bytes()
    journal.append([{"event": "torn", "text": "x"}])
    last = journal.path.read_bytes()[len(kept) :]
    for cut in range(1, len(last) - 1):
        journal.path.write_bytes(kept + last[:cut])

        journal.append(noted("after"))

        first, torn, after = journal.read()[0]
        assert (first["event"], after["event"], after["seq"]) == ("first", "after", 2)
        assert torn == {"event": CORRUPT, "offset": len(kept), "text": last[:cut].decode()}


def test_a_line_that_lacks_only_its_newline_becomes_whole(journal: Journal) -> None:
    journal.append(noted("a", "b"))
    journal.path.write_bytes(journal.path.read_bytes()[:-1])

    journal.append(noted("c"))

    assert [(e["seq"], e["event"]) for e in journal.read()[0]] == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize(
    "line",
    [b"", b"\x00\x00\x00", b"[1]", b'{"seq": "1"}', b'{"event": "x"}', b"\xff\xfe", b"{" * 5000],
)
def test_a_damaged_line_is_reported_and_the_others_are_read(journal: Journal, line: bytes) -> None:
    journal.append(noted("a"))
    size = journal.path.stat().st_size
    with journal.path.open("ab") as file:
        file.write(line + b"\n")
    journal.append(noted("b"))

    a, damaged, b = journal.read()[0]

    assert (a["seq"], b["seq"]) == (1, 2)
    assert (damaged["event"], damaged["offset"]) == (CORRUPT, size)


def test_numbers_go_on_after_a_long_damaged_stretch(journal: Journal) -> None:
    journal.append(noted("a", "b"))
    with journal.path.open("ab") as file:
        file.write(b"\x00" * 200_000)

    journal.append(noted("c"))

    assert journal.read()[0][-1]["seq"] == 3


def test_events_of_a_later_version_are_kept(journal: Journal) -> None:
    journal.append([{"event": "job.teleported", "to": {"planet": "mars"}}])
    assert journal.read()[0][0]["to"] == {"planet": "mars"}


def test_appending_if_nobody_else_did(journal: Journal) -> None:
    _, offset = journal.read()
    assert journal.append_if(noted("mine"), offset) is not None
    assert journal.append_if(noted("too late"), offset) is None
    assert names(journal) == ["mine"]


def test_a_journal_that_was_removed_is_not_made_again(journal: Journal) -> None:
    assert journal.append([]) == []
    journal.path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        journal.append(noted("a"))
    assert not journal.path.exists()


def test_a_journal_that_was_emptied_says_so_to_whoever_reads_on(journal: Journal) -> None:
    journal.append(noted("a", "b"))
    _, offset = journal.read()
    journal.path.write_text("")
    with pytest.raises(CorruptRecordError, match="emptied or replaced"):
        journal.read(offset)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    batches=st.lists(
        st.lists(st.dictionaries(st.text(), json_values, max_size=3), max_size=3), max_size=4
    )
)
def test_whatever_is_written_is_read(batches: list[list[dict]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(empty(Path(folder)))
        written = []
        for batch in batches:
            written += journal.append([{**fields, "event": "e", "time": 1.0} for fields in batch])
        assert journal.read()[0] == written
        assert [e["seq"] for e in written] == list(range(1, len(written) + 1))


WRITER = """
import sys
from nemo_run.management.store.journal import Journal
journal = Journal(sys.argv[1])
for n in range(int(sys.argv[3])):
    journal.append([{"event": "e", "by": sys.argv[2], "n": n, "part": part} for part in range(3)])
    print(n, flush=True)
"""


def writer(journal: Journal, name: str, batches: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(journal.path), name, str(batches)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_four_processes_at_once_lose_and_mix_nothing(journal: Journal) -> None:
    writers = [writer(journal, str(n), 25) for n in range(4)]
    for process in writers:
        process.communicate()

    events, _ = journal.read()

    assert [e["seq"] for e in events] == list(range(1, 4 * 25 * 3 + 1))
    batches = [events[i : i + 3] for i in range(0, len(events), 3)]
    assert all(len({(e["by"], e["n"]) for e in batch}) == 1 for batch in batches)
    assert {(b[0]["by"], b[0]["n"]) for b in batches} == {
        (str(w), n) for w in range(4) for n in range(25)
    }


def test_a_writer_killed_at_any_moment_leaves_a_journal_that_goes_on(journal: Journal) -> None:
    promised = 0
    for _ in range(3):
        process = writer(journal, "victim", 100_000)
        assert process.stdout is not None
        for _ in range(20):
            process.stdout.readline()
            promised += 1
        process.send_signal(signal.SIGKILL)
        process.communicate()
        journal.append(noted("alive"))

    events, _ = journal.read()
    valid = [e for e in events if e["event"] != CORRUPT]

    assert [e["seq"] for e in valid] == list(range(1, len(valid) + 1))
    assert sum(e["event"] == "e" for e in valid) >= 3 * promised
    assert sum(e["event"] == "alive" for e in valid) == 3


FULL_DISK = """
import resource, sys
from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.management.store.journal import Journal
journal = Journal(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    journal.append([{"event": "big", "text": "x" * 100} for _ in range(50)])
except StoreError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append([{"event": "after"}])
"""


def test_a_batch_that_does_not_fit_is_taken_back_whole(journal: Journal) -> None:
    journal.append(noted("before"))
    room = str(journal.path.stat().st_size + 1000)

    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(journal.path), room],
        capture_output=True,
        text=True,
        check=True,
    )

    assert str(journal.path) in done.stdout
    assert "Nothing was changed" in done.stdout
    assert [(e["seq"], e["event"]) for e in journal.read()[0]] == [(1, "before"), (2, "after")]


def test_a_journal_in_a_read_only_folder_is_read_and_not_written() -> None:
    with open_folder() as folder:
        journal = Journal(empty(folder))
        journal.append(noted("a"))
        journal.path.chmod(0o444)
        folder.chmod(0o555)

        def look() -> str:
            seen = " ".join(names(journal))
            try:
                journal.append(noted("b"))
            except StoreError as error:
                return f"{seen} | {error}"
            return "written"

        said = as_nobody(look)
        folder.chmod(0o755)

    assert said.startswith(f"a | Could not write the journal {journal.path}: Permission denied.")
    assert "NEMORUN_HOME" in said


def test_an_experiment_deleted_meanwhile_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="was deleted or moved"):
        Journal(tmp_path / "gone" / "events.jsonl").append(noted("a"))


def test_a_lock_that_is_never_given_back_is_an_error_after_a_while(tmp_path: Path) -> None:
    holder = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    other = os.open(tmp_path / "file", os.O_RDWR)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError), locked(other, timeout=0.01):
            pass
        fcntl.flock(holder, fcntl.LOCK_UN)
        with locked(other, timeout=0.01), pytest.raises(BlockingIOError):
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(holder)
        os.close(other)


def test_a_reader_does_not_wait_for_a_writer_that_was_stopped(journal: Journal) -> None:
    journal.append(noted("a"))
    holder = os.open(journal.path, os.O_RDWR)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        assert names(journal) == ["a"]
    finally:
        os.close(holder)


@pytest.mark.parametrize("answer", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_another_lock_is_taken_where_the_file_system_has_no_flock(
    tmp_path: Path, answer: int
) -> None:
    def missing(descriptor: int, mode: int) -> None:
        raise OSError(answer, os.strerror(answer))

    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    check = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    try_lock = [sys.executable, "-c", check, str(tmp_path / "file")]
    try:
        with locked(descriptor, ways=(missing, fcntl.lockf)):
            refused = subprocess.run(try_lock, capture_output=True, check=False).returncode
        allowed = subprocess.run(try_lock, capture_output=True, check=False).returncode
    finally:
        os.close(descriptor)
    assert refused != 0
    assert allowed == 0
