"""An experiment in one file: whole on another machine, and no way in for whoever made the file."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from shared_runs import made, ran

import nemo_run as run
from nemo_run.exceptions import AlreadyExistsError, StoreError
from nemo_run.management import index, operations, store
from nemo_run.management.capture import packages
from nemo_run.management.sharing import contents, trees
from nemo_run.management.sharing.exporting import HEAD, SUMS, export
from nemo_run.management.sharing.importing import import_from
from nemo_run.management.watch.logs import LogReader


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go on as on another machine."""

    def go(name: str = "other") -> Path:
        monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / name))
        return tmp_path / name

    return go


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive}


def pack(path: Path, files: dict[str, bytes], *more: tarfile.TarInfo) -> Path:
    """Write an archive as somebody would who means no good, with sums that are right."""
    from hashlib import sha256

    sums = {name: sha256(data).hexdigest() for name, data in files.items()}
    with tarfile.open(path, "w") as archive:
        for name, data in [*files.items(), (SUMS, json.dumps(sums).encode())]:
            if name == SUMS:
                for info in more:
                    archive.addfile(info)
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def untouched(home: Path) -> bool:
    """Whether nothing is there that anybody would see."""
    folders = home.glob("experiments/*/*")
    return not [one for one in folders if not one.name.startswith(".")]


def test_what_ran_here_opens_and_runs_again_on_another_machine(tmp_path, monkeypatch, elsewhere):
    record = ran(tmp_path, monkeypatch)
    for suffix in (".tar.zst", ".tar.gz", ".tar"):
        export([record], str(tmp_path / f"x{suffix}"))
    found = {}
    for suffix in (".tar.zst", ".tar.gz", ".tar"):
        elsewhere(f"other{suffix}")
        (copy,) = import_from(str(tmp_path / f"x{suffix}")).records
        assert (copy.path / "events.jsonl").read_bytes() == record.journal.path.read_bytes()
        found[suffix] = {part.path for part in contents.parts(copy)}
        assert found[suffix] == {part.path for part in contents.parts(record)}
        assert copy.status().state == "SUCCEEDED"
        assert packages.of(copy) == packages.of(record)
    assert trees.store().has(trees.trees_of(copy)[0])
    logs = LogReader(copy, ["a"])
    assert b"".join(piece.data for piece in logs.read(copy.status())).startswith(b"from the code")
    again = operations.rerun(copy)
    run.Experiment.of_record(store.find(again.id)).wait()
    assert store.find(again.id).status().state == "SUCCEEDED"
    assert not list(tmp_path.rglob(".x.tar*"))


def test_outputs_only_when_asked_for_and_secrets_hooks_and_locks_never(tmp_path, elsewhere):
    record = made("mine")
    job = record.job_dir("a")
    for inside in ("secrets/KEY", "outputs/model.bin", "code/a.py", "x.lock", ".half"):
        (job / inside).parent.mkdir(exist_ok=True)
        (job / inside).write_text("do not tell")
    (record.path / "hooks.json").write_text("do not tell")
    (job / "link").symlink_to("/etc/passwd")
    export([record], str(tmp_path / "x.tar"))
    export([record], str(tmp_path / "y.tar"), outputs=True)
    without, with_outputs = members(tmp_path / "x.tar"), members(tmp_path / "y.tar")
    assert not any(b"do not tell" in data for data in without.values())
    new = set(with_outputs) - set(without)
    assert [one.rpartition("jobs/")[2] for one in new] == ["a/outputs/model.bin"]
    elsewhere()
    (copy,) = import_from(str(tmp_path / "y.tar")).records
    assert (copy.job_dir("a") / "outputs" / "model.bin").read_text() == "do not tell"


def test_what_runs_is_exported_as_of_now_and_is_no_living_thing_elsewhere(tmp_path, elsewhere):
    record = made("mine", over=False)
    done = export([record], str(tmp_path / "x.tar"))
    assert done.going == (record.id,)
    home = elsewhere()
    found = import_from(str(tmp_path / "x.tar"))
    (copy,) = found.records
    assert found.going == (record.id,)
    status = operations.status(copy)
    assert (status.state, status.jobs["a"].state) == ("UNKNOWN", "UNKNOWN")
    assert "last seen RUNNING" in status.jobs["a"].message
    assert [row.state for row in index.rows().rows] == ["UNKNOWN"]
    nemo = [sys.executable, "-m", "nemo_run", "experiment"]
    logs = [*nemo, "logs", "-f", copy.id]
    assert subprocess.run(logs, capture_output=True, timeout=60, check=True).stdout == b"hello\n"
    told = subprocess.run([*nemo, "cancel", copy.id, "-y"], capture_output=True, text=True)
    assert (told.returncode, "Asked to end" in told.stderr) == (1, False)
    before = copy.journal.path.read_bytes()
    for act in (operations.cancel, operations.resume):
        with pytest.raises(StoreError, match="does not reach its jobs"):
            act(copy)
    assert copy.journal.path.read_bytes() == before
    store.delete(copy)
    assert untouched(home)


def test_one_that_is_here_already_is_left_alone(tmp_path, elsewhere):
    record = made("mine")
    export([record], str(tmp_path / "x.tar"))
    assert import_from(str(tmp_path / "x.tar")).same == (record.id,)
    elsewhere()
    import_from(str(tmp_path / "x.tar"))
    assert import_from(str(tmp_path / "x.tar")).same == (record.id,)
    copy = store.find(record.id)
    (copy.job_dir("a") / "task.json").write_text("changed")
    with pytest.raises(AlreadyExistsError, match=r"jobs/a/task\.json.*--as"):
        import_from(str(tmp_path / "x.tar"))
    (other,) = import_from(str(tmp_path / "x.tar"), own_id="second").records
    assert (other.id, other.title, other.status().state) == ("second", "mine", "SUCCEEDED")
    assert {one.id for one in store.records()} == {record.id, "second"}


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "jobs/../../../x", "a//b", ".ssh/x", "jobs/a/secrets/k", "imported.json",
     "hooks.json", "a\nb", "x/" * 50 + "y", "y" * 300],
)  # fmt: skip
def test_no_path_leads_out_or_to_what_is_ours(tmp_path, elsewhere, name):
    files = archive_of(tmp_path)
    folder = next(iter(files))
    home = elsewhere()
    files = {**files, f"{folder_of(files)}{name}": b"evil"}
    with pytest.raises(StoreError):
        import_from(str(pack(tmp_path / "evil.tar", files)))
    assert untouched(home)
    assert not (tmp_path / "x").exists()
    assert folder == HEAD


def archive_of(tmp_path: Path) -> dict[str, bytes]:
    path = tmp_path / "good.tar"
    export([made("mine")], str(path))
    found = members(path)
    del found[SUMS]
    return found


def folder_of(files: dict[str, bytes]) -> str:
    return next(one for one in files if one.endswith("experiment.json")).removesuffix(
        "experiment.json"
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE,
                                  tarfile.BLKTYPE, tarfile.FIFOTYPE, b"S", b"V"])  # fmt: skip
def test_links_devices_and_other_kinds_are_refused(tmp_path, elsewhere, kind):
    files = archive_of(tmp_path)
    info = tarfile.TarInfo(folder_of(files) + "jobs/a/evil")
    info.type, info.linkname = kind, "/etc/passwd"
    home = elsewhere()
    with pytest.raises(StoreError, match=r"plain files only|cannot be read"):
        import_from(str(pack(tmp_path / "evil.tar", files, info)))
    assert untouched(home)


def test_a_good_archive_in_every_part_cut_or_changed_is_refused_whole(tmp_path, elsewhere):
    record = made("mine")
    for suffix in (".tar", ".tar.gz", ".tar.zst"):
        path = tmp_path / f"x{suffix}"
        export([record], str(path))
        data = path.read_bytes()
        home = elsewhere(f"other{suffix}")
        for part in range(1, 24):
            at = len(data) * part // 24
            changed = data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :]
            for bad in (data[:at], changed):
                path.write_bytes(bad)
                try:
                    done = import_from(str(path))
                except StoreError:
                    assert untouched(home), (suffix, part)
                else:
                    # Bytes between files of a plain tar, and zeros after its end, say nothing.
                    assert bad is changed or not data[at:].strip(b"\0"), (suffix, part)
                    store.delete(done.records[0])


def test_a_bomb_is_refused_and_leaves_nothing(tmp_path, elsewhere, monkeypatch):
    from nemo_run.management.sharing import importing

    monkeypatch.setattr(importing, "_FREELY", 1 << 20)
    files = archive_of(tmp_path)
    files[f"{folder_of(files)}jobs/a/zeros"] = bytes(64 << 20)
    plain = pack(tmp_path / "evil.tar", files)
    bomb = tmp_path / "evil.tar.gz"
    bomb.write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    home = elsewhere()
    with pytest.raises(StoreError, match=r"fill the disk.*--any-size"):
        import_from(str(bomb))
    assert untouched(home)
    assert not list(home.glob("experiments/*/.new*"))
    assert import_from(str(bomb), any_size=True).records


def test_a_header_that_says_it_is_huge_takes_no_memory(tmp_path, elsewhere):
    elsewhere()
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 40
    (tmp_path / "evil.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(StoreError, match="a header says"):
        import_from(str(tmp_path / "evil.tar"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"\x1f\x8b\x08", b"x" * 5000,
                                     b"\x28\xb5\x2f\xfd\x00", bytes(1024)])  # fmt: skip
def test_other_files_are_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "x.tar.zst").write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.tar\.zst|archive"):
        import_from(str(tmp_path / "x.tar.zst"))


def test_a_later_version_and_a_foreign_identity_are_refused(tmp_path, elsewhere):
    files = archive_of(tmp_path)
    elsewhere()
    head = json.loads(files[HEAD])
    later = {**files, HEAD: json.dumps({**head, "format": 2}).encode()}
    with pytest.raises(StoreError, match="later version"):
        import_from(str(pack(tmp_path / "later.tar", later)))
    meta = f"{folder_of(files)}experiment.json"
    forged = {**files, meta: files[meta].replace(b'"mine_', b'"other_')}
    with pytest.raises(StoreError, match="another experiment"):
        import_from(str(pack(tmp_path / "forged.tar", forged)))


def test_code_that_is_none_is_refused(tmp_path, monkeypatch, elsewhere):
    export([ran(tmp_path, monkeypatch)], str(tmp_path / "x.tar"))
    files = members(tmp_path / "x.tar")
    del files[SUMS]
    home = elsewhere()
    pack_of = files["code.pack"]
    for bad in (b"", b"PACK" + bytes(40), pack_of[:-30], pack_of[:60] + bytes(9) + pack_of[69:]):
        with pytest.raises(StoreError, match="code"):
            import_from(str(pack(tmp_path / "evil.tar", {**files, "code.pack": bad})))
    head = json.loads(files[HEAD])
    other = {**files, HEAD: json.dumps({**head, "trees": ["4" * 40]}).encode()}
    with pytest.raises(StoreError, match="not whole"):
        import_from(str(pack(tmp_path / "evil.tar", other)))
    assert untouched(home)
    assert not list(home.glob("code.git.*"))


def test_an_export_that_is_killed_leaves_no_file_of_that_name(tmp_path):
    record = made("mine", log=os.urandom(60 << 20))
    target = tmp_path / "x.tar.gz"
    words = [sys.executable, "-m", "nemo_run", "experiment", "export", record.id, "-o", str(target)]
    process = subprocess.Popen(words)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".x.tar.gz.*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list(tmp_path.glob(".x.tar.gz.*"))
    assert not target.exists()
    export([record], str(target.with_name("x.tar")))
    with pytest.raises(StoreError, match="--force"):
        export([record], str(target.with_name("x.tar")))


def test_through_a_pipe_and_without_zstandard(tmp_path, elsewhere, monkeypatch):
    record = made("mine")
    nemo = [sys.executable, "-m", "nemo_run", "experiment"]
    sent = subprocess.run(
        [*nemo, "export", record.id, "-o", "-"], stdout=subprocess.PIPE, check=True
    )
    elsewhere()
    done = subprocess.run([*nemo, "import", "-", "--json"], input=sent.stdout,
                          stdout=subprocess.PIPE, check=True)  # fmt: skip
    assert json.loads(done.stdout)["imported"][0]["id"] == record.id
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(StoreError, match=r"pip install 'nemo-run\[share\]'.*\.tar\.gz"):
        export([record], str(tmp_path / "x.tar.zst"))
