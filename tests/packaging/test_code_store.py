"""The store of snapshots: many at once, deaths in the middle, and every byte there is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from files_of import on_disk, state_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.exceptions import PackagingError
from nemo_run.packaging import CodePlace, CodeStore

KEEP = (
    "import sys, nemo_run as run\n"
    "from nemo_run.packaging import CodePlace\n"
    "found = run.GitArchivePackager().snapshot(CodePlace(sys.argv[1], sys.argv[2]))\n"
    "print(found.tree, flush=True); found.keep(); print('kept', flush=True)\n"
)


def keeping(repo: Path, store: CodeStore, **options: object) -> subprocess.Popen:
    command = [sys.executable, "-c", KEEP, str(repo), store.path]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def fsck(store: CodeStore) -> None:
    """Raise unless everything that is kept is whole."""
    done = subprocess.run(
        ["git", "--git-dir", store.path, "fsck", "--full"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_many_at_once_make_one_snapshot(new_repository, take, store):
    """A3.3: a fixed temporary name made threads and processes collide."""
    repo = new_repository(files={f"f{number}.py": f"{number}" for number in range(200)})
    repo.write({"new.py": "n"})
    before = state_of(repo.path)
    processes = [keeping(repo.path, store) for _ in range(2)]
    start = threading.Barrier(8)

    def one(_: int) -> str:
        start.wait()
        snapshot = take(run.GitArchivePackager(), repo.path)
        snapshot.keep()
        snapshot.keep()
        return snapshot.tree

    with ThreadPoolExecutor(8) as pool:
        trees = set(pool.map(one, range(8)))
    for process in processes:
        told = process.communicate(timeout=60)[0].split()
        assert told[1] == "kept"
        trees.add(told[0])
    assert len(trees) == 1
    assert store.trees() == [*trees]
    fsck(store)
    assert state_of(repo.path) == before
    assert [path.name for path in Path(store.path).parent.iterdir()] == ["code.git"]


def test_code_edited_between_two_runs_is_new_code(new_repository, take, unpacked, store):
    """A3.4: what was packaged under a job's name was taken for what is there now."""
    repo = new_repository(files={"a.py": "1"})
    first = take(run.GitArchivePackager(), repo.path)
    assert unpacked(first) == {b"a.py": b"1"}
    repo.write({"a.py": "2"})
    second = take(run.GitArchivePackager(), repo.path)
    assert unpacked(second) == {b"a.py": b"2"}
    assert sorted(store.trees()) == sorted([first.tree, second.tree])


def test_what_is_kept_is_what_was_there_when_it_was_taken(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "1"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    repo.write({"a.py": "2", "b.py": "3"})
    assert unpacked(snapshot) == {b"a.py": b"1"}


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_death_in_the_middle_leaves_a_store_that_works(
    new_repository, take, store, unpacked, delay
):
    repo = new_repository()
    repo.write({f"d{number % 7}/f{number}": os.urandom(2000) for number in range(1500)})
    aside = {**os.environ, "TMPDIR": str(repo.path.parent)}  # what a killed process leaves
    process = keeping(repo.path, store, start_new_session=True, env=aside)
    if delay:  # after the snapshot was taken, while it is kept; else before
        process.stdout.readline()
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    found = unpacked(take(run.GitArchivePackager(), repo.path))
    assert len(found) == 1500
    fsck(store)


def test_a_child_that_ends_does_not_take_the_quarantine_away(new_repository, take, unpacked):
    repo = new_repository(files={"a.py": "1"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    child = os.fork()
    if child == 0:
        del snapshot
        sys.exitfunc = None
        import weakref

        weakref.finalize._exitfunc()
        os._exit(0)
    os.waitpid(child, 0)
    assert unpacked(snapshot) == {b"a.py": b"1"}


def test_files_that_change_while_they_are_read(new_repository, take, unpacked, store):
    """A log that grows is cut where it was; a file that comes and goes is there or is not."""
    repo = new_repository(files={f"f{number}": "x" * 1000 for number in range(300)})
    stop = threading.Event()

    def disturb() -> None:
        with (repo.path / "train.log").open("ab") as log:
            while not stop.is_set():
                log.write(b"line\n")
                log.flush()
                (repo.path / "comes").write_text("and goes")
                (repo.path / "comes").unlink()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        snapshots = [take(run.GitArchivePackager(), repo.path) for _ in range(15)]
    finally:
        stop.set()
        thread.join()
    for snapshot in snapshots:
        found = unpacked(snapshot)
        assert set(found) - {b"comes"} == {*(b"f%d" % n for n in range(300)), b"train.log"}
    fsck(store)


def test_kept_snapshots_survive_gc_and_forgotten_ones_go(new_repository, take, store, unpacked):
    repo = new_repository(files={"a.py": "1"})
    trees = []
    for number in range(3):
        repo.write({"a.py": f"version {number}"})
        trees.append(take(run.GitArchivePackager(), repo.path))
        trees[-1].keep()
    store.forget(trees[1].tree)
    subprocess.run(["git", "--git-dir", store.path, "gc", "--quiet", "--prune=now"], check=True)
    assert unpacked(trees[0]) == {b"a.py": b"version 0"}
    assert unpacked(trees[2]) == {b"a.py": b"version 2"}
    assert not store.has(trees[1].tree)
    with pytest.raises(PackagingError, match=f"The code {trees[1].tree} is not in .*code.git"):
        store.tar_stream(trees[1].tree)
    with pytest.raises(PackagingError, match="It was removed there, or never kept"):
        store.pack_for(trees[1].tree)
    # The same code again is a new snapshot.
    repo.write({"a.py": "version 1"})
    assert unpacked(take(run.GitArchivePackager(), repo.path)) == {b"a.py": b"version 1"}


def test_a_store_that_was_deleted_in_between_is_made_again(new_repository, take, store):
    repo = new_repository(files={"a.py": "1", "b.py": "2"})
    take(run.GitArchivePackager(), repo.path).keep()
    repo.write({"a.py": "2"})
    snapshot = take(run.GitArchivePackager(), repo.path)  # borrows b.py from the store
    shutil.rmtree(store.path)
    with pytest.raises(PackagingError, match=r"was removed from .*code\.git .* Run it again"):
        snapshot.keep()
    again = take(run.GitArchivePackager(), repo.path)
    again.keep()
    assert store.trees() == [again.tree]
    unchanged = take(run.GitArchivePackager(), repo.path)
    unchanged.keep()
    shutil.rmtree(store.path)
    with pytest.raises(PackagingError, match="It was removed there, or never kept"):
        unchanged.keep()
    take(run.GitArchivePackager(), repo.path).keep()
    fsck(store)


def test_a_store_that_cannot_be_written_says_so(new_repository, take, tmp_path):
    repo = new_repository(files={"a.py": "1"})
    (tmp_path / "home").write_text("a file")
    with pytest.raises(PackagingError, match=r"The code cannot be kept in .*/home/code\.git: "):
        take(run.GitArchivePackager(), repo.path).keep()
    (tmp_path / "home").unlink()
    (tmp_path / "home" / "code.git" / "something").mkdir(parents=True)
    with pytest.raises(PackagingError, match="exists and is no git repository"):
        take(run.GitArchivePackager(), repo.path).keep()


def test_a_store_with_an_odd_name(new_repository, tmp_path):
    repo = new_repository(files={"a.py": "1", "b.py": "2"})
    store = CodeStore(tmp_path / 'ho "me"\n' / "code.git")
    for number in range(2):
        repo.write({"a.py": f"{number}"})
        snapshot = run.GitArchivePackager().snapshot(CodePlace(str(repo.path), store.path))
        snapshot.keep()
        assert store.has(snapshot.tree)
    fsck(store)


def test_the_folder_of_the_store_is_the_user_s_own(new_repository, take, store):
    take(run.GitArchivePackager(), new_repository(files={"a.py": "1"}).path).keep()
    assert Path(store.path).stat().st_mode & 0o077 == 0
    assert Path(store.path).parent.stat().st_mode & 0o077 == 0


def test_archives_are_equal_byte_for_byte(new_repository, take, store, tmp_path):
    repo = new_repository(files={"a.py": "1", "b/c.py": "2"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    snapshot.keep()
    store.write_tar(snapshot.tree, tmp_path / "first.tar")
    time.sleep(1.1)
    store.write_tar(snapshot.tree, tmp_path / "second.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if "tar" in path.name) == [
        "first.tar",
        "second.tar",
    ]


_NOT_SENT = (b".", b"..", b".git", b"__pycache__")
NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & {0, 47} and name.lower() not in _NOT_SENT
)
CONTENTS = st.one_of(st.binary(max_size=300), st.just(bytes(range(256))))
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map(b"/".join),
    st.tuples(st.sampled_from(["file", "executable", "link"]), CONTENTS),
    max_size=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files=FILES)
def test_whatever_is_in_a_folder_comes_out_of_the_archive(tmp_path_factory, files):
    """Names, bytes, executable bits and links: folder → tree → tar → folder."""
    base = tmp_path_factory.mktemp("any")
    source, out = os.path.join(os.fsencode(base), b"code"), base / "out"
    os.mkdir(source)
    out.mkdir()
    for path, (kind, content) in files.items():
        place = os.path.join(source, path)
        try:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            if kind == "link":
                os.symlink(content.replace(b"\0", b"")[:90] or b"x", place)
                continue
            with open(place, "xb") as file:
                file.write(content)
        except OSError:  # one path is the folder of another
            continue
        os.chmod(place, 0o755 if kind == "executable" else 0o644)
    expected = on_disk(base / "code")
    packager = run.PatternPackager(include_pattern=".", relative_path=".")
    store = CodeStore(base / "code.git")
    place = CodePlace(str(base / "code"), store.path)
    if not expected:
        with pytest.raises(PackagingError, match="No file matches"):
            packager.snapshot(place)
        return
    snapshot = packager.snapshot(place)
    snapshot.keep()
    assert packager.snapshot(place).tree == snapshot.tree
    store.write_tar(snapshot.tree, base / "code.tar")
    with tarfile.open(base / "code.tar", errorlevel=2) as archive:
        assert len(archive.getnames()) == len(expected)
    subprocess.run(["tar", "-xmf", base / "code.tar", "-C", out], check=True)
    assert on_disk(out) == expected


@pytest.mark.slow
def test_a_large_repository_is_quick_and_sends_little(new_repository, take, store):
    """100 MB in 10,000 files: well under 2 s when seen again; an edit sends less than 100 kB."""
    repo = new_repository()
    line = "".join(f"value_{number} = compute({number})\n" for number in range(500))
    for number in range(10_000):
        repo.write({f"p{number // 100}/m{number % 7}/f{number}.py": f"# {number}\n{line}"[:10_000]})
    first = take(run.GitArchivePackager(), repo.path)
    first.keep()
    assert first.summary() == "10000 files, 100.0 MB, 10000 untracked"
    start = time.process_time(), os.times().children_user + os.times().children_system
    assert take(run.GitArchivePackager(), repo.path).tree == first.tree
    end = time.process_time(), os.times().children_user + os.times().children_system
    assert sum(end) - sum(start) < 2
    repo.write({"p50/m1/f5005.py": f"# 5005\n{line}edited\n"})
    second = take(run.GitArchivePackager(), repo.path)
    second.keep()
    assert sum(map(len, store.pack_for(second.tree, [first.tree]))) < 100_000
