"""The packager that sends nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.config import build


@dataclass(kw_only=True)
class FolderPackager(run.Packager):
    """What programs in the wild write: a subclass with a field of its own that is required."""

    folder: str

    def package(self, path: Path, job_dir: str, name: str) -> str:
        return f"{job_dir}/{name}.tar.gz"


def test_the_base_sends_nothing_and_touches_nothing(tmp_path: Path) -> None:
    packager = run.Packager()
    assert packager.package(tmp_path, str(tmp_path), "job") is None
    packager.setup()
    assert (packager.debug, packager.symlink_from_remote_dir) == (False, None)
    assert list(tmp_path.iterdir()) == []


def test_fields_are_given_by_name() -> None:
    assert run.Packager(debug=True).debug is True
    with pytest.raises(TypeError):
        run.Packager(True)  # type: ignore[misc]


def test_a_subclass_may_require_fields_and_becomes_a_config() -> None:
    packager = FolderPackager(folder="src", debug=True)
    assert packager.package(Path(), "/job", "train") == "/job/train.tar.gz"
    assert packager.to_config() == run.Config(FolderPackager, folder="src", debug=True)
    assert build(packager.to_config()) == packager


def test_the_reference_s_paths_lead_to_the_same_class() -> None:
    import nemo_run.core.packaging as old
    from nemo_run.core.packaging.base import Packager

    assert Packager is old.Packager is run.Packager
