"""A home elsewhere: in a folder, behind a real sshd, in an S3 server as a process of its own."""

from __future__ import annotations

import getpass
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from shared_runs import made, ran

from nemo_run.exceptions import StoreError
from nemo_run.management import operations, store
from nemo_run.management.sharing import contents, trees
from nemo_run.management.sharing.at_end import unpushed
from nemo_run.management.sharing.remote import manifests
from nemo_run.management.sharing.remote.place import Place
from nemo_run.management.sharing.remote.pulling import Pulling
from nemo_run.management.sharing.remote.pushing import Pushing

NEMO = [sys.executable, "-m", "nemo_run"]


def until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    if importlib.util.find_spec("moto") is None:
        pytest.skip("moto[server] is not installed")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as one:
            return not one.connect_ex(("127.0.0.1", port))

    try:
        until(answers, 60)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3(s3_server, monkeypatch, tmp_path) -> str:
    """A bucket."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    import boto3

    bucket = f"runs-{os.urandom(4).hex()}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/team/home"


@pytest.fixture
def sftp(request, tmp_path, monkeypatch) -> Iterator[str]:
    """A folder behind a real sshd."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "remote"))
    try:
        spec = importlib.util.spec_from_file_location(
            "sshd_of_tests", Path(__file__).parents[1] / "remote" / "sshd_lab.py"
        )
        sshd = importlib.util.module_from_spec(spec)
        sys.modules["sshd_of_tests"] = sshd
        spec.loader.exec_module(sshd)
    finally:
        sys.path.pop(0)
    if sshd.SSHD is None:
        pytest.skip("There is no sshd on this machine (package openssh-server).")
    lab = sshd.Lab(tmp_path / "sshd")
    lab.folder.mkdir()
    sshd.key(lab.folder / "id")
    lab.host("storage", "Subsystem sftp internal-sftp")
    monkeypatch.setenv("NEMORUN_SSH_CONFIG", str(lab.config))
    try:
        yield f"sftp://{getpass.getuser()}@storage{tmp_path}/far/home"
    finally:
        lab.close()


@pytest.fixture(params=["file", "s3", "sftp"])
def url(request, tmp_path) -> str:
    if request.param == "file":
        return str(tmp_path / "far")
    return request.getfixturevalue(request.param)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    def go(name: str = "other") -> Path:
        monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / name))
        return tmp_path / name

    return go


def told(record) -> str:
    path = record.path / "push.json"
    return path.read_text() if path.exists() else ""


def content_of(record) -> dict[str, bytes]:
    return {part.path: b"".join(contents.read(part)) for part in contents.parts(record)}


def test_what_was_pushed_is_pulled_whole_and_only_once(url, tmp_path, monkeypatch, elsewhere):
    record = ran(tmp_path, monkeypatch)
    first = Pushing(Place(url)).push(record)
    assert first.changed
    assert first.sent > 1000
    again = Pushing(Place(url)).push(record)
    assert (again.changed, again.sent) == (False, 0)
    elsewhere()
    pulled = Pulling(Place(url)).pull(record.id)
    copy = store.find(record.id)
    assert pulled.what == "new"
    assert content_of(copy) == content_of(record)
    assert trees.store().has(trees.trees_of(copy)[0])
    assert copy.status().state == "SUCCEEDED"
    assert Pulling(Place(url)).pull(record.id).what == "same"


def test_a_second_run_with_a_small_change_of_code_sends_little(tmp_path, monkeypatch, elsewhere):
    url = str(tmp_path / "far")
    noise = tmp_path / "project" / "noise.bin"
    first = ran(tmp_path, monkeypatch)
    noise.write_bytes(os.urandom(3 << 20))
    second = ran(tmp_path, monkeypatch)
    (tmp_path / "project" / "data.txt").write_text("other\n")
    third = ran(tmp_path, monkeypatch)
    sent = [Pushing(Place(url)).push(one).sent for one in (first, second, third)]
    assert sent[1] > 3 << 20
    assert sent[2] < 200_000
    elsewhere()
    Pulling(Place(url)).pull(third.id)
    assert trees.store().has(trees.trees_of(third)[0])


def test_a_run_that_goes_on_sends_what_is_new_of_its_log(url, elsewhere, monkeypatch):
    home = os.environ["NEMORUN_HOME"]
    record = made("mine", over=False, log=os.urandom(20 << 20))
    log = record.job_dir("a") / "logs" / "1" / "rank-0.log"
    assert Pushing(Place(url)).push(record).sent > 20 << 20
    elsewhere()
    found = Pulling(Place(url)).pull(record.id)
    assert (found.what, found.going) == ("new", True)
    assert operations.status(store.find(record.id)).state == "UNKNOWN"
    monkeypatch.setenv("NEMORUN_HOME", home)
    with log.open("ab") as file:
        file.write(b"the end\n")
    record.journal.append([
        {"event": "job.observed", "job": "a", "attempt": 1, "state": "SUCCEEDED"},
        {"event": "experiment.ended", "state": "SUCCEEDED"},
    ])  # fmt: skip
    assert Pushing(Place(url)).push(record).sent < 9 << 20
    assert len(Place(url).names(manifests.FOLDER)) == 1
    elsewhere()
    assert Pulling(Place(url)).pull(record.id).what == "updated"
    copy = store.find(record.id)
    assert copy.status().state == "SUCCEEDED"
    assert content_of(copy) == content_of(record)
    assert Pulling(Place(url)).pull(record.id).what == "same"


def test_killed_at_any_moment_and_called_again_it_is_whole(tmp_path, elsewhere):
    url = str(tmp_path / "far")
    record = made("mine", log=os.urandom(48 << 20))
    words = [*NEMO, "remote", "push", record.id, "--remote", url]
    for tenth in range(1, 12):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
        time.sleep(0.08 * tenth)
        process.send_signal(signal.SIGKILL)
        process.wait()
        listed = manifests.entries(Place(url)) if Path(url).exists() else {}
        for entry in listed.get(record.id, []):
            # A manifest that is there is whole, and so is all that it names.
            for file in manifests.read(Place(url), entry).files:
                for blob, _, _ in file.pieces:
                    assert Path(url, manifests.blob_name(blob)).exists()
    subprocess.run(words, check=True)
    home = elsewhere()
    for tenth in range(1, 8):
        process = subprocess.Popen([*NEMO, "remote", "pull", record.id, "--remote", url])
        time.sleep(0.1 * tenth)
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen = [p for p in home.glob("experiments/*/*") if not p.name.startswith(".")]
        assert all(content_of(store.find(p.name)) == content_of(record) for p in seen)
    subprocess.run([*NEMO, "remote", "pull", record.id, "--remote", url], check=True)
    assert content_of(store.find(record.id)) == content_of(record)


def test_several_who_push_at_once_come_to_the_same(url, elsewhere):
    records = [made(f"mine{n}") for n in range(3)]
    errors: list[BaseException] = []

    def push() -> None:
        try:
            pushing = Pushing(Place(url))
            for record in records:
                pushing.push(record)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=push) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(manifests.entries(Place(url))) == {record.id for record in records}
    elsewhere()
    for record in records:
        Pulling(Place(url)).pull(record.id)
        assert content_of(store.find(record.id)) == content_of(record)


def test_a_list_of_a_thousand_reads_none_of_them(url, tmp_path):
    place, record = Place(url), made("mine")
    Pushing(place).push(record)
    (entry,) = manifests.entries(place)[record.id]
    count = 1000 if "://" not in url else 50
    for number in range(count):
        name = entry.name.replace(record.id, f"more_{number}")
        place.write(f"{manifests.FOLDER}/{name}", b"no manifest: whoever reads it fails")
    started = time.monotonic()
    found = manifests.entries(Place(url))
    assert len(found) == count + 1
    assert time.monotonic() - started < 5
    assert found["more_7"][-1].state == "SUCCEEDED"


def test_damage_is_found_and_nothing_of_it_arrives(tmp_path, elsewhere):
    url = str(tmp_path / "far")
    record = made("mine")
    Pushing(Place(url)).push(record)
    home = elsewhere()
    for path in sorted(Path(url).rglob("*")):
        if not path.is_file() or path.name == "nemo-run.json":
            continue
        data = path.read_bytes()
        for bad in (data[:-1], data[:5] + b"\x00" + data[6:], b""):
            path.write_bytes(bad)
            with pytest.raises(StoreError, match="damaged"):
                Pulling(Place(url)).pull(record.id)
        path.write_bytes(data)
    assert not [p for p in home.glob("experiments/*/*") if not p.name.startswith(".")]
    Pulling(Place(url)).pull(record.id)


def test_a_manifest_that_leads_out_is_refused(tmp_path, elsewhere):
    url = str(tmp_path / "far")
    record = made("mine")
    Pushing(Place(url)).push(record)
    (entry,) = manifests.entries(Place(url))[record.id]
    content = (Path(url) / manifests.FOLDER / entry.name).read_bytes()
    evil = content.replace(b"jobs/a/task.json", b"../../../../evil")
    other = entry.name.replace(entry.digest, manifests.digest_of(evil))
    (Path(url) / manifests.FOLDER / entry.name).unlink()
    (Path(url) / manifests.FOLDER / other).write_bytes(evil)
    home = elsewhere()
    with pytest.raises(StoreError, match="no experiment that was shared has"):
        Pulling(Place(url)).pull(record.id)
    assert not list(home.rglob("evil")) + list(tmp_path.glob("evil"))


def test_another_experiment_of_the_same_id_is_never_mixed_in(tmp_path, elsewhere):
    url = str(tmp_path / "far")
    Pushing(Place(url)).push(made("mine", "one"))
    elsewhere()
    theirs = made("mine", "one")
    with pytest.raises(StoreError, match="another experiment with the id"):
        Pushing(Place(url)).push(theirs)
    assert Pulling(Place(url)).pull("one").what == "own"


def test_a_run_is_pushed_by_itself_at_its_end(tmp_path, monkeypatch, elsewhere):
    url = str(tmp_path / "far")
    monkeypatch.setenv("NEMORUN_REMOTE", url)
    record = ran(tmp_path, monkeypatch)
    until(lambda: Path(url, manifests.FOLDER).exists() and manifests.entries(Place(url)))
    until(lambda: '"done"' in told(record))
    assert unpushed(record) == ""
    elsewhere()
    Pulling(Place(url)).pull(record.id)
    assert store.find(record.id).status().ended is not None


def test_a_push_that_fails_harms_no_run_and_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NEMORUN_REMOTE", str(tmp_path / "file" / "far"))
    record = ran(tmp_path, monkeypatch)
    assert record.status().state == "SUCCEEDED"
    until(lambda: "failed" in told(record), 60)
    assert "was not pushed" in unpushed(record)
    said = subprocess.run(
        [*NEMO, "experiment", "status", record.id], capture_output=True, text=True
    )
    assert f"remote push {record.id}" in said.stdout
    done = [*NEMO, "remote", "push", record.id, "--remote", str(tmp_path / "far")]
    subprocess.run(done, check=True)
    assert unpushed(record) == ""


@pytest.mark.parametrize(
    ("url", "says"),
    [("", "NEMORUN_REMOTE"), ("nowhere://x/y", "nowhere"), ("sftp:///x", "names no host")],
)
def test_a_wrong_address_is_told_in_a_sentence(url, says):
    done = subprocess.run(
        [*NEMO, "remote", "list", "--remote", url], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bucket_that_is_not_there_and_a_server_that_is_gone(s3, monkeypatch):
    with pytest.raises(StoreError, match="no bucket 'nobody-made-this'"):
        Place("s3://nobody-made-this/home")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreError, match="Could not reach"):
        Place(s3)


def test_a_host_that_is_not_known_is_not_trusted(sftp, tmp_path, monkeypatch):
    known = tmp_path / "sshd" / "known_hosts"
    known.write_text("")
    with pytest.raises(StoreError, match="not found in known_hosts"):
        Place(sftp)
