"""What an experiment records of its packages, devices and images, and how that is read."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder

import nemo_run as run
from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.management import store
from nemo_run.management.capture import devices, images, packages, provenance
from nemo_run.management.store.record import Record


def stored(home: Path) -> list[Path]:
    return sorted((home / "packages").iterdir())


def record_with(**meta: object) -> Record:
    return store.create("digits", meta={"jobs": [{"id": "train"}], **meta})


def spec(job: str = "train", **options: object) -> JobSpec:
    return JobSpec("digits_1", job, "slurm", "/d", (Member(job, "/d", ("true",)),), options=options)


def test_a_table_of_packages_is_stored_once_under_its_own_digest(home: Path) -> None:
    said = packages.kept({"torch": "2.13", "click": "8.1"})
    assert packages.kept({"click": "8.1", "torch": "2.13"}) == said
    (path,) = stored(home)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert said == {"digest": f"sha256:{digest}", "count": 2}
    assert path.name == f"{digest}.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text()) == {"click": "8.1", "torch": "2.13"}
    record = record_with(packages=said)
    assert packages.of(record) == {"click": "8.1", "torch": "2.13"}
    assert packages.count(record) == 2


def test_processes_that_store_the_same_table_at_once_do_no_harm(home: Path) -> None:
    program = (
        "import sys\n"
        "from nemo_run.management.capture import packages\n"
        "for n in range(40): print(packages.kept({'torch': str(n % 5)})['digest'])"
    )
    several = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=120)[0] for process in several]
    assert all(process.returncode == 0 for process in several)
    assert len(set(said)) == 1
    files = stored(home)
    assert len(files) == 5
    for path in files:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem


def test_where_the_table_cannot_be_stored_the_record_has_it(home: Path) -> None:
    home.mkdir()
    (home / "packages").write_text("a file is in the way")
    said = packages.kept({"torch": "2.13"})
    assert said == {"torch": "2.13"}
    assert packages.of(record_with(packages=said)) == {"torch": "2.13"}


def test_a_cut_off_table_is_written_anew_and_a_changed_one_is_not_believed(home: Path) -> None:
    said = packages.kept({"torch": "2.13"})
    record = record_with(packages=said)
    (path,) = stored(home)
    whole = path.read_bytes()
    path.write_bytes(whole[:5])
    assert packages.of(record) == {}
    assert packages.kept({"torch": "2.13"}) == said
    assert packages.of(record) == {"torch": "2.13"}
    path.write_bytes(whole.replace(b"2.13", b"2.14"))
    assert packages.of(record) == {}


@pytest.mark.parametrize(
    "said",
    [
        None,
        7,
        [],
        {"digest": "sha256:../../../etc/passwd", "count": 1},
        {"digest": 7},
        {"torch": 2},
    ],
)
def test_what_is_no_table_of_packages_is_not_known(said: object) -> None:
    record = record_with(packages=said)
    assert all(isinstance(version, str) for version in packages.of(record).values())
    assert packages.places(record) == []


def test_a_table_that_one_may_not_read_is_put_into_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_folder() as shared:
        monkeypatch.setenv("NEMORUN_HOME", str(shared))
        packages.kept({"torch": "2.13"})
        (path,) = stored(shared)
        path.parent.chmod(0o777)
        path.chmod(0)  # as one of another user in a shared home
        assert as_nobody(lambda: str(packages.kept({"torch": "2.13"}))) == "{'torch': '2.13'}"


def test_a_record_of_another_home_is_read_with_the_table_beside_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = record_with(packages=packages.kept({"torch": "2.13"}))
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "mine"))
    assert packages.of(Record(record.path)) == {"torch": "2.13"}


CARD = """\
Model: \t\t NVIDIA H200
IRQ:   \t\t 101
GPU UUID: \t GPU-0b1d3c5e-0000-4000-8000-0123456789ab
Video BIOS: \t 96.00.bc.00.01
Bus Type: \t PCIe
Bus Location: \t 0000:19:00.0
Device Minor: \t 0
"""


@pytest.mark.parametrize(
    "version",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (x)\n",
    ],
)
def test_cards_are_read_from_the_folder_of_the_driver(tmp_path: Path, version: str) -> None:
    for bus in ("0000:19:00.0", "0000:3b:00.0"):
        folder = tmp_path / "gpus" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(CARD)
    (tmp_path / "version").write_text(f"{version}GCC version:  gcc version 11.4.0 (Ubuntu)\n")
    found = devices.nvidia(str(tmp_path))
    assert found["nvidia_driver"] == "550.54.15"
    assert len(found["gpus"]) == 2
    assert found["gpus"][0] == {
        "name": "NVIDIA H200", "uuid": "GPU-0b1d3c5e-0000-4000-8000-0123456789ab",
        "bus": "0000:19:00.0",
    }  # fmt: skip
    assert devices.nvidia(str(tmp_path / "nowhere")) == {}


def test_processors_and_memory_are_those_of_this_machine() -> None:
    found = devices.devices()
    assert found["cpus"] == os.cpu_count()
    assert 1 << 27 < found["memory_bytes"] < 1 << 50


def test_images_are_told_as_exactly_as_is_cheap(tmp_path: Path) -> None:
    file = tmp_path / "nemo.sqsh"
    file.write_bytes(b"squashed")
    digest = f"sha256:{'ab' * 32}"
    found = images.images(
        [
            spec(container_image=str(file)),
            spec(container_image=f"nvcr.io/nvidia/nemo@{digest}"),
            spec(container_image="nvcr.io/nvidia/nemo:25.04", tunnel={"kind": "ssh", "host": "x"}),
            spec(members=[{"container_image": "member:1"}, {"container_image": None}, 7]),
            spec(),
        ]
    )
    assert found == {
        str(file): {"size": 8, "modified": file.stat().st_mtime},
        f"nvcr.io/nvidia/nemo@{digest}": {"digest": digest},
        "nvcr.io/nvidia/nemo:25.04": {},
        "member:1": {},
    }
    elsewhere = spec(container_image=str(file), tunnel={"kind": "ssh", "host": "x"})
    assert images.images([elsewhere]) == {str(file): {}}


def test_a_run_records_all_of_it_without_being_asked(home: Path) -> None:
    run.run(run.Script(inline="true"), executor=run.LocalExecutor(), name="small")
    record = store.find("small")
    source = provenance.of(record)
    assert source.packages["pytest"] == pytest.__version__
    assert stored(home)[0].stem == source.packages_digest
    assert source.devices["cpus"] == os.cpu_count()
    assert source.asked == {"small": {"nodes": 1, "processes": 1}}
    assert source.executors == {"small": "LocalExecutor"}
    assert source.environment["NEMORUN_HOME"] == str(home)
    assert source.python["executable"] == sys.executable
    assert json.loads(json.dumps(source.to_json()))["cwd"] == str(Path.cwd())


def test_damaged_fields_count_as_not_said() -> None:
    record = record_with(
        argv="train.py", python=7, packages=[], environment=["A"], git="main", devices=1,
        images=[1], user={"a": 1}, host=None,
    )  # fmt: skip
    source = provenance.of(record)
    assert (source.argv, source.git, source.user, source.host) == ((), None, "", "")
    assert source == provenance.Provenance(executors={"train": ""})


def test_secrets_in_a_record_of_somebody_else_are_covered() -> None:
    record = record_with(argv=["t", "--token", "hunter2"], environment={"HF_TOKEN": "hunter2"})
    assert "hunter2" not in json.dumps(provenance.of(record).to_json())
