"""The working state of a repository travels, by git's rules, byte for byte."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from files_of import on_disk, state_of

import nemo_run as run
from nemo_run.exceptions import PackagingError
from nemo_run.packaging import CodePlace


def test_what_git_would_commit_travels(new_repository, take, unpacked):
    """Modified, staged, deleted, untracked and ignored files, as `git add --all` treats them."""
    repo = new_repository(
        files={
            "train.py": "old\n",
            "gone.py": "x",
            "staged.py": "old",
            "lib/a.py": "a",
            ".gitignore": "*.ckpt\n",
        }
    )
    repo.write({"train.py": "new\n", "staged.py": "new", "fresh.py": "f", "big.ckpt": "c"})
    repo.git("add", "staged.py")
    (repo.path / "staged.py").write_text("newer")
    (repo.path / "gone.py").unlink()
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert unpacked(snapshot) == {
        b"train.py": b"new\n",
        b"staged.py": b"newer",
        b"lib/a.py": b"a",
        b".gitignore": b"*.ckpt\n",
        b"fresh.py": b"f",
    }
    head = repo.git("rev-parse", "HEAD")[:7]
    assert snapshot.summary() == f"5 files, 18 bytes, commit {head} + 3 modified + 1 untracked"
    assert snapshot.root == str(repo.path)
    assert snapshot.holds("lib/a.py")
    assert snapshot.holds("lib/")
    assert snapshot.holds("./train.py")
    assert snapshot.holds(".")
    assert not snapshot.holds("big.ckpt")


def test_nothing_of_the_user_s_is_written(new_repository, take, tmp_path, monkeypatch):
    """Index, objects, stash and folders keep their bytes and times; nothing is left anywhere."""
    repo = new_repository(files={"a.py": "1", "b.py": "2"})
    repo.write({"a.py": "3"})
    repo.git("stash")
    repo.write({"b.py": "4", "c.py": "5"})
    repo.git("add", "b.py")
    os.utime(repo.path / "a.py", (1, 1))  # an index that git would like to refresh
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    before = state_of(repo.path)
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert not (tmp_path / "home").exists()
    assert any(aside.iterdir())
    del snapshot
    assert list(aside.iterdir()) == []
    take(run.GitArchivePackager(), repo.path).keep()
    assert state_of(repo.path) == before
    assert list(aside.iterdir()) == []
    assert repo.git("stash", "list").count("\n") == 1


def test_twice_unchanged_is_the_same_tree_that_git_itself_would_make(new_repository, take):
    repo = new_repository(files={"a.py": "1", "lib/b.py": "2", "lib.py": "3", "lib-x/c": "4"})
    first, second = (take(run.GitArchivePackager(), repo.path) for _ in range(2))
    assert first.tree == second.tree == repo.git("rev-parse", "HEAD^{tree}").strip()
    first.keep()
    third = take(run.GitArchivePackager(), repo.path)
    assert third.tree == first.tree
    repo.write({"a.py": "9"})
    assert take(run.GitArchivePackager(), repo.path).tree != first.tree


def test_caches_of_python_do_not_travel(new_repository, take):
    """They appear by importing, so that the second run of the same code would be other code."""
    repo = new_repository(files={"lib/a.py": "1", "lib/__pycache__/tracked.pyc": "2"})
    before = take(run.GitArchivePackager(), repo.path)
    everything = run.PatternPackager(include_pattern="lib", relative_path=".")
    assert take(everything, repo.path).files == 1
    repo.write({"lib/__pycache__/a.cpython-311.pyc": "3"})
    after = take(run.GitArchivePackager(check_untracked_files=True), repo.path)
    assert (after.tree, after.files, after.untracked) == (before.tree, 2, 0)
    assert take(everything, repo.path).files == 1


def test_a_home_in_the_project_does_not_travel(new_repository, tmp_path, monkeypatch):
    """Otherwise each snapshot would hold those before it."""
    repo = new_repository(files={"a.py": "1"})
    for home in (repo.path / "runs", Path("runs")):
        monkeypatch.chdir(repo.path)
        monkeypatch.setenv("NEMORUN_HOME", str(home))
        place = CodePlace(str(repo.path), str(home.absolute() / "code.git"))
        repo.write({"runs/experiments/x/log": "1", "runs.py": "2"})
        for packager in (
            run.GitArchivePackager(),
            run.GitArchivePackager(include_pattern="r*"),
            run.PatternPackager(include_pattern="*", relative_path="."),
        ):
            snapshot = packager.snapshot(place)
            snapshot.keep()
            assert snapshot.files == 2
            assert snapshot.holds("runs.py")
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path))
    assert run.GitArchivePackager().snapshot(place).holds("a.py")


def test_odd_names_bytes_modes_and_links_arrive(new_repository, take, unpacked):
    repo = new_repository()
    repo.write(
        {
            "with space.py": "1",
            "line\nbreak": "2",
            "quote\"'$(x)`": "3",
            ":(exclude)a": "4",
            "-rf": "5",
            "tab\there": "6",
            "binary": bytes(range(256)) * 100,
            "crlf.txt": b"a\r\nb\r\n",
            "empty": "",
            "back\\slash": "7",
            "\u00e4\u6f22": "8",
            "trailing ": "9",
            "!bang/#hash": "10",
            "run.sh": "#!/bin/sh\n",
            "a" * 150 + "/" + "b" * 150: "long",
        }
    )
    Path(os.fsdecode(os.fsencode(repo.path) + b"/latin\xe9")).write_bytes(b"11")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("with space.py")
    (repo.path / "dangling").symlink_to("no/where")
    (repo.path / "folder link").symlink_to("!bang")
    (repo.path / "long link").symlink_to("x" * 200)
    expected = {k: v for k, v in on_disk(repo.path).items() if not k.startswith(b".git/")}
    assert len(expected) == 20
    assert unpacked(take(run.GitArchivePackager(), repo.path)) == expected


@pytest.mark.parametrize("ref", [None, "HEAD"])
def test_attributes_and_filters_change_nothing(new_repository, take, unpacked, ref):
    """Line ends, ident, filters (LFS is one) and export rules are git's business, not ours."""
    repo = new_repository()
    repo.git("config", "filter.shout.clean", "tr a-z A-Z")
    repo.git("config", "filter.shout.smudge", "tr A-Z a-z")
    repo.git("config", "core.autocrlf", "input")
    files = {
        ".gitattributes": "*.txt text eol=crlf\n*.id ident\n*.big filter=shout\n"
        "secret.py export-ignore\nversion.py export-subst\n",
        "crlf.txt": b"a\r\nb\r\n",
        "x.id": "$Id$\n",
        "model.big": "weights\n",
        "secret.py": "s\n",
        "version.py": "$Format:%H$\n",
    }
    repo.commit(files)
    found = unpacked(take(run.GitArchivePackager(ref=ref), repo.path))
    expected = {os.fsencode(k): v.encode() if isinstance(v, str) else v for k, v in files.items()}
    if ref is not None:  # a commit holds what the filters made of the files
        expected |= {b"crlf.txt": b"a\nb\n", b"model.big": b"WEIGHTS\n"}
    assert found == expected


def test_a_commit_can_be_sent_instead(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "1", "old.py": "o"})
    (repo.path / "old.py").unlink()
    last = repo.commit({"a.py": "2"})
    repo.write({"a.py": "3", "new.py": "n"})
    snapshot = take(run.GitArchivePackager(ref="HEAD"), repo.path)
    assert unpacked(snapshot) == {b"a.py": b"2"}
    assert snapshot.summary() == f"1 file, 1 byte, commit {last[:7]}"
    assert unpacked(take(run.GitArchivePackager(ref="HEAD~1"), repo.path)) == {
        b"a.py": b"1",
        b"old.py": b"o",
    }
    with pytest.raises(PackagingError, match="ref='mian' is no commit of"):
        take(run.GitArchivePackager(ref="mian"), repo.path)
    with pytest.raises(PackagingError, match="is no commit of"):
        take(run.GitArchivePackager(ref="--all"), repo.path)


def test_a_target_gets_only_what_it_lacks(new_repository, take, store, tmp_path):
    lines = [f"line {os.urandom(20).hex()}\n" for _ in range(5000)]
    repo = new_repository(files={"big.py": "".join(lines), "other.bin": os.urandom(200_000)})
    first = take(run.GitArchivePackager(), repo.path)
    first.keep()
    lines[2500] = "edited\n"
    repo.write({"big.py": "".join(lines)})
    second = take(run.GitArchivePackager(), repo.path)
    second.keep()
    whole, part = (b"".join(store.pack_for(second.tree, known)) for known in ([], [first.tree]))
    assert len(whole) > 300_000
    assert len(part) < 1000
    target = tmp_path / "target.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(target)], check=True)
    for pack in (b"".join(store.pack_for(first.tree)), part):
        subprocess.run(
            ["git", "--git-dir", str(target), "index-pack", "--stdin", "--fix-thin"],
            input=pack,
            check=True,
            capture_output=True,
        )
    shown = subprocess.run(
        ["git", "--git-dir", str(target), "cat-file", "blob", f"{second.tree}:big.py"],
        check=True,
        capture_output=True,
    )
    assert shown.stdout.decode() == "".join(lines)


def test_pointers_of_lfs_are_named_where_a_commit_is_sent(new_repository, take, unpacked):
    """git's own archive would ask LFS for the files; a commit by itself has pointers only."""
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    repo = new_repository(
        files={".gitattributes": "*.bin filter=lfs\n", "a.bin": pointer, "b/c.bin": pointer}
    )
    repo.write({"a.bin": "the file"})
    working = take(run.GitArchivePackager(), repo.path)
    assert unpacked(working)[b"a.bin"] == b"the file"
    assert working.warnings == ()
    (warning,) = take(run.GitArchivePackager(ref="HEAD"), repo.path).warnings
    assert warning.startswith("a.bin and 1 more would travel as a pointer of git LFS, which is")
    (warning,) = take(run.GitArchivePackager(ref="HEAD", subpath="b"), repo.path).warnings
    assert warning.startswith("b/c.bin would travel as a pointer of git LFS")
