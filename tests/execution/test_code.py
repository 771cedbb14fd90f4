"""What the paths of the launching machine are where a job runs."""

from __future__ import annotations

import pytest

from nemo_run.execution.code import Code, import_path, moved, start_folder
from nemo_run.execution.target import Target

HERE = Target("/home/me/exp/jobs/train", "/home/me/exp/jobs/train")
CLUSTER = Target("/lustre/exp/jobs/train", "/lustre/exp/jobs/train", here=False)
CONTAINER = Target("/lustre/exp/jobs/train", "/nemo_run", container=True)
CODE = Code("4b825dc", "/home/me/project")
PATHS = ("/home/me/project", "/home/me/project/src", "/home/me/other", "/home/me/project_2")


@pytest.mark.parametrize(
    ("target", "code", "expected"),
    [
        (HERE, None, list(PATHS)),
        (
            HERE,
            CODE,
            [
                "/home/me/exp/jobs/train/code",
                "/home/me/exp/jobs/train/code/src",
                "/home/me/other",
                "/home/me/project_2",
            ],
        ),
        (CLUSTER, CODE, ["/lustre/exp/jobs/train/code", "/lustre/exp/jobs/train/code/src"]),
        (CLUSTER, None, []),
        (CONTAINER, CODE, ["/nemo_run/code", "/nemo_run/code/src"]),
        (CONTAINER, None, []),
    ],
)
def test_import_path(target: Target, code: Code | None, expected: list[str]) -> None:
    assert import_path(PATHS, code, target) == expected


def test_the_code_folder_counts_whoever_filled_it() -> None:
    target = Target("/d", "/nemo_run", container=True, in_code=True)
    assert import_path(PATHS, None, target) == ["/nemo_run/code"]
    assert start_folder("/home/me", None, target) == "/nemo_run/code"


@pytest.mark.parametrize(
    ("target", "code", "folder"),
    [
        (HERE, None, "/home/me/project/sub"),
        (HERE, CODE, "/home/me/exp/jobs/train/code"),
        (CLUSTER, None, "/lustre/exp/jobs/train"),
        (CLUSTER, CODE, "/lustre/exp/jobs/train/code"),
        (CONTAINER, None, "/nemo_run"),
        (CONTAINER, CODE, "/nemo_run/code"),
    ],
)
def test_start_folder(target: Target, code: Code | None, folder: str) -> None:
    assert start_folder("/home/me/project/sub", code, target) == folder


def test_moved() -> None:
    assert moved("/a/b/c.py", "/a", "/z") == "/z/b/c.py"
    assert moved("/a", "/a", "/z") == "/z"
    assert moved("/ab", "/a", "/z") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/nemo_run/code/train.py", "/lustre/exp/jobs/train/code/train.py"),
        ("/nemo_run", "/lustre/exp/jobs/train"),
        ("--config=/nemo_run/configs/a.yaml", "--config=/lustre/exp/jobs/train/configs/a.yaml"),
        ("cd /nemo_run/code && ls", "cd /lustre/exp/jobs/train/code && ls"),
        ("PATH=/nemo_run/code:/bin", "PATH=/lustre/exp/jobs/train/code:/bin"),
        ("/nemo_runner/x", "/nemo_runner/x"),
        ("/nemo_run-2/x", "/nemo_run-2/x"),
        ("/nemo_run.old", "/nemo_run.old"),
        ("/data/nemo_run/x", "/data/nemo_run/x"),
        ("~/nemo_run/x", "~/nemo_run/x"),
        ("./nemo_run/x", "./nemo_run/x"),
    ],
)
def test_paths_of_the_container_where_there_is_none(text: str, expected: str) -> None:
    assert CLUSTER.localized(text) == expected
    assert CONTAINER.localized(text) == text
