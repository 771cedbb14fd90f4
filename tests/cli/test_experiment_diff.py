"""``nemo-run experiment diff``, of experiments that were really run."""

from __future__ import annotations

import re
import shutil

import pytest
from in_terminal import Terminal
from repeating import Project, project

__all__ = ["project"]


@pytest.fixture
def two(project: Project) -> tuple[str, str]:
    """Two runs: another value, a changed file and a new one."""
    first = project.launch(0.1)
    text = (project.path / "model.py").read_text()
    (project.path / "model.py").write_text(text.replace("width: int = 8", "width: int = 16"))
    (project.path / "notes.md").write_text("new\n")
    return first, project.launch(0.2)


def test_two_runs_are_compared_in_every_section(project: Project, two: tuple[str, str]) -> None:
    # Nothing of the experiments' own code is needed.
    (project.path / "model.py").write_text("raise RuntimeError('imported')\n")
    done = project.experiment("diff", *two)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    (row,) = [line for line in lines if "model.lr" in line]
    assert row.split() == [
        "~",
        "train",
        "model.lr",
        "0.1",
        "0.2",
        "+0.1",
        "(+100%)",
        "launch.py:11",
    ]
    assert "-    width: int = 8" in done.out
    assert "+    width: int = 16" in done.out
    assert any(line.split() == ["+", "notes.md", "+1", "-0"] for line in lines)
    assert any("accuracy" in line and "+0.3 (+100%)" in line for line in lines)
    assert "Equal: packages, environment, executor." in done.out
    assert "hf_abcdef" not in done.out


def test_json_says_the_same(project: Project, two: tuple[str, str]) -> None:
    document = project.experiment("diff", *two, "--json").json
    assert document["differ"] is True
    (change,) = document["configuration"]["changes"]
    assert change == {
        "path": "model.lr", "kind": "changed", "old": 0.1, "new": 0.2, "difference": 0.1,
        "old_from": "launch.py:11", "new_from": "launch.py:11", "jobs": ["train"],
    }  # fmt: skip
    (trees,) = document["code"]["trees"]
    assert trees["jobs"] == ["train", "check"]
    assert {file["path"]: file["kind"] for file in trees["files"]} == {
        "model.py": "changed", "notes.md": "added",
    }  # fmt: skip
    assert {c["path"] for c in document["results"]["changes"]} == {"accuracy", "width"}


def test_equal_experiments_say_so(project: Project) -> None:
    first, second = project.launch(0.1), project.launch(0.1)
    done = project.experiment("diff", first, second, "--exit-code")
    assert (done.code, done.out.splitlines()[-1]) == (0, "They are equal.")
    other = project.launch(0.3)
    assert project.experiment("diff", first, other).code == 0
    assert project.experiment("diff", first, other, "--exit-code").code == 1


def test_two_jobs_of_one_experiment(project: Project) -> None:
    first = project.launch(0.1)
    done = project.experiment("diff", f"{first}/train", f"{first}/check")
    assert done.code == 0
    assert "train(" in done.out
    assert project.experiment("diff", first, first, "--job", "train").out.endswith("equal.\n")
    assert project.experiment("diff", f"{first}/train", first).code == 2
    wrong = project.experiment("diff", f"{first}/trian", first)
    assert wrong.code not in (0, 2)
    assert "Did you mean 'train'" in wrong.err


def test_a_page_stands_alone(project: Project, two: tuple[str, str]) -> None:
    done = project.experiment("diff", *two, "--html", "diff.html")
    assert done.code == 0, done.err
    page = (project.path / "diff.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert "model.lr" in page
    assert "+    width: int = 16" in page
    assert "hf_abcdef" not in page


@pytest.mark.parametrize("width", ["40", "80"])
def test_it_fits_the_terminal(project: Project, two: tuple[str, str], width: str) -> None:
    command = [*project.words, *two]
    seen = Terminal(command, {"COLUMNS": width})
    assert seen.end() == 0
    seen.close()
    # What says that it goes on, on a slow machine, is wiped away.
    shown = re.sub(r"[^\n]*\r\x1b\[K", "", seen.seen)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.split("\r\n")]
    assert any("mod" in line and "0.1" in line for line in lines)
    assert max(map(len, lines)) <= int(width)
    assert "\x1b[32m" in seen.seen


def test_what_is_damaged_is_a_sentence(project: Project, two: tuple[str, str]) -> None:
    for name in ("task.json", "executor.json", "spec.json", "result.json"):
        path = project.record(two[1]) / "jobs/train" / name
        whole = path.read_bytes()
        for content in (None, "", "{", "[1]", '{"value": {"$": "config"}}', "\0" * 9):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            done = project.experiment("diff", *two)
            assert done.code == 0, done.err
            assert "Traceback" not in done.err
            assert "Nothing differs" not in done.out
            if name in ("task.json", "executor.json") and content in (None, "", "{", "[1]"):
                assert f"{path.parent}" in done.out
                assert f"Equal: {name}" not in done.out
        path.write_bytes(whole)


def test_code_that_is_gone_is_a_sentence(project: Project, two: tuple[str, str]) -> None:
    shutil.rmtree(project.home / "code.git")
    done = project.experiment("diff", *two)
    assert done.code == 0
    assert "not kept any more" in done.out


def test_python_says_the_same(project: Project, two: tuple[str, str]) -> None:
    program = f"""
        import nemo_run as run

        old = run.Experiment.from_id({two[0]!r})
        new = run.Experiment.from_id({two[1]!r})
        found = new.diff(old, trim=True)
        assert found and found.configuration.changes[0].path == "model.lr"
        assert str(new.diff({two[0]!r})) == str(found)
        assert "<table" in found._repr_html_()
        assert not new.diff(new)
        print(found)
    """
    project.write("look.py", program)
    done = project.python("look.py")
    assert done.code == 0, done.err
    assert done.out == project.experiment("diff", *two).out
