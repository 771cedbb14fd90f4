"""Reading a log by byte offset: resumable, flat in memory, never half a character."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from nemo_run.management.watch import tail


def drain(cursor: tail.Cursor) -> tuple[bytes, tail.Cursor]:
    """Everything after ``cursor``."""
    parts = []
    while True:
        data, cursor = tail.read(cursor)
        if not data:
            return b"".join(parts), cursor
        parts.append(data)


def test_reading_goes_on_at_the_byte_where_it_stopped(tmp_path: Path):
    log = tmp_path / "rank-0.log"
    nothing, cursor = tail.read(tail.Cursor(str(log)))
    assert (nothing, cursor.offset) == (b"", 0)
    log.write_bytes(b"one\ntw")
    first, cursor = tail.read(cursor)
    with log.open("ab") as file:
        file.write(b"o\nthree\n")
    second, cursor = tail.read(cursor)
    assert (first, second) == (b"one\ntw", b"o\nthree\n")
    assert tail.read(cursor)[0] == b""


def test_a_file_that_was_cut_short_is_read_from_its_start(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"a long first life\n")
    _, cursor = drain(tail.Cursor(str(log)))
    log.write_bytes(b"second\n")
    assert drain(cursor)[0] == b"second\n"


def test_a_file_that_was_replaced_is_read_from_its_start(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"old\n")
    _, cursor = drain(tail.Cursor(str(log)))
    new = tmp_path / "new"
    new.write_bytes(b"new and longer\n")
    new.replace(log)
    assert drain(cursor)[0] == b"new and longer\n"


@given(lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=30),
       count=st.integers(0, 35), ended=st.booleans())  # fmt: skip
def test_the_last_lines_are_those_that_tail_would_show(tmp_path_factory, lines, count, ended):
    log = tmp_path_factory.mktemp("t") / "log"
    text = b"\n".join(lines) + (b"\n" if ended else b"")
    log.write_bytes(text)
    shown, _ = drain(tail.start_of_last_lines(str(log), count))
    kept = text.split(b"\n")
    end = b"\n" if text.endswith(b"\n") else b""
    if end:
        kept = kept[:-1]
    expected = b"\n".join(kept[-count:]) + end if count and text else b""
    assert shown == expected


def test_the_last_lines_are_found_over_many_chunks(tmp_path: Path):
    log = tmp_path / "log"
    log.write_bytes(b"".join(b"%d " % n + b"x" * 5000 + b"\n" for n in range(400)))
    shown, _ = drain(tail.start_of_last_lines(str(log), 200))
    assert shown.startswith(b"200 x")
    assert shown.count(b"\n") == 200


@given(text=st.text(max_size=300), size=st.integers(1, 7))
def test_whole_lines_come_out_whatever_the_chunks_were(text, size):
    data, lines, out = text.encode(), tail.Lines(), []
    for at in range(0, len(data), size):
        whole = lines.feed(data[at : at + size])
        assert not whole or whole.endswith(b"\n")
        whole.decode()
        out.append(whole)
    # Each line as it looked in the end; what ends with a carriage return was not written over.
    looked = [re.sub(rb"(?s)^.*\r(?=[^\r])", b"", line) for line in data.split(b"\n")]
    assert b"".join(out) + lines.flush() == b"\n".join(looked)


def test_a_line_without_an_end_comes_in_parts_of_whole_characters():
    lines, parts = tail.Lines(), []
    data = ("é" * 700_001).encode() + "漢".encode() * 500_000
    for at in range(0, len(data), 65_537):
        parts.append(lines.feed(data[at : at + 65_537]))
    parts.append(lines.flush())
    for part in parts:
        part.decode()
    assert b"".join(parts) == data
    assert max(len(p) for p in parts) <= (1 << 20) + 65_537


def test_bytes_that_are_no_text_pass_unchanged():
    lines = tail.Lines()
    data = b"\xff\xfe\x80" * 600_000
    assert lines.feed(data) + lines.flush() == data


def test_of_a_progress_bar_only_the_last_state_is_kept():
    lines = tail.Lines()
    for step in range(5_000):
        assert lines.feed(b"\r%05d%%" % step) == b""
        assert lines.rest.strip(b"\r") == b"%05d%%" % step
    assert lines.feed(b"\n") == b"04999%\n"
    for step in range(5_000):
        assert lines.feed(b"%05d%%\r" % step) == b""
    assert lines.flush() == b"04999%\r"


def test_a_large_file_is_read_in_little_memory(tmp_path: Path):
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(300 << 20)
    tracemalloc.start()
    cursor, count = tail.Cursor(str(log)), 0
    while True:
        data, cursor = tail.read(cursor)
        if not data:
            break
        count += len(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 300 << 20
    assert peak < 4 << 20
