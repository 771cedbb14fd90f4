"""Repositories of every shape: their code travels, or one line says why not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from files_of import state_of

import nemo_run as run
from nemo_run.exceptions import PackagingError


def names(files: dict[bytes, object]) -> list[str]:
    return sorted(map(os.fsdecode, files))


@pytest.fixture
def nested(new_repository):
    """A repository with a submodule at third_party/lib, which has one at deep/core."""
    core = new_repository("core", {"core.py": "core 1"})
    lib = new_repository("lib", {"lib.py": "lib 1"})
    lib.git("submodule", "--quiet", "add", str(core.path), "deep/core")
    lib.commit()
    repo = new_repository("repo", {"train.py": "1", ".gitignore": "*.log\n"})
    repo.git("submodule", "--quiet", "add", str(lib.path), "third_party/lib")
    repo.git("submodule", "--quiet", "update", "--init", "--recursive")
    repo.commit()
    return repo


def test_submodules_come_at_their_own_paths_in_their_working_state(nested, take, unpacked):
    lib = nested.path / "third_party" / "lib"
    (lib / "lib.py").write_text("lib 2")
    (lib / "deep" / "core" / "new.py").write_text("untracked")
    before = state_of(nested.path)
    snapshot = take(run.GitArchivePackager(), nested.path)
    found = unpacked(snapshot)
    assert found[b"third_party/lib/lib.py"] == b"lib 2"
    assert found[b"third_party/lib/deep/core/core.py"] == b"core 1"
    assert found[b"third_party/lib/deep/core/new.py"] == b"untracked"
    assert not any(b".git/" in name or name.endswith(b"/.git") for name in found)
    assert (snapshot.modified, snapshot.untracked) == (1, 1)
    assert state_of(nested.path) == before


def test_with_ref_submodules_come_as_the_commit_records_them(nested, take, unpacked):
    lib = nested.path / "third_party" / "lib"
    (lib / "lib.py").write_text("lib 2")
    subprocess.run(["git", "-C", lib, "commit", "--quiet", "-am", "2"], check=True)
    found = unpacked(take(run.GitArchivePackager(ref="HEAD"), nested.path))
    assert found[b"third_party/lib/lib.py"] == b"lib 1"
    assert found[b"third_party/lib/deep/core/core.py"] == b"core 1"
    assert take(run.GitArchivePackager(), nested.path).modified == 1


@pytest.mark.parametrize("ref", [None, "HEAD"])
def test_submodules_can_be_left_out_and_missing_ones_are_named(nested, take, ref):
    without = take(run.GitArchivePackager(include_submodules=False, ref=ref), nested.path)
    assert not without.holds("third_party")
    assert without.warnings == ()
    nested.git("submodule", "--quiet", "deinit", "--force", "third_party/lib")
    missing = take(run.GitArchivePackager(ref=ref), nested.path)
    (warning,) = missing.warnings
    assert warning == (
        "The submodule third_party/lib is not checked out, so it does not travel: "
        "`git submodule update --init third_party/lib`, or include_submodules=False."
    )


def test_a_subpath_may_be_in_a_submodule_or_above_one(nested, take, unpacked):
    inside = take(run.GitArchivePackager(subpath="third_party/lib/deep"), nested.path)
    assert names(unpacked(inside)) == ["core/core.py"]
    above = take(run.GitArchivePackager(subpath="third_party/", ref="HEAD"), nested.path)
    assert names(unpacked(above)) == ["lib/.gitmodules", "lib/deep/core/core.py", "lib/lib.py"]
    assert above.root == str(nested.path / "third_party")


def test_the_commit_of_a_submodule_must_be_here(nested, take):
    lib = nested.path / "third_party" / "lib"
    subprocess.run(["git", "-C", lib, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True)
    commit = nested.commit()
    nested.git("submodule", "--quiet", "deinit", "--force", "third_party/lib")
    shutil.rmtree(nested.path / ".git/modules/third_party/lib")
    nested.git("checkout", "--quiet", "HEAD~1")
    nested.git("submodule", "--quiet", "update", "--init")
    with pytest.raises(
        PackagingError, match="The submodule third_party/lib does not have the comm"
    ):
        take(run.GitArchivePackager(ref=commit), nested.path)


def test_a_repository_without_a_commit(new_repository, take, unpacked):
    repo = new_repository()
    repo.write({"a.py": "1", "b.py": "2"})
    repo.git("add", "a.py")
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert names(unpacked(snapshot)) == ["a.py", "b.py"]
    assert snapshot.summary() == "2 files, 2 bytes, 1 modified + 1 untracked"
    with pytest.raises(PackagingError, match=r"ref='HEAD' is no commit of .*, which has no commit"):
        take(run.GitArchivePackager(ref="HEAD"), repo.path)


def test_an_empty_repository_is_an_empty_snapshot(new_repository, take, unpacked):
    assert unpacked(take(run.GitArchivePackager(), new_repository().path)) == {}


def test_worktrees_and_detached_heads(new_repository, take, unpacked, tmp_path):
    repo = new_repository(files={"a.py": "1"})
    repo.commit({"a.py": "2"})
    repo.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), "HEAD~1")
    (tmp_path / "tree" / "new.py").write_text("n")
    snapshot = take(run.GitArchivePackager(), tmp_path / "tree")
    assert unpacked(snapshot) == {b"a.py": b"1", b"new.py": b"n"}
    assert snapshot.commit == repo.git("rev-parse", "HEAD~1").strip()


def test_a_bare_repository_has_commits_only(new_repository, take, unpacked, tmp_path):
    repo = new_repository(files={"a.py": "1"})
    bare = tmp_path / "bare.git"
    repo.git("clone", "--quiet", "--bare", ".", str(bare))
    with pytest.raises(PackagingError, match=r"bare\.git is a bare repository, which has no work"):
        take(run.GitArchivePackager(basepath=str(bare)), repo.path)
    assert unpacked(take(run.GitArchivePackager(ref="main"), bare)) == {b"a.py": b"1"}


def test_a_folder_that_is_no_repository_is_told_of_the_pattern_packager(take, tmp_path):
    place = tmp_path / "plain"
    place.mkdir()
    with pytest.raises(PackagingError) as raised:
        take(run.GitArchivePackager(), place)
    assert str(raised.value) == (
        f"{place} is not in a git repository, so git cannot say which files are code. Use "
        "run.PatternPackager(include_pattern='*', relative_path='.'), or `git init` it."
    )
    with pytest.raises(
        PackagingError, match=r"There is no folder .*/nowhere to take the code from"
    ):
        take(run.GitArchivePackager(basepath="nowhere"), place)


def test_the_given_path_counts_and_not_the_folder_of_the_process(new_repository, take, unpacked):
    """A3.5: git ran in the wrong folder."""
    here, other = new_repository("here", {"here.py": ""}), new_repository("an other", {"o.py": "1"})
    found = take(run.GitArchivePackager(basepath=str(other.path)), here.path)
    assert unpacked(found) == {b"o.py": b"1"}
    relative = take(run.GitArchivePackager(basepath="../an other"), here.path)
    assert relative.tree == found.tree


def test_started_in_a_folder_below_the_top_the_whole_repository_travels(new_repository, take):
    repo = new_repository(files={"a.py": "1", "deep/er/b.py": "2"})
    snapshot = take(run.GitArchivePackager(), repo.path / "deep" / "er")
    assert snapshot.holds("a.py")
    assert snapshot.root == str(repo.path)


def test_a_subpath_becomes_the_code_folder(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "1", "src/b.py": "2", "src2/c.py": "3"})
    repo.write({"a.py": "changed", "src/new.py": "4", "other.py": ""})
    snapshot = take(run.GitArchivePackager(subpath="./src/"), repo.path)
    assert unpacked(snapshot) == {b"b.py": b"2", b"new.py": b"4"}
    assert (snapshot.modified, snapshot.untracked) == (0, 1)
    assert snapshot.root == str(repo.path / "src")
    with pytest.raises(PackagingError, match=r"subpath='scr' has no files .* Did you mean 'src'\?"):
        take(run.GitArchivePackager(subpath="scr"), repo.path)
    with pytest.raises(PackagingError, match=r"subpath='\.\./x' is not in the repository"):
        take(run.GitArchivePackager(subpath="../x"), repo.path)


def test_dirty_trees_can_be_refused_with_the_list_of_files(new_repository, take):
    """A3.10: dirty tracked, staged and untracked files went unnoticed."""
    repo = new_repository(files={"a.py": "1", "b.py": "2", "c.py": "3", "src/d.py": "4"})
    both = {"check_uncommitted_changes": True, "check_untracked_files": True}
    assert take(run.GitArchivePackager(**both), repo.path).files == 4
    repo.write({"a.py": "changed", "b.py": "staged"})
    repo.git("add", "b.py")
    (repo.path / "c.py").unlink()
    for ref in (None, "HEAD"):
        with pytest.raises(
            PackagingError, match=r"uncommitted changes, .*: a\.py, b\.py, c\.py\. C"
        ):
            take(run.GitArchivePackager(check_uncommitted_changes=True, ref=ref), repo.path)
    assert take(run.GitArchivePackager(check_untracked_files=True), repo.path).files == 3
    repo.git("stash", "--quiet")
    repo.write({f"new{number:02}.py": "" for number in range(12)})
    for ref in (None, "HEAD"):
        with pytest.raises(PackagingError, match=r"untracked files, .*new09\.py and 2 more\. C"):
            take(run.GitArchivePackager(check_untracked_files=True, ref=ref), repo.path)
    assert take(run.GitArchivePackager(subpath="src", **both), repo.path).files == 1


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    new_repository, take, unpacked, monkeypatch
):
    other = new_repository("other", {"other.py": ""})
    repo = new_repository(files={"a.py": "1"})
    plain = take(run.GitArchivePackager(), repo.path).tree
    for name, value in {
        "GIT_DIR": str(other.path / ".git"),
        "GIT_WORK_TREE": str(other.path),
        "GIT_INDEX_FILE": str(other.path / ".git" / "index"),
        "GIT_OBJECT_DIRECTORY": str(other.path / ".git" / "objects"),
        "GIT_PREFIX": "x/",
        "GIT_ICASE_PATHSPECS": "1",
        "GIT_LITERAL_PATHSPECS": "0",
    }.items():
        monkeypatch.setenv(name, value)
    before = state_of(other.path)
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert unpacked(snapshot) == {b"a.py": b"1"}
    assert snapshot.tree == plain
    assert state_of(other.path) == before


def test_hooks_monitors_and_settings_of_the_user_are_not_used(new_repository, take, tmp_path):
    repo = new_repository(files={"a.py": "1"})
    trace = tmp_path / "ran"
    hook = repo.path / ".git" / "hooks" / "any"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {trace}\n")
    hook.chmod(0o755)
    for name in ("pre-commit", "post-checkout", "reference-transaction", "post-index-change"):
        shutil.copy(hook, hook.with_name(name))
    repo.git("config", "core.fsmonitor", str(hook))
    repo.git("config", "--global", "core.hooksPath", str(hook.parent))
    repo.git("config", "status.showUntrackedFiles", "no")
    repo.git("config", "core.quotePath", "true")
    repo.git("config", "--global", "fastimport.unpackLimit", "1000")
    trace.unlink(missing_ok=True)
    repo.write({"a.py": "2", "n\u00e9w.py": "3"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    snapshot.keep()
    assert snapshot.holds("n\u00e9w.py")
    assert not trace.exists()


def test_sparse_checkouts_send_what_is_there(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "1", "in/b.py": "2", "out/c.py": "3"})
    repo.git("sparse-checkout", "set", "in")
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert names(unpacked(snapshot)) == ["a.py", "in/b.py"]
    assert snapshot.modified == 0
    assert take(run.GitArchivePackager(ref="HEAD"), repo.path).files == 3


def test_a_repository_inside_that_is_no_submodule_is_named(new_repository, take):
    repo = new_repository(files={"a.py": "1"})
    new_repository("repo/vendor/tool", {"t.py": "1"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    assert not snapshot.holds("vendor/tool/t.py")
    (warning,) = snapshot.warnings
    assert warning == (
        "vendor/tool/ is a git repository of its own, so its files do not travel. Make it a "
        "submodule, or name it with include_pattern=."
    )
    with_it = take(run.GitArchivePackager(include_pattern="vendor/tool"), repo.path)
    assert with_it.holds("vendor/tool/t.py")
    assert not with_it.holds("vendor/tool/.git")


def test_a_link_in_place_of_a_folder_is_not_followed(new_repository, take, unpacked, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    repo = new_repository(files={"dir/key": "public", "a.py": "1"})
    shutil.rmtree(repo.path / "dir")
    (repo.path / "dir").symlink_to(tmp_path / "private")
    for ignore in ("", "dir\n"):
        repo.write({".git/info/exclude": ignore})
        found = unpacked(take(run.GitArchivePackager(), repo.path))
        link = {b"dir": b"->" + os.fsencode(tmp_path / "private")}
        assert found == {b"a.py": b"1", **({} if ignore else link)}


def test_a_folder_in_place_of_a_file_and_a_file_in_place_of_a_folder(
    new_repository, take, unpacked
):
    repo = new_repository(files={"a": "file", "b/c": "in folder", "pipe": "x"})
    (repo.path / "a").unlink()
    shutil.rmtree(repo.path / "b")
    (repo.path / "pipe").unlink()
    os.mkfifo(repo.path / "pipe")
    repo.write({"a/new": "1", "b": "2"})
    assert unpacked(take(run.GitArchivePackager(), repo.path)) == {b"a/new": b"1", b"b": b"2"}


def test_conflicts_of_a_merge_travel_as_they_are_in_the_files(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "base\n"})
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit({"a.py": "side\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit({"a.py": "main\n"})
    subprocess.run(["git", "-C", repo.path, "merge", "side"], capture_output=True, check=False)
    found = unpacked(take(run.GitArchivePackager(), repo.path))
    assert b"<<<<<<< HEAD\nmain\n" in found[b"a.py"]


def test_executable_bits_that_git_was_told_not_to_see(new_repository, take, unpacked):
    """Where core.fileMode is false, the file system's bits say nothing: git's own count."""
    repo = new_repository(files={"plain": "1", "run.sh": "2"})
    repo.git("update-index", "--chmod=+x", "run.sh")
    repo.git("config", "core.fileMode", "false")
    (repo.path / "plain").chmod(0o777)
    (repo.path / "run.sh").chmod(0o644)
    assert unpacked(take(run.GitArchivePackager(), repo.path)) == {
        b"plain": b"1",
        b"run.sh": (b"2",),
    }


def test_a_repository_of_sha256(tmp_path, new_repository, take, unpacked):
    repo = new_repository("other")
    shutil.rmtree(repo.path / ".git")
    repo.git("init", "--quiet", "--object-format=sha256")
    repo.commit({"a.py": "1"})
    for ref in (None, "HEAD"):
        assert unpacked(take(run.GitArchivePackager(ref=ref), repo.path)) == {b"a.py": b"1"}


AS_NOBODY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
TAKE = (
    "import sys, os, nemo_run as run\n"
    "from nemo_run.packaging import CodePlace, CodeStore, quarantine\n"
    "run.GitArchivePackager(); os.setgid(65534); os.setuid(65534)\n"
    "try: print(run.GitArchivePackager().snapshot(CodePlace(sys.argv[1], sys.argv[2])).warnings)\n"
    "except run.NemoRunError as error: print(error)\n"
)


def as_nobody(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TAKE, str(folder), "/nonexistent/code.git"],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": "/tmp"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def public(tmp_path, request):
    """A folder that everybody may enter, as pytest's own are not."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@AS_NOBODY
def test_a_repository_of_somebody_else_gives_git_s_own_sentence(public, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    subprocess.run(["git", "init", "--quiet", str(public)], check=True)
    said = as_nobody(public)
    assert said.startswith(f"The code of {public} cannot be read: git says: detected dubious owner")
    assert said.endswith(f"git config --global --add safe.directory {public}")
    assert "\n" not in said


@AS_NOBODY
def test_what_cannot_be_read_is_named(public, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "safe.directory")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "*")
    subprocess.run(["git", "init", "--quiet", str(public)], check=True)
    (public / "closed").mkdir(mode=0o700)
    assert re.search(r"git says of the code: could not open directory 'closed/'", as_nobody(public))
    (public / "key.pem").write_text("x")
    (public / "key.pem").chmod(0o600)
    assert as_nobody(public) == (
        f"{public}/key.pem cannot be read (Permission denied), so the code cannot be sent as it "
        "is. Make it readable, or have git ignore it (.gitignore)."
    )


def test_without_git_the_message_says_so(new_repository, take, monkeypatch):
    repo = new_repository(files={"a.py": ""})
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(PackagingError, match="there is no program 'git' on the PATH"):
        take(run.GitArchivePackager(), repo.path)


def test_a_large_snapshot_names_its_largest_files(new_repository, take):
    repo = new_repository(files={"a.py": "1"})
    with open(repo.path / "weights.bin", "wb") as file:
        file.truncate(120_000_000)
    (warning,) = take(run.GitArchivePackager(), repo.path).warnings
    assert warning.startswith(
        "The code that travels is 120.0 MB large. The largest files are weights.bin (120.0 MB), "
        "a.py (1 byte). Have git ignore"
    )
