"""Files that a user asked for: written where the user said, with the user's permissions."""

from __future__ import annotations

import os
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from nemo_run.atomic import write_for_user

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="permissions are POSIX")


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.fixture(params=[0o022, 0o077, 0o007])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    write_for_user(tmp_path / "a", "x")

    assert mode(tmp_path / "a") == 0o666 & ~umask
    assert os.umask(umask) == umask


@pytest.mark.parametrize("permissions", [0o640, 0o600, 0o755])
def test_a_file_that_is_there_keeps_its_permissions(tmp_path: Path, permissions: int) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(permissions)
    write_for_user(tmp_path / "a", "new")

    assert ((tmp_path / "a").read_text(), mode(tmp_path / "a")) == ("new", permissions)


def test_links_stay_links(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "broken").symlink_to("later")
    for name in ("link", "broken"):
        assert write_for_user(tmp_path / name, "new") == tmp_path / name

    assert ((tmp_path / "real").read_text(), (tmp_path / "later").read_text()) == ("new", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "broken").is_symlink()


def test_what_is_no_regular_file_is_left_alone_and_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "round").symlink_to("round")
    for name in ("pipe", "folder", "none/a", "round"):
        with pytest.raises(OSError) as seen:
            write_for_user(tmp_path / name, "new")
        assert seen.value.filename == str(tmp_path / name)

    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe", "round"]


def test_in_a_folder_that_is_gone_the_error_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    with pytest.raises(FileNotFoundError) as seen:
        write_for_user("a.yaml", "x")
    assert seen.value.filename == "a.yaml"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "a").chmod(0o444)
    with pytest.raises(PermissionError):
        write_for_user(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "old"
