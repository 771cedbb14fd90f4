"""Files named by patterns, several packagers together, and packagers that users write."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from files_of import state_of

import nemo_run as run
from nemo_run.config import build
from nemo_run.exceptions import PackagingError
from nemo_run.packaging import CodePlace


def write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return folder


def names(files: dict[bytes, object]) -> list[str]:
    return sorted(map(os.fsdecode, files))


class TestPatternPackager:
    def test_works_outside_of_repositories(self, take, unpacked, tmp_path):
        """A3.6: submitting from a folder that is no repository crashed."""
        place = write(tmp_path / "a place", "train.py", "lib/a.py", "lib/deep/b.py", "data.bin")
        packager = run.PatternPackager(include_pattern="lib", relative_path=str(place))
        assert names(unpacked(take(packager, tmp_path))) == ["lib/a.py", "lib/deep/b.py"]
        packager = run.PatternPackager(include_pattern="**/*.py", relative_path=".")
        snapshot = take(packager, place)
        assert names(unpacked(snapshot)) == ["lib/a.py", "lib/deep/b.py", "train.py"]
        assert snapshot.summary() == "3 files, 29 bytes"
        assert snapshot.root == str(place)

    def test_takes_the_folder_by_its_name_whatever_that_is(self, take, unpacked, tmp_path):
        place = write(tmp_path / "exp[1]*", "a.py", "lib/b.py")
        for pattern in ("**/*.py", ".", "./", "../exp*/*"):
            packager = run.PatternPackager(include_pattern=pattern, relative_path=".")
            assert names(unpacked(take(packager, place))) == ["a.py", "lib/b.py"]

    def test_takes_a_folder_for_each_of_several_patterns(self, take, unpacked, tmp_path):
        write(tmp_path, "one/a.py", "two/sub/b.py", "two/c.txt")
        packager = run.PatternPackager(
            include_pattern=[str(tmp_path / "one/*.py"), "sub/*"],
            relative_path=["one", str(tmp_path / "two")],
        )
        assert names(unpacked(take(packager, tmp_path))) == ["a.py", "sub/b.py"]
        with pytest.raises(
            ValueError, match="include_pattern has 2 entries and relative_path has 1"
        ):
            run.PatternPackager(include_pattern=["a", "b"], relative_path=["x"])

    def test_takes_what_git_ignores_and_leaves_what_is_git_s(self, new_repository, take, unpacked):
        repo = new_repository(files={".gitignore": "*.bin\n", "a.py": "1"})
        write(repo.path, "b.bin", ".hidden/c")
        packager = run.PatternPackager(include_pattern=".", relative_path=".")
        before = state_of(repo.path)
        found = unpacked(take(packager, repo.path))
        assert names(found) == [".gitignore", ".hidden/c", "a.py", "b.bin"]
        assert state_of(repo.path) == before

    def test_links_are_links_and_folders_behind_links_are_not_walked(
        self, take, unpacked, tmp_path
    ):
        write(tmp_path / "code", "a.py")
        write(tmp_path / "other", "big.bin")
        (tmp_path / "code" / "data").symlink_to("../other")
        packager = run.PatternPackager(include_pattern="*", relative_path=".")
        assert unpacked(take(packager, tmp_path / "code")) == {
            b"a.py": b"a.py",
            b"data": b"->../other",
        }

    def test_says_when_nothing_matches_or_a_file_is_elsewhere(self, take, tmp_path):
        write(tmp_path, "code/a.py", "b.py")
        packager = run.PatternPackager(
            include_pattern=["*.cpp", "*.h"], relative_path=["code", "."]
        )
        with pytest.raises(PackagingError) as raised:
            take(packager, tmp_path)
        assert str(raised.value) == (
            f"No file matches '*.cpp' or '*.h' in {tmp_path / 'code'} or {tmp_path}."
        )
        packager = run.PatternPackager(include_pattern=["*.py", "*.h"], relative_path=["code"] * 2)
        assert take(packager, tmp_path).warnings == (
            f"The pattern '*.h' matches no file in {tmp_path / 'code'}.",
        )
        packager = run.PatternPackager(include_pattern="../*.py", relative_path="code")
        with pytest.raises(
            PackagingError, match=r"'\.\./\*\.py' matches .*b\.py, which is not below"
        ):
            take(packager, tmp_path)

    def test_is_data(self):
        packager = run.PatternPackager(include_pattern="a", relative_path="b")
        assert build(packager.to_config()) == packager
        with pytest.raises(TypeError):
            run.PatternPackager(include_pattern="a")


class TestIncludePattern:
    def test_brings_ignored_files_beside_a_commit_and_a_subpath(
        self, new_repository, take, unpacked
    ):
        """A3.2: an include pattern changed where tracked files came from."""
        repo = new_repository(files={".gitignore": "data\n", "pkg/a.py": "1", "top.py": "t"})
        repo.commit({"pkg/a.py": "2"})
        repo.write({"pkg/a.py": "3", "data/x.json": "{}", "data/y.txt": ""})
        packager = run.GitArchivePackager(
            ref="HEAD~1", subpath="pkg", include_pattern="data/*.json"
        )
        assert unpacked(take(packager, repo.path)) == {b"a.py": b"1", b"data/x.json": b"{}"}

    def test_takes_a_folder_for_each_pattern(self, new_repository, take, unpacked, tmp_path):
        repo = new_repository(files={"a.py": "1"})
        write(tmp_path / "else where", "sets/one/t.jsonl", "sets/two/t.jsonl")
        packager = run.GitArchivePackager(
            include_pattern=[str(tmp_path / "else where" / "sets" / "**" / "*.jsonl"), "*.py"],
            include_pattern_relative_path=[str(tmp_path / "else where"), "."],
        )
        snapshot = take(packager, repo.path)
        assert names(unpacked(snapshot)) == ["a.py", "sets/one/t.jsonl", "sets/two/t.jsonl"]
        assert snapshot.warnings == ()
        with pytest.raises(ValueError, match="one folder for each pattern"):
            run.GitArchivePackager(include_pattern="a", include_pattern_relative_path=["b", "c"])

    def test_says_what_it_replaces_and_what_it_does_not_find(self, new_repository, take, unpacked):
        repo = new_repository(files={"a.py": "1", "b.py": "2"})
        repo.write({"a.py": "3", "b.py": "4"})
        packager = run.GitArchivePackager(ref="HEAD", include_pattern=["*.py", "*.cc"])
        snapshot = take(packager, repo.path)
        assert unpacked(snapshot) == {b"a.py": b"3", b"b.py": b"4"}
        assert snapshot.warnings == (
            "a.py and 1 more of git is replaced by that of include_pattern='*.py'.",
            f"include_pattern='*.cc' matches no file in {repo.path}.",
        )

    def test_many_fragments_make_one_archive_that_a_plain_reader_reads(
        self, new_repository, take, store, tmp_path
    ):
        """A3.1: joined archives lost members."""
        first, second = new_repository("s1", {"s1.py": "1"}), new_repository("s2", {"s2.py": "2"})
        repo = new_repository(files={"run.sh": "#!/bin/sh\n", ".gitignore": "/x\n/y\n/z\n"})
        (repo.path / "run.sh").chmod(0o755)
        for sub in (first, second):
            repo.git("submodule", "--quiet", "add", str(sub.path), f"subs/{sub.path.name}")
        write(repo.path, "x/1", "y/2", "z/3/4")
        packager = run.GitArchivePackager(include_pattern=["x", "y/*", "z/**"])
        snapshot = take(packager, repo.path)
        snapshot.keep()
        store.write_tar(snapshot.tree, tmp_path / "one.tar")
        with tarfile.open(tmp_path / "one.tar", ignore_zeros=False) as archive:
            modes = [(one.name, one.mode) for one in archive.getmembers()]
        assert modes == [
            (".gitignore", 0o644),
            (".gitmodules", 0o644),
            ("run.sh", 0o755),
            ("subs/s1/s1.py", 0o644),
            ("subs/s2/s2.py", 0o644),
            ("x/1", 0o644),
            ("y/2", 0o644),
            ("z/3/4", 0o644),
        ]


class TestHybridPackager:
    def test_gives_each_packager_its_folder_or_all_of_them_the_root(
        self, new_repository, take, unpacked, tmp_path
    ):
        """A3.11: code of several roots."""
        repo = new_repository(files={"a.py": "1", "b.py": "2"})
        other = new_repository("other", {"lib.py": "3"})
        write(tmp_path / "sets", "t.jsonl")
        parts = {
            "code": run.GitArchivePackager(),
            "more/lib": run.GitArchivePackager(basepath=str(other.path)),
            "data": run.PatternPackager(include_pattern="*", relative_path=str(tmp_path / "sets")),
        }
        below = take(run.HybridPackager(sub_packagers=parts), repo.path)
        assert names(unpacked(below)) == [
            "code/a.py",
            "code/b.py",
            "data/t.jsonl",
            "more/lib/lib.py",
        ]
        assert below.root == ""
        merged = take(run.HybridPackager(sub_packagers=parts, extract_at_root=True), repo.path)
        assert names(unpacked(merged)) == ["a.py", "b.py", "lib.py", "t.jsonl"]
        assert merged.root == str(repo.path)
        assert merged.warnings == ()

    def test_says_what_is_replaced_at_the_root(self, new_repository, take, unpacked, tmp_path):
        repo = new_repository(files={"a.py": "1", "b.py": "2", "d": "file"})
        place = write(tmp_path / "place", "a.py", "c.py")
        (place / "b.py").write_text("2")
        parts = {
            "git": run.GitArchivePackager(),
            "mine": run.PatternPackager(include_pattern="*", relative_path=str(place)),
        }
        packager = run.HybridPackager(sub_packagers=parts, extract_at_root=True)
        snapshot = take(packager, repo.path)
        assert unpacked(snapshot)[b"a.py"] == b"a.py"
        assert snapshot.warnings == (
            "a.py of one before it is replaced by that of the packager 'mine'.",
        )
        write(place, "d/e")
        with pytest.raises(PackagingError, match="d would be both a file and a folder of the code"):
            take(packager, repo.path)

    def test_holds_hybrids_and_packagers_of_users(self, take, unpacked, tmp_path):
        write(tmp_path / "code", "a.py")
        inner = run.HybridPackager(
            sub_packagers={
                "x": run.PatternPackager(include_pattern="*", relative_path="."),
                "nothing": run.Packager(),
                "own": TarPackager(members=[("o.py", b"own")]),
            }
        )
        snapshot = take(run.HybridPackager(sub_packagers={"in/": inner}), tmp_path / "code")
        assert unpacked(snapshot) == {b"in/x/a.py": b"a.py", b"in/own/o.py": b"own"}

    @pytest.mark.parametrize("key", ["../up", "/abs", ".."])
    def test_refuses_folders_outside(self, take, tmp_path, key):
        packager = run.HybridPackager(sub_packagers={key: TarPackager(members=[("a", b"")])})
        with pytest.raises(PackagingError, match="is no folder of the code folder"):
            take(packager, tmp_path)

    def test_without_packagers_there_is_nothing_to_send(self, take, tmp_path):
        with pytest.raises(PackagingError, match="has no packager that sends anything"):
            take(run.HybridPackager(), tmp_path)


@dataclass(kw_only=True)
class TarPackager(run.Packager):
    """What programs in the wild write: a subclass that makes its own archive."""

    members: list = None
    compressed: bool = True

    def package(self, path: Path, job_dir: str, name: str) -> str:
        file = Path(job_dir, f"{name}.tar.gz")
        with tarfile.open(file, "w:gz" if self.compressed else "w") as archive:
            for member, content in self.members:
                info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
                info.size = len(content or b"")
                archive.addfile(info, io.BytesIO(content or b""))
        return str(file)


def info(name: str, **fields: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(found, field, value)
    return found


class TestPackagersOfUsers:
    @pytest.mark.parametrize("compressed", [True, False])
    def test_their_archive_becomes_the_snapshot(self, take, unpacked, tmp_path, compressed):
        members = [
            ("./a.py", b"1"),
            (info("dir", type=tarfile.DIRTYPE), None),
            (info("dir/run.sh", mode=0o755), b"#!"),
            (info("link", type=tarfile.SYMTYPE, linkname="dir/run.sh"), None),
            (info("second.py", type=tarfile.LNKTYPE, linkname="./a.py"), None),
            ("a.py", b"later"),
            ("sub/.git/config", b"no tree can hold it"),
        ]
        snapshot = take(TarPackager(members=members, compressed=compressed), tmp_path)
        assert unpacked(snapshot) == {
            b"a.py": b"later",
            b"dir/run.sh": (b"#!",),
            b"link": b"->dir/run.sh",
            b"second.py": b"1",
        }
        assert snapshot.tree == take(TarPackager(members=members), tmp_path).tree

    @pytest.mark.parametrize(
        ("member", "content"),
        [
            ("../out.py", b""),
            ("/etc/passwd", b""),
            ("a/../../out.py", b""),
            (info("fifo", type=tarfile.FIFOTYPE), None),
            (info("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd"), None),
        ],
    )
    def test_paths_that_lead_out_are_refused(self, take, tmp_path, member, content):
        with pytest.raises(PackagingError, match=r"TarPackager\.package\(\) wrote"):
            take(TarPackager(members=[(member, content)]), tmp_path)

    def test_a_link_out_of_the_archive_is_not_written_through(self, take, tmp_path):
        members = [
            (info("sub", type=tarfile.SYMTYPE, linkname=str(tmp_path)), None),
            ("sub/x.py", b"1"),
        ]
        with pytest.raises(PackagingError, match="sub would be both a file and a folder"):
            take(TarPackager(members=members), tmp_path)
        assert not (tmp_path / "x.py").exists()

    def test_what_is_no_archive_is_named(self, take, tmp_path):
        class Broken(TarPackager):
            def package(self, path: Path, job_dir: str, name: str) -> str:
                return "nowhere.tar.gz"

        with pytest.raises(
            PackagingError, match=r"Broken\.package\(\) returned 'nowhere\.tar\.gz'"
        ):
            take(Broken(), tmp_path)

    def test_several_archives_in_a_row_are_one_and_half_a_one_is_none(
        self, take, unpacked, tmp_path
    ):
        @dataclass(kw_only=True)
        class Joined(run.Packager):
            keep: int | None = None

            def package(self, path: Path, job_dir: str, name: str) -> str:
                parts = [
                    TarPackager(members=[(f"{n}.py", os.urandom(9000))], compressed=False)
                    for n in "ab"
                ]
                joined = b"".join(
                    Path(part.package(path, job_dir, "part")).read_bytes() for part in parts
                )
                file = Path(job_dir, "joined.tar.gz")
                file.write_bytes(gzip.compress(joined)[: self.keep])
                return str(file)

        assert names(unpacked(take(Joined(), tmp_path))) == ["a.py", "b.py"]
        with pytest.raises(PackagingError, match="cannot be read as a tar file"):
            take(Joined(keep=12000), tmp_path)

    def test_a_subclass_of_ours_may_add_to_what_ours_writes(self, new_repository, take, unpacked):
        class More(run.GitArchivePackager):
            def package(self, path: Path, job_dir: str, name: str) -> str:
                file = super().package(path, job_dir, name)
                subprocess.run(["gzip", "-d", file], check=True)
                with tarfile.open(file.removesuffix(".gz"), "a") as archive:
                    archive.addfile(info("more.py", size=1), io.BytesIO(b"2"))
                return file.removesuffix(".gz")

        repo = new_repository(files={"a.py": "1"})
        assert unpacked(take(More(), repo.path)) == {b"a.py": b"1", b"more.py": b"2"}


def test_ours_write_an_archive_when_a_program_asks(new_repository, tmp_path):
    repo = new_repository(files={"a.py": "1"})
    place = tmp_path / "job"
    for name in ("first", "second"):
        file = run.GitArchivePackager().package(repo.path, str(place), name)
        assert file == str(place / f"{name}.tar.gz")
    assert (place / "first.tar.gz").read_bytes() == (place / "second.tar.gz").read_bytes()
    with tarfile.open(place / "first.tar.gz") as archive:
        assert archive.getnames() == ["a.py"]


def test_code_that_is_there_already_is_not_sent(tmp_path):
    place = CodePlace(str(tmp_path / "no folder"), str(tmp_path / "code.git"))
    for packager in (
        run.GitArchivePackager(symlink_from_remote_dir="/code"),
        run.PatternPackager(include_pattern="x", relative_path="", symlink_from_remote_dir="/c"),
        run.Packager(),
    ):
        assert packager.snapshot(place) is None
    assert list(tmp_path.iterdir()) == []


def test_the_reference_s_paths_lead_to_the_same_classes():
    from nemo_run.core.packaging import git, hybrid, pattern

    assert git.GitArchivePackager is run.GitArchivePackager
    assert hybrid.HybridPackager is run.HybridPackager
    assert pattern.PatternPackager is run.PatternPackager
    for place in (git, pattern):
        with mock.patch(f"{place.__name__}.Context") as context:
            assert place.Context is context
        assert place.Context().run("echo here", hide=True).stdout == "here\n"
