"""Tags and notes: nothing is lost, whoever writes at once."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from nemo_run.exceptions import PlanError, StoreError
from nemo_run.management import marks, store


def test_tags_are_added_and_taken_away() -> None:
    record = store.create("t")
    assert marks.read(record) == ((), "")
    assert marks.change(record, ["b", "a"], note=" good \n") == (("a", "b"), "good")
    assert marks.change(record, ["c"], ["a", "never-there"]) == (("b", "c"), "good")
    assert marks.read(record) == (("b", "c"), "good")
    assert marks.change(record, note="").note == ""


@pytest.mark.parametrize("tag", ["", "two words", "a,b", "-x", "+x", "x" * 101, "a\nb", "a*"])
def test_what_can_be_no_tag_is_refused(tag: str) -> None:
    record = store.create("t")
    with pytest.raises(PlanError, match="can be no tag"):
        marks.change(record, [tag])
    assert marks.read(record).tags == ()


def test_names_of_later_versions_stay_and_damage_is_not_written_over() -> None:
    record = store.create("t")
    path = record.path / "marks.json"
    path.write_text(json.dumps({"format": 1, "tags": ["a", 5], "stars": 3}))
    marks.change(record, ["b"])
    assert json.loads(path.read_text()) == {
        "format": 1,
        "tags": ["a", "b"],
        "note": "",
        "stars": 3,
    }
    path.write_text('{"tags": ["a"')
    assert marks.read(record) == ((), "")
    with pytest.raises(StoreError, match="is damaged"):
        marks.change(record, ["c"])
    assert path.read_text() == '{"tags": ["a"'


def test_several_at_once_lose_nothing() -> None:
    record = store.create("t")
    text = (
        "import sys\nfrom nemo_run.management import marks, store\n"
        "record = store.find(sys.argv[1])\n"
        "for n in range(20): marks.change(record, [f'{sys.argv[2]}-{n}'])"
    )
    several = [
        subprocess.Popen([sys.executable, "-c", text, record.id, name]) for name in ("x", "y", "z")
    ]
    assert [process.wait() for process in several] == [0, 0, 0]
    assert len(marks.read(record).tags) == 60
