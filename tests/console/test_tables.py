"""Tables, times and sizes as a person sees them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import Look, cells, clip, visible
from nemo_run.console.times import ago, duration, size

COLUMNS = [Column("ID", least=6), Column("TITLE", least=5), Column("JOBS", right=True)]


def test_without_a_terminal_nothing_is_cut_and_columns_stand_under_their_headings():
    lines = table(COLUMNS, [["a" * 60, "digits", "3/5"], ["b", "x", "10/10"]])
    assert lines[1] == "a" * 60 + "  digits    3/5"
    assert lines[2].index("x") == lines[0].index("TITLE")
    assert all(line == line.rstrip() for line in lines)


@given(
    rows=st.lists(st.tuples(st.text(max_size=50), st.text(max_size=50), st.just("1/1"))),
    width=st.integers(30, 120),
)
def test_no_line_is_wider_than_the_terminal(rows, width):
    lines = table(COLUMNS, rows, Look(terminal=True, width=width))
    assert len(lines) == len(rows) + 1
    assert all(cells(line) <= width for line in lines)


def test_a_column_that_must_not_be_cut_is_whole_in_the_smallest_terminal():
    columns = [Column("ID"), Column("TITLE", least=3)]
    line = table(columns, [["digits_1700000000", "a long title"]], Look(width=10))[1]
    assert line.startswith("digits_1700000000  ")


def test_columns_that_do_not_fit_are_left_out_the_least_important_first():
    columns = [Column("ID"), Column("TITLE", drop=1), Column("AGE", drop=3), Column("TIME", drop=2)]
    row = [["digits_17", "digits", "3m ago", "12s"]]
    heads = [table(columns, row, Look(width=width))[0].split() for width in (40, 28, 20, 10)]
    assert heads == [["ID", "TITLE", "AGE", "TIME"], ["ID", "AGE", "TIME"], ["ID", "AGE"], ["ID"]]


def test_colours_surround_the_text_and_do_not_move_the_columns():
    column = Column("STATE", style=lambda look, text: look.state(text))
    rows = [["RUNNING", "a"], ["OK", "b"]]
    plain = table([column, Column("X")], rows)
    coloured = table([column, Column("X")], rows, Look(colour=True))
    assert "\x1b[36mRUNNING\x1b[0m  a" in coloured[1]
    assert coloured[1].replace("\x1b[36m", "").replace("\x1b[0m", "") == plain[1]


def test_wide_characters_count_as_two_columns():
    assert cells("数字") == 4
    assert clip("数字", 3) == "数…"
    assert cells("e\u0301") == 1


def test_an_escape_sequence_in_a_title_does_not_reach_the_terminal():
    assert visible("a\x1b]0;evil\x07\nb") == "a\\x1b]0;evil\\x07\\nb"


def test_durations_name_their_two_greatest_units():
    seen = [duration(s) for s in (None, 0.44, 5, 9.96, 61, 3600, 3700, 100_000, -3)]
    assert seen == ["-", "0.4s", "5s", "10s", "1m 1s", "1h", "1h 1m", "1d 3h", "0s"]


def test_ages_name_one_unit():
    seen = [ago(1000.0 - s, 1000.0) for s in (0.2, 59, 61, 7300, -5)]
    assert seen == ["just now", "59s ago", "1m ago", "2h ago", "just now"]


def test_sizes_use_decimal_units():
    assert [size(n) for n in (0, 999, 1000, 3_140_000, 999_600, 10**13)] == [
        "0 B", "999 B", "1.0 kB", "3.1 MB", "1.0 MB", "10 TB",
    ]  # fmt: skip
