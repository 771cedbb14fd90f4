"""Names of titles and jobs: every one that is accepted is a folder on every system, and its own."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.exceptions import PlanError
from nemo_run.management.store import ids, names

AWKWARD = [
    "../x", "a/b", "a\\b", "..", ".", ".hidden", "-rf", "--help", "trailing.", "trailing ",
    " front",
    "CON", "nul", "com1.txt", "LPT9", "a:b", "a*b?", '"quoted"', "<x>|y", "x" * 400, "é" * 200,
    "$(rm -rf x)", "`id`", "a;b", "%j", "{x}", "a\u200db", "~root", "#1",
]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["train", "lr=0.1", "a b", "naïve", "日本", "🔥hot", "x.y_z-1+2@3"]
)
def test_a_good_name_is_its_own_folder(name: str) -> None:
    assert names.folder(name) == name


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_name_becomes_a_folder_inside_its_parent(name: str, tmp_path: Path) -> None:
    folder = names.folder(name)
    path = tmp_path / folder
    path.mkdir()
    assert path.resolve().parent == tmp_path.resolve()
    assert [p.name for p in tmp_path.iterdir()] == [folder]
    assert names.folder(folder) == folder


def test_names_that_are_mended_alike_stay_apart() -> None:
    alike = ["a/b", "a:b", "a\\b", "a*b", "a_b"]
    assert len({names.folder(name) for name in alike}) == len(alike)
    assert names.folder("x" * 400 + "1") != names.folder("x" * 400 + "2")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("a\nb", r"control character '\n'"),
        ("a\x00b", r"control character '\x00'"),
        ("\x1b[31mred", r"control character '\x1b'"),
        ("a\udc80", r"control character '\udc80'"),
        ("a\u2028b", r"control character '\u2028'"),
    ],
)
def test_a_name_that_cannot_be_shown_is_refused(name: str, said: str) -> None:
    with pytest.raises(PlanError, match=re.escape(said)):
        names.folder(name, "job name")


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(PlanError, match="must be text, not int: 3"):
        names.folder(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*AWKWARD, "x" * 121])
def test_an_id_of_ones_own_is_taken_as_it_stands_or_refused_with_one_that_works(name: str) -> None:
    with pytest.raises(PlanError, match="for example") as error:
        names.check_id(name)
    proposed = str(error.value).rsplit("example '", 1)[1].removesuffix("'.")
    names.check_id(proposed)


@given(st.text(min_size=1))
def test_every_accepted_name_is_legal_on_windows_and_short(name: str) -> None:
    try:
        folder = names.folder(name)
    except PlanError:
        return
    assert not re.search(r'[<>:"/\\|?*\x00-\x1f\x7f]', folder)
    assert folder[0] not in " .-"
    assert folder[-1] not in " ."
    assert not PureWindowsPath(folder).is_reserved()
    assert len(folder.encode()) <= names.MAX_BYTES
    assert names.folder(folder) == folder


@given(st.lists(st.text(min_size=1), unique=True, max_size=20))
def test_no_two_names_share_a_folder(texts: list[str]) -> None:
    folders = []
    for text in texts:
        try:
            folders.append(names.folder(text))
        except PlanError:
            continue
    assert len(set(folders)) == len(folders)


def test_ids_made_with_a_stopped_clock_differ_and_keep_their_order() -> None:
    made = [ids.new_id("t", lambda: 1700000000000000000) for _ in range(1000)]
    assert len(set(made)) == 1000
    assert sorted(made) == made


def test_a_clock_that_was_set_right_is_believed() -> None:
    ids.new_id("t", lambda: 4_000_000_000_000_000_000)
    assert ids.new_id("t", lambda: 1_700_000_000_000_000_000) == "t_1700000000000000000"


def test_an_id_tells_its_title_folder_and_time() -> None:
    made = ids.new_id("my_run_1", lambda: 4000000000000000000)
    assert ids.folder_of(made) == "my_run_1"
    assert ids.time_of(made) == 4000000000000000000
    assert (ids.folder_of("custom"), ids.time_of("custom_12")) == (None, None)


def test_characters_that_turn_text_around_are_refused_and_emoji_are_not() -> None:
    with pytest.raises(PlanError, match="control character"):
        names.check("a\u202eb")
    names.check("family \U0001f468\u200d\U0001f469\u200d\U0001f467")
