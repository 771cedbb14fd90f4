"""Files of configuration are regular files of a size to be read."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

import nemo_run as run
from nemo_run.config.files.contents import LIMIT
from nemo_run.config.files.load import load
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.config.sweeps.rows import rows_of
from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes with names are POSIX")


def train(table: dict[str, int] = {}): ...


def value_of_file(path: str) -> Any:
    return apply(run.Partial(train), [parse_override(f"table=@{path}")])


@pytest.mark.parametrize("read", [load, rows_of, value_of_file])
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_what_has_no_end_is_refused(tmp_path: Path, read: Any, kind: str) -> None:
    file = tmp_path / "a.yaml"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        (tmp_path / "b.yaml").symlink_to("/dev/zero")
        file.symlink_to("b.yaml")

    with pytest.raises(OverrideError, match=r"a\.yaml: It is no regular file"):
        read(str(file))


@pytest.mark.parametrize("name", ["a.yaml", "a.csv"])
def test_what_is_too_large_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    with file.open("wb") as stream:
        stream.truncate(LIMIT + 1)

    with pytest.raises(OverrideError, match=rf"{name}: It holds more than 100 MB"):
        (rows_of if name.endswith("csv") else load)(str(file))


def test_a_link_to_a_file_and_what_the_shell_has_opened_are_read(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("a: 1")
    (tmp_path / "a.yaml").symlink_to("real.yaml")
    reader, writer = os.pipe()
    os.write(writer, b"a: 2")
    os.close(writer)

    assert load(str(tmp_path / "a.yaml")).data == {"a": 1}
    try:
        assert load(f"/dev/fd/{reader}").data == {"a": 2}
    finally:
        os.close(reader)
