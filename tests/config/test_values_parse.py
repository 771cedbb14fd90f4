"""Texts become the values that their annotations ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Optional

import pytest

from nemo_run.config.values.parse import parse


@pytest.mark.parametrize(
    ("text", "hint", "value"),
    [
        ("1e3", int, 1000),
        ("1_000", int, 1000),
        ("0x10", int, 16),
        ("007", int | str, "007"),
        ("7", int | str, 7),
        ("'7'", int | str, "7"),
        ("None", Optional[str], None),  # noqa: UP045
        ("'None'", str | None, "None"),
        ("1,2", list[int], [1, 2]),
        ("{a: 1, 'b': 2}", dict[str, int], {"a": 1, "b": 2}),
        ("~", Path, Path.home()),
        ("3", Literal["adam", 3], 3),
        ("[x, 1, {a: b}]", Any, ["x", 1, {"a": "b"}]),
    ],
)
def test_a_text_is_read_by_its_annotation(text: str, hint: Any, value: Any) -> None:
    found = parse(text, hint)

    assert (type(found), found) == (type(value), value)
