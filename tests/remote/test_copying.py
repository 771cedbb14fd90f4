"""Files and folders between two machines, and on this one."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import threading

import pytest

import nemo_run as run
from nemo_run.exceptions import RemoteCommandError, RemoteError
from nemo_run.remote.unpacking import unpack


@pytest.fixture(params=["local", "ssh"])
def place(request):
    """A tunnel of each kind."""
    if request.param == "local":
        return run.LocalTunnel(job_dir="/tmp/nowhere")
    request.getfixturevalue("cluster")
    return run.SSHTunnel(job_dir="/tmp/nowhere", host="cluster")


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "my tree"
    (folder / "in side").mkdir(parents=True)
    (folder / "in side" / "it's $x !").write_bytes(b"\0\xff\n" * 1000)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "-rf").write_text("dash")
    (folder / "caf\udce9").write_text("no UTF-8")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to("in side")
    (folder / "dangling").symlink_to("/nowhere/at all")
    return folder


def listed(folder) -> dict[str, object]:
    """All that matters of a folder."""
    found: dict[str, object] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(root, name)
            key = os.path.relpath(path, folder)
            if os.path.islink(path):
                found[key] = os.readlink(path)
            elif os.path.isdir(path):
                found[key] = "folder"
            else:
                with open(path, "rb") as file:
                    found[key] = (file.read(), os.stat(path).st_mode & 0o777)
    return found


def test_a_folder_arrives_as_it_is_and_comes_back(place, tree, tmp_path):
    there, back = tmp_path / "new" / "the re", tmp_path / "back" / "again"
    place.put(str(tree), str(there))
    assert listed(there) == listed(tree)
    place.get(str(there), str(back))
    assert listed(back) == listed(tree)


def test_a_folder_is_merged_into_one_that_is_there(place, tree, tmp_path):
    there, back = tmp_path / "there", tmp_path / "back"
    for folder in (there, back):
        (folder / "in side").mkdir(parents=True)
        (folder / "in side" / "own").write_text("stays")
        (folder / "run.sh").write_text("old")
        (folder / "link").symlink_to("empty")
    place.put(str(tree), str(there))
    place.get(str(tree), str(back))
    expected = {
        **listed(tree),
        "in side/own": (b"stays", (there / "in side/own").stat().st_mode & 0o777),
    }
    assert listed(there) == expected
    assert listed(back) == expected


def test_a_file_goes_where_it_is_sent(place, tmp_path):
    source = tmp_path / "a file.sh"
    source.write_text("content")
    source.chmod(0o755)
    there = tmp_path / "x" / "y"
    place.put(str(source), f"{there}/it's.sh")
    place.put(str(source), f"{there}/new/")
    place.put(str(source), str(there))
    os.symlink(there / "it's.sh", tmp_path / "link")
    place.get(f"{tmp_path}/link", f"{tmp_path}/back/of link")
    place.get(f"{there}/it's.sh", f"{tmp_path}/back/")
    place.get(f"{there}/it's.sh", f"{tmp_path}/back/other/")
    assert listed(tmp_path / "x") == {
        "y": "folder",
        "y/it's.sh": (b"content", 0o755),
        "y/new": "folder",
        "y/new/a file.sh": (b"content", 0o755),
        "y/a file.sh": (b"content", 0o755),
    }
    assert listed(tmp_path / "back") == {
        "of link": (b"content", 0o755),
        "it's.sh": (b"content", 0o755),
        "other": "folder",
        "other/it's.sh": (b"content", 0o755),
    }


def test_a_file_that_is_there_is_replaced_and_its_readers_go_on(place, tmp_path):
    (tmp_path / "new").write_text("new")
    for name, copy in (
        ("there", lambda: place.put(f"{tmp_path}/new", f"{tmp_path}/there")),
        ("back", lambda: place.get(f"{tmp_path}/new", f"{tmp_path}/back")),
    ):
        (tmp_path / name).write_text("old and longer")
        with (tmp_path / name).open() as reader:
            copy()
            assert reader.read() == "old and longer"
        assert (tmp_path / name).read_text() == "new"


def test_what_is_not_there_is_told_and_nothing_is_left(place, tmp_path):
    with pytest.raises(FileNotFoundError):
        place.put(f"{tmp_path}/missing", f"{tmp_path}/there")
    with pytest.raises((FileNotFoundError, RemoteError), match="missing"):
        place.get(f"{tmp_path}/missing", f"{tmp_path}/back")
    assert not [*tmp_path.glob("there*"), *tmp_path.glob("back*"), *tmp_path.glob(".nemo*")]


def test_a_file_and_a_folder_do_not_replace_each_other(place, tree, tmp_path):
    (tmp_path / "file").write_text("content")
    (tmp_path / "folder" / "file").mkdir(parents=True)
    with pytest.raises((NotADirectoryError, RemoteCommandError), match="no folder"):
        place.put(str(tree), f"{tmp_path}/file")
    with pytest.raises((IsADirectoryError, RemoteCommandError), match="is a folder"):
        place.put(f"{tmp_path}/file", f"{tmp_path}/folder")
    with pytest.raises((NotADirectoryError, RemoteError), match="no folder"):
        place.get(str(tree), f"{tmp_path}/file")
    assert (tmp_path / "file").read_text() == "content"


def test_a_folder_is_not_copied_into_itself(tree):
    with pytest.raises(ValueError, match="into itself"):
        run.LocalTunnel().put(str(tree), f"{tree}/in side/new")


def test_paths_are_those_of_the_accounts_home(cluster, tunnel, tmp_path):
    home = cluster.folder / "home"
    place = tunnel(pre_command="cd")
    (tmp_path / "file").write_text("content")
    place.put(f"{tmp_path}/file", "~/new/a")
    place.put(f"{tmp_path}/file", "new/b")
    place.get("~/new", f"{tmp_path}/back")
    assert sorted(os.listdir(tmp_path / "back")) == sorted(os.listdir(home / "new")) == ["a", "b"]


def test_a_copy_that_is_cut_leaves_the_target_as_it_was(cluster, tunnel, tmp_path, wait_until):
    big, there = tmp_path / "big", tmp_path / "there"
    os.mkfifo(big)
    there.mkdir()
    (there / "data").write_text("old")
    (tmp_path / "source").mkdir()
    with open(tmp_path / "source" / "data", "wb") as file:
        file.truncate(400_000_000)  # a hole: it takes no room here, and long to send
    failed = []

    def copy():
        try:
            tunnel().put(f"{tmp_path}/source/data", f"{there}/data")
        except RemoteError as error:
            failed.append(error)

    tunnel().connect()
    copying = threading.Thread(target=copy)
    copying.start()
    wait_until(lambda: [*there.glob(".nemo_run.*/data")])
    # Twice: a copy is tried again by itself.
    cluster.cut()
    wait_until(lambda: cluster.logins() >= 2 or failed)
    cluster.stop()
    copying.join(60)
    assert failed
    assert (there / "data").read_text() == "old"


def archive(*members: tarfile.TarInfo) -> io.BytesIO:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for one in members:
            tar.addfile(one, io.BytesIO(b"x" * one.size))
    raw.seek(0)
    return raw


def member(name: str, **fields: object) -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(one, key, value)
    return one


def test_nor_through_a_link_that_came_before(cluster, tunnel, tmp_path):
    for name in ("first", "second", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "first" / "x").symlink_to(tmp_path / "out")
    (tmp_path / "second" / "x").mkdir()
    (tmp_path / "second" / "x" / "file").write_text("through")
    tunnel().get(f"{tmp_path}/first", f"{tmp_path}/back")
    with pytest.raises(RemoteError, match="is a link"):
        tunnel().get(f"{tmp_path}/second", f"{tmp_path}/back")
    assert not [*(tmp_path / "out").iterdir()]


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/tmp/nemo-run-out"])
def test_the_other_machine_cannot_write_elsewhere(name, tmp_path):
    with pytest.raises(RemoteError, match="leads out of the folder"):
        unpack(archive(member(name, size=1)), tmp_path / "in")
    assert os.listdir(tmp_path) == ["in"]


def test_nor_through_a_link(tmp_path):
    (tmp_path / "out").mkdir()
    link = member("link", type=tarfile.SYMTYPE, linkname=str(tmp_path / "out"))
    with pytest.raises((RemoteError, OSError)):
        unpack(archive(link, member("link/file", size=1)), tmp_path / "in")
    hard = member("hard", type=tarfile.LNKTYPE, linkname="../secret")
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(RemoteError, match="leads out"):
        unpack(archive(hard), tmp_path / "in2")
    assert os.listdir(tmp_path / "out") == []


def test_a_large_payload_takes_little_memory(cluster, tunnel):
    """256 MB in less than 50 MB, measured in a process of its own."""
    code = """
import resource, nemo_run as run
from nemo_run import remote
place = run.SSHTunnel(job_dir="/tmp", host="cluster")
agent = "def main(a, b, c): return sum(len(p) for p in iter(lambda: b.read(1 << 20), b''))"
remote.call(place, agent, 0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
answer = remote.call(place, agent, 0, (bytes(1 << 20) for _ in range(256)))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(answer.value, (after - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sent, megabytes = map(int, done.stdout.split())
    assert sent == 256 << 20
    assert megabytes < 50
