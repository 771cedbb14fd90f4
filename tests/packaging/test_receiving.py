"""The other side: what it runs to have a snapshot, with git and without."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from files_of import on_disk

import nemo_run as run
from nemo_run.packaging.receiving import KNOWN, RECEIVE


def sh(script: str, *arguments: object, input: bytes = b"") -> str:
    done = subprocess.run(
        ["sh", "-c", script, "sh", *map(str, arguments)], input=input, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def unpack(archive: Path, folder: Path) -> dict[bytes, object]:
    folder.mkdir()
    subprocess.run(["tar", "-xmf", str(archive), "-C", str(folder)], check=True)
    return on_disk(folder)


def test_the_target_makes_the_same_files_as_the_tar_that_a_target_without_git_gets(
    new_repository, take, store, tmp_path
):
    """Attributes of the tree, which git obeys in archives, change nothing on either way."""
    repo = new_repository(
        files={
            ".gitattributes": "*.txt text eol=crlf\n*.id ident\ndocs export-ignore\n"
            "version.py export-subst\n*.utf working-tree-encoding=UTF-16LE\n",
            "a.txt": "a\nb\n",
            "x.id": "$Id$\n",
            "docs/readme": "here",
            "version.py": "$Format:%H$\n",
            "x.utf": "text".encode("utf-16-le"),
            "run.sh": "#!/bin/sh\n",
            "new\nline": "1",
        }
    )
    Path(os.fsdecode(os.fsencode(repo.path) + b"/latin\xe9")).write_bytes(b"2")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("docs/readme")
    target = tmp_path / "other side"
    code_git, known = target / "code.git", []
    for number in range(3):
        repo.write({"edited.py": f"{number}"})
        snapshot = take(run.GitArchivePackager(), repo.path)
        snapshot.keep()
        pack = b"".join(store.pack_for(snapshot.tree, known))
        archive = target / "code" / f"{snapshot.tree}.tar"
        sh(RECEIVE, code_git, snapshot.tree, archive, input=pack)
        assert sh(KNOWN, code_git).split()[-1] == snapshot.tree  # the latest last
        assert sorted(sh(KNOWN, code_git).split()) == sorted([*known, snapshot.tree])
        time.sleep(1)  # git counts time in seconds
        known.append(snapshot.tree)
        ours = tmp_path / f"{number}.tar"
        store.write_tar(snapshot.tree, ours)
        there = unpack(archive, tmp_path / f"there{number}")
        assert there == unpack(ours, tmp_path / f"ours{number}")
        assert there[b"docs/readme"] == b"here"
        assert there[b"edited.py"] == str(number).encode()
    assert sorted(path.name for path in target.iterdir()) == ["code", "code.git"]
    assert len(list((target / "code").iterdir())) == 3


def test_the_target_may_be_told_twice_and_may_have_everything(
    new_repository, take, store, tmp_path
):
    repo = new_repository(files={"a.py": "1"})
    snapshot = take(run.GitArchivePackager(), repo.path)
    snapshot.keep()
    assert sh(KNOWN, tmp_path / "code.git") == ""
    for known in ([], [snapshot.tree], []):
        pack = b"".join(store.pack_for(snapshot.tree, known))
        sh(RECEIVE, tmp_path / "code.git", snapshot.tree, tmp_path / "x.tar", input=pack)
    assert unpack(tmp_path / "x.tar", tmp_path / "x") == {b"a.py": b"1"}
    subprocess.run(["git", "--git-dir", tmp_path / "code.git", "fsck", "--strict"], check=True)


def test_several_may_send_the_same_at_once(new_repository, take, store, tmp_path):
    repo = new_repository(files={f"f{number}.py": f"{number}" for number in range(50)})
    snapshot = take(run.GitArchivePackager(), repo.path)
    snapshot.keep()
    pack = b"".join(store.pack_for(snapshot.tree))
    target = tmp_path / "target"

    def send(_: int) -> None:
        sh(RECEIVE, target / "code.git", snapshot.tree, target / "code" / "x.tar", input=pack)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(8)))
    assert [path.name for path in (target / "code").iterdir()] == ["x.tar"]
    assert len(unpack(target / "code" / "x.tar", tmp_path / "x")) == 50


def test_the_scripts_pass_shellcheck(tmp_path):
    for script in (KNOWN, RECEIVE):
        file = tmp_path / "script.sh"
        file.write_text(script)
        done = subprocess.run(["shellcheck", "-s", "sh", str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
