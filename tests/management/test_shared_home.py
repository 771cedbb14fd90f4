"""A home that users share: each sees what the others let be read, and changes nothing of theirs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nemo_run import shared_home
from nemo_run.exceptions import StoreError
from nemo_run.management import index, operations, store
from nemo_run.management.capture import packages
from nemo_run.management.sharing import exporting, importing, trees
from nemo_run.management.store import layout, locations
from nemo_run.packaging.store import CodeStore

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")

ANN, BOB, TEAM = 64001, 64002, 64100
# Imported while this is root: what Python itself consists of may be closed to others.
NEEDED = (exporting, importing, packages, json, subprocess)


def as_user(user: int, act: Callable[[], object], group: int = TEAM) -> str:
    """Return what ``act`` returns as a text, called in a process of that user."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([group])
            os.setgid(user)
            os.setuid(user)
            text = str(act())
        except StoreError as error:
            text = f"StoreError: {error}"
        except BaseException:
            text = traceback.format_exc()
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home that belongs to root and that the team may use."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        home = Path(name, "home")
        home.mkdir()
        os.chown(home, 0, TEAM)
        home.chmod(0o3770)
        monkeypatch.setenv("NEMORUN_HOME", str(home))
        monkeypatch.chdir(name)
        yield home


def make(title: str) -> str:
    meta = {"jobs": [{"id": "a", "dependencies": []}], "packages": packages.kept({"x": "1"})}
    files = {"jobs/a/task.json": "{}", "jobs/a/secrets/KEY": "hidden"}
    return store.create(title, meta=meta, files=files).id


def listed() -> list[str]:
    return sorted(row.title for row in index.rows().rows)


def test_each_sees_the_experiments_of_all_and_whose_they_are_on_disk(shared):
    ann, bob = as_user(ANN, lambda: make("anns")), as_user(BOB, lambda: make("bobs"))
    assert as_user(ANN, listed) == as_user(BOB, listed) == "['anns', 'bobs']"
    assert as_user(BOB, lambda: store.find(ann).status().state) == "CREATED"
    assert as_user(BOB, lambda: packages.of(store.find(ann))) == "{'x': '1'}"
    folders = {one.name: one.stat() for one in shared.iterdir()}
    assert {name: one.st_uid for name, one in folders.items()} == {
        f"user-{ANN}": ANN,
        f"user-{BOB}": BOB,
    }
    assert bob.startswith("bobs_")
    for inside, _, names in os.walk(shared / f"user-{ANN}"):
        for path in (Path(inside), *(Path(inside, one) for one in names)):
            assert not path.stat().st_mode & 0o027, path  # no group writes, nobody else reads


def test_a_stranger_sees_nothing(shared):
    as_user(ANN, lambda: make("anns"))
    told = as_user(BOB, lambda: list(store.records()), group=BOB)
    assert told.startswith("StoreError")
    assert "Are you in the group of that home?" in told


def test_nobody_changes_what_is_anothers(shared):
    ann = as_user(ANN, lambda: make("anns"))
    for act, doing in ((store.delete, "delete"), (operations.cancel, "cancel"),
                       (operations.resume, "resume")):  # fmt: skip
        told = as_user(BOB, lambda act=act: act(store.find(ann)))
        assert told.startswith(f"StoreError: Experiment {ann} belongs to"), told
        assert f"only its owner can {doing} it" in told
    assert as_user(ANN, listed) == "['anns']"
    written = as_user(BOB, lambda: (store.find(ann).path / "x").write_text("y"))
    assert "PermissionError" in written


def test_secrets_stay_closed(shared):
    ann = as_user(ANN, lambda: make("anns"))
    folder = store.find(ann, shared / f"user-{ANN}").path / "jobs" / "a"
    assert "PermissionError" in as_user(BOB, lambda: (folder / "secrets" / "KEY").read_text())
    assert as_user(BOB, lambda: (folder / "task.json").read_text()) == "{}"


def test_what_is_closed_to_others_is_counted_and_hides_nothing_else(shared):
    as_user(ANN, lambda: make("anns"))
    as_user(BOB, lambda: make("bobs"))
    closed = shared / f"user-{ANN}"
    closed.chmod(0o700)
    assert as_user(BOB, listed) == "['bobs']"
    assert as_user(BOB, lambda: [str(p) for p in locations.closed()]) == str([str(closed)])
    closed.chmod(0o2750)
    title = closed / "experiments" / "anns"
    title.chmod(0o700)
    assert as_user(BOB, lambda: len(list(store.records()))) == "1"


def test_a_folder_that_somebody_else_laid_out_for_us_is_refused(shared):
    trap = shared / f"user-{ANN}"
    (shared.parent / "bait").mkdir(mode=0o777)
    as_user(BOB, lambda: trap.symlink_to(shared.parent / "bait"))
    assert "is a link or belongs to somebody else" in as_user(ANN, lambda: make("anns"))
    trap.unlink()
    as_user(BOB, lambda: trap.mkdir(mode=0o777))
    assert "is a link or belongs to somebody else" in as_user(ANN, lambda: make("anns"))
    assert list((shared.parent / "bait").iterdir()) == []


def test_a_home_whose_members_could_rename_folders_is_refused(shared):
    shared.chmod(0o2770)
    assert f"chmod +t {shared}" in as_user(ANN, lambda: make("anns"))


def test_a_home_that_is_shared_with_nobody_is_as_ever(tmp_path, monkeypatch):
    for mode in (0o700, 0o755, 0o770):
        home = tmp_path / f"{mode:o}"
        home.mkdir()
        home.chmod(mode)
        monkeypatch.setenv("NEMORUN_HOME", str(home))
        assert layout.home() == home
        record = store.create("mine")
        assert stat.S_IMODE(record.journal.path.stat().st_mode) == 0o600


def test_a_home_in_a_folder_of_a_group_is_closed_until_its_owner_opens_it(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "project").chmod(0o2755)
    home = tmp_path / "project" / "home"
    monkeypatch.setenv("NEMORUN_HOME", str(home))
    record = store.create("mine")
    assert not home.stat().st_mode & 0o077
    assert stat.S_IMODE(record.journal.path.stat().st_mode) == 0o600
    elsewhere = store.create("other", base_dir=tmp_path / "project")
    assert stat.S_IMODE(elsewhere.path.stat().st_mode) & 0o077 == 0
    home.chmod(0o2750)
    (home / "experiments").chmod(0o2750)
    record = store.create("open")
    assert stat.S_IMODE(record.journal.path.stat().st_mode) == 0o640


def test_experiments_from_before_it_was_shared_are_still_found(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("NEMORUN_HOME", str(home))
    old = store.create("old")
    home.chmod(0o3770)
    new = store.create("new")
    assert new.path.parts[-4] == shared_home.PREFIX + "root"
    assert {one.id for one in store.records()} == {old.id, new.id}


def test_the_settings_of_anothers_code_store_start_nothing(tmp_path):
    hostile = CodeStore(tmp_path / "code.git")
    hostile.make()
    (tmp_path / "evil").write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\nexit 1\n")
    (tmp_path / "evil").chmod(0o755)
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "there",
        "remote.there.url": "ssh://nowhere/x",
        "remote.there.promisor": "true",
        "core.sshCommand": str(tmp_path / "evil"),
    }.items():
        subprocess.run(["git", "-C", hostile.path, "config", key, value], check=True)
    missing = "4" * 40
    refs = Path(hostile.path, "refs", "snapshots")
    refs.mkdir(parents=True)
    (refs / missing).write_text(f"{missing}\n")
    assert not hostile.has(missing)
    with pytest.raises(Exception, match="git"):
        list(trees.pack(hostile, [missing]))
    assert not (tmp_path / "was-run").exists()
    plain = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    subprocess.run(["git", "--git-dir", hostile.path, "cat-file", "-t", missing], env=plain,
                   capture_output=True, check=False)  # fmt: skip
    assert (tmp_path / "was-run").exists(), "the trap works where nothing is done against it"
