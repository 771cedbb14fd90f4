"""``nemo-run experiment apply``: the code of a run as a git worktree, or as a plain folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from repeating import Project, git, project

from nemo_run.packaging.git import of_store
from nemo_run.packaging.store import CodeStore

__all__ = ["project"]


def state_of(folder: Path) -> list[str]:
    """Return all that must stay as it is in a user's repository."""
    return [
        git(folder, *words)
        for words in (
            ["status", "--short", "--ignored"], ["diff"], ["diff", "--cached"], ["stash", "list"],
            ["branch", "--list", "-v"], ["for-each-ref"], ["rev-parse", "HEAD"], ["ls-files", "-s"],
        )
    ]  # fmt: skip


@pytest.fixture
def changed(project: Project) -> str:
    """An experiment whose code differs from its commit: changed, removed, staged and new files."""
    project.write("old.txt", "old\n")
    git(project.path, "add", ".")
    git(project.path, "commit", "-qm", "two")
    (project.path / "old.txt").unlink()
    (project.path / "new.sh").write_text("#!/bin/sh\n")
    (project.path / "new.sh").chmod(0o755)
    (project.path / "link").symlink_to("model.py")
    with (project.path / "model.py").open("a") as file:
        file.write("# staged\n")
    git(project.path, "add", "model.py")
    return project.launch(0.1)


def test_the_worktree_shows_what_differed(project: Project, changed: str, tmp_path: Path) -> None:
    then = git(project.path, "status", "--short").splitlines()
    assert len(then) == 4
    git(project.path, "add", ".")
    git(project.path, "commit", "-qm", "three")
    (project.path / "model.py").write_text("today\n")
    before = state_of(project.path)
    folder = tmp_path / "then"
    done = project.experiment("apply", changed, "--to", str(folder))
    assert (done.code, done.out) == (0, f"{folder}\n"), done.err
    assert state_of(project.path) == before
    names = git(folder, "diff", "--name-status").splitlines()
    assert names == ["A\tlink", "M\tmodel.py", "A\tnew.sh", "D\told.txt"]
    assert (folder / "model.py").read_text().endswith("# staged\n")
    assert os.readlink(folder / "link") == "model.py"
    assert os.access(folder / "new.sh", os.X_OK)
    assert git(folder, "rev-parse", "HEAD") == git(project.path, "rev-parse", "HEAD~1")
    assert git(folder, "branch", "--show-current") == ""
    assert not list(tmp_path.glob(".*nemo-run-apply"))


def test_a_folder_that_is_not_empty_is_refused(project: Project, changed: str) -> None:
    folder = project.path.parent / "mine"
    folder.mkdir()
    (folder / "precious").write_text("x")
    for target in (folder, project.path, folder / "precious"):
        done = project.experiment("apply", changed, "--to", str(target))
        assert done.code != 0
        assert "not empty" in done.err
    assert [one.name for one in folder.iterdir()] == ["precious"]
    assert not list(project.path.parent.glob(".*nemo-run-apply"))


def test_hooks_and_filters_of_the_user_are_not_run(
    project: Project, changed: str, tmp_path: Path
) -> None:
    hook = project.path / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
    hook.chmod(0o755)
    git(project.path, "config", "filter.x.smudge", f"touch {tmp_path}/smudged; cat")
    (project.path / ".git/info").mkdir(exist_ok=True)
    (project.path / ".git/info/attributes").write_text("* filter=x\n")
    assert project.experiment("apply", changed, "--to", str(tmp_path / "then")).code == 0
    assert not (tmp_path / "hooked").exists()
    assert not (tmp_path / "smudged").exists()


def test_without_the_repository_it_is_a_plain_folder(project: Project, changed: str) -> None:
    moved = project.path.rename(project.path.with_name("moved"))
    elsewhere = Project(moved.parent, project.home, project._program)
    document = elsewhere.experiment("apply", changed, "train", "--to", "plain", "--json").json
    folder = moved.parent / "plain"
    assert document["folder"] == str(folder)
    assert document["repository"] == ""
    assert "has the commit" in document["why"]
    assert sorted(path.name for path in folder.iterdir()) == [
        ".gitignore", "launch.py", "link", "model.py", "new.sh",
    ]  # fmt: skip
    # From inside of a repository that has the commit, it is a worktree of that.
    inside = Project(moved, project.home, project._program)
    document = inside.experiment("apply", changed, "--json").json
    assert document["repository"] == str(moved)
    assert Path(document["folder"]).parent == moved.parent


def test_a_part_of_a_repository_stands_where_it_was(project: Project, tmp_path: Path) -> None:
    project.write("sub/part.py", "x = 1\n")
    project.write("sub/gone.py", "")
    project.write("sub/deep/er/file.py", "")
    git(project.path, "add", ".")
    git(project.path, "commit", "-qm", "sub")
    (project.path / "sub/part.py").write_text("x = 2\n")
    (project.path / "sub/gone.py").unlink()
    shutil.rmtree(project.path / "sub/deep")
    (project.path / "sub/deep").write_text("a file now\n")
    text = """
        import nemo_run as run

        with run.Experiment("digits") as exp:
            packager = run.GitArchivePackager(subpath="sub")
            exp.add(run.Script(inline="true"), run.LocalExecutor(packager=packager), name="one")
            exp.run()
    """
    project.write("part.py", text)
    done = project.python("part.py")
    assert done.code == 0, done.err
    folder = tmp_path / "then"
    done = project.experiment("apply", project.ids[-1], "--to", str(folder))
    assert done.code == 0, done.err
    assert git(folder, "diff", "HEAD", "--name-status").splitlines() == [
        "A\tsub/deep", "D\tsub/deep/er/file.py", "D\tsub/gone.py", "M\tsub/part.py",
    ]  # fmt: skip

    assert (folder / "model.py").exists()


def test_code_that_did_not_travel_is_a_sentence(project: Project) -> None:
    text = (project.path / "launch.py").read_text()
    text = text.replace("packager=run.GitArchivePackager(), ", "")
    (project.path / "launch.py").write_text(text)
    first = project.launch(0.1)
    done = project.experiment("apply", first, "--to", "../then")
    assert done.code != 0
    assert "No code traveled with the jobs" in done.err
    assert "git worktree add --detach FOLDER" in done.err
    assert not (project.path.parent / "then").exists()


def test_a_call_that_was_killed_is_finished_by_the_next(project: Project, tmp_path: Path) -> None:
    for number in range(3000):
        (project.path / f"file{number}.txt").write_text(f"{number}\n" * 20)
    git(project.path, "add", ".")
    git(project.path, "commit", "-qm", "many")
    (project.path / "model.py").open("a").write("# changed\n")
    first = project.launch(0.1)
    before = state_of(project.path)
    folder = tmp_path / "then"
    words = [*project._program, "experiment", "apply", first, "--to", str(folder)]
    cut = 0
    for wanted in (0, 1, 500):
        process = subprocess.Popen(
            words, cwd=project.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        while process.poll() is None:
            if (folder / ".git").exists() if not wanted else _count(folder) > wanted:
                os.killpg(process.pid, signal.SIGKILL)
                cut += 1
                break
            time.sleep(0.001)
        process.wait(30)
        if _count(folder) > 3000:
            break
    assert cut
    other = project.launch(0.2)
    if list(tmp_path.glob(".*nemo-run-apply")) and _count(folder):
        done = project.experiment("apply", other, "--to", str(folder))
        assert done.code != 0
        # The same code of another experiment: it says whose work lies there.
        assert first in done.err
    done = project.experiment("apply", first, "--to", str(folder))
    if cut and done.code:
        assert "not empty" in done.err  # the last one was whole before it was killed
    assert git(folder, "diff", "--name-status").splitlines() == ["M\tmodel.py"]
    assert state_of(project.path) == before
    assert not list(tmp_path.glob(".*nemo-run-apply"))


def test_what_git_was_killed_at_is_mended(project: Project, changed: str, tmp_path: Path) -> None:
    folder = tmp_path / "then"
    tree = json.loads((project.record(changed) / "experiment.json").read_text())["jobs"][0]["code"]
    mark = {"experiment": changed, "tree": tree["tree"]}
    (tmp_path / ".then.nemo-run-apply").write_text(json.dumps(mark))
    half = project.path / ".git/worktrees/then"
    half.mkdir(parents=True)
    (half / "locked").write_text("initializing")
    (half / "gitdir").write_text(f"{folder}/.git\n")
    folder.mkdir()
    (folder / ".git").write_text(f"gitdir: {half}\n")
    done = project.experiment("apply", changed, "--to", str(folder))
    assert done.code == 0, done.err
    assert len(git(folder, "diff", "--name-status").splitlines()) == 4
    assert len(git(project.path, "worktree", "list").splitlines()) == 2


def _count(folder: Path) -> int:
    try:
        return len(os.listdir(folder))
    except FileNotFoundError:
        return 0


def test_two_at_once_do_not_meet(project: Project, changed: str, tmp_path: Path) -> None:
    words = [*project._program, "experiment", "apply", changed, "--to", str(tmp_path / "then")]
    processes = [
        subprocess.Popen(words, cwd=project.path, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert codes.count(0) == 1, said
    assert all("not empty" in text or "Another process" in text for text in said if "error" in text)
    assert git(tmp_path / "then", "diff", "--name-status").count("\n") == 4


@pytest.mark.parametrize("name", [b"../out", b"a/../../out", b".git", b"x/.GIT/config"])
def test_a_tree_that_leads_out_of_the_folder_is_refused(
    project: Project, changed: str, tmp_path: Path, name: bytes
) -> None:
    store = CodeStore(project.home / "code.git")
    git_ = of_store(store.path)
    blob = git_.run("hash-object", "-w", "--stdin", input=b"evil").strip()
    tree = _tree(git_, name.split(b"/"), blob)
    git_.run("update-ref", f"refs/snapshots/{tree}", _commit(git_, tree))
    path = project.record(changed) / "experiment.json"
    meta = json.loads(path.read_text())
    for job in meta["jobs"]:
        job["code"] = {"tree": tree}
    path.write_text(json.dumps(meta))
    done = project.experiment("apply", changed, "--to", str(tmp_path / "deep/then"))
    assert done.code != 0
    assert "Traceback" not in done.err
    assert not list(tmp_path.rglob("out"))
    assert not (tmp_path / "deep/then/.git").exists()


def _tree(git_: object, steps: list[bytes], blob: bytes) -> str:
    """Make a tree that git itself would refuse."""
    raw, mode = bytes.fromhex(blob.decode()), b"100644"
    found = ""
    for step in reversed(steps):
        content = mode + b" " + step + b"\0" + raw
        words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
        found = git_.run(*words, input=content).decode().strip()
        raw, mode = bytes.fromhex(found), b"40000"
    return found


def _commit(git_: object, tree: str) -> str:
    content = f"tree {tree}\nauthor a <a@b> 0 +0000\ncommitter a <a@b> 0 +0000\n\nx\n".encode()
    words = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    return git_.run(*words, input=content).decode().strip()
