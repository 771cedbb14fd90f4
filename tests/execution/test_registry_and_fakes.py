"""Finding backends, specs from files of other versions, and the engine that is not there."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from nemo_run.exceptions import BackendError, PlanError
from nemo_run.execution.backend import Rendered
from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.execution.local.client import LocalBackend
from nemo_run.execution.local.executor import LocalExecutor
from nemo_run.execution.observation import State
from nemo_run.execution.registry import backend_names, executor_kind, get_backend
from nemo_run.testing import FakeBackend, FakeEngine, Outcome


def spec(name: str = "train", script: str = "true") -> JobSpec:
    member = Member(name, f"/exp/{name}", ("sh", "-c", script))
    return JobSpec("exp_1", name, "fake", f"/exp/{name}", (member,))


def test_the_local_backend_is_there_once() -> None:
    assert isinstance(get_backend("local"), LocalBackend)
    assert get_backend("local") is get_backend("local")


def test_an_unknown_backend_is_refused_with_the_nearest_name(error_snapshot) -> None:
    with pytest.raises(PlanError) as caught:
        get_backend("locl")
    error_snapshot("registry: unknown backend", str(caught.value))


def test_a_package_adds_a_backend_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of this package changes for it."""
    (tmp_path / "their_backend.py").write_text(
        textwrap.dedent("""
        from nemo_run.testing import FakeBackend

        class TheirBackend(FakeBackend):
            name = "theirs"
        """)
    )
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[nemo_run.backends]\ntheirs = their_backend:TheirBackend\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert get_backend("theirs").name == "theirs"
    with pytest.raises(PlanError, match=r"'theirs' does not say which executor it runs"):
        executor_kind("theirs")
    sys.modules.pop("their_backend")


def test_a_backend_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "half_installed-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half-installed\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nemo_run.backends]\nhalf = no_such_sdk.x:Backend\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PlanError, match=r"'half' cannot be loaded from no_such_sdk\.x:Backend"):
        get_backend("half")


def test_the_name_of_a_backend_is_that_of_a_kind_of_executor() -> None:
    assert executor_kind("local") is LocalExecutor
    assert "local" in backend_names()


def test_a_spec_of_a_later_version_can_be_read() -> None:
    written = json.loads(json.dumps(spec().to_json()))
    written["invented_later"] = 1
    written["members"][0]["also_later"] = {}
    assert JobSpec.from_json(written) == spec()


def test_the_token_names_experiment_job_and_attempt() -> None:
    assert spec().token == "exp_1/train/1"
    assert spec().next_attempt().token == spec().token_of(2) == "exp_1/train/2"


def run_one(engine: FakeEngine, one: JobSpec) -> FakeBackend:
    backend = FakeBackend(engine)
    backend.submit([Rendered(one, tuple(backend.render(one)))])
    return backend


def test_the_fake_engine_goes_by_its_clock() -> None:
    engine = FakeEngine(queue=10)
    backend = run_one(engine, spec(script="sleep 100; exit 3"))
    [handle] = backend.find([spec()]).values()
    seen = []
    for seconds in (0, 10, 99, 1):
        engine.clock.advance(seconds)
        seen.append(backend.poll([handle])[handle].state)
    assert seen == [State.PENDING, State.RUNNING, State.RUNNING, State.FAILED]
    assert backend.poll([handle])[handle].exit_code == 3


def test_waiting_moves_the_fake_clock_to_what_happens_next() -> None:
    engine = FakeEngine(outcome=lambda member: Outcome(seconds=1000))
    backend = run_one(engine, spec())
    before = engine.clock.time()
    backend.wait([], 5000)
    assert engine.clock.time() - before == 1000
    backend.wait([], 7)
    assert engine.clock.time() - before == 1007


def test_the_fake_engine_can_be_down_and_can_forget() -> None:
    engine = FakeEngine()
    backend = run_one(engine, spec(script="sleep 5"))
    [handle] = backend.find([spec()]).values()
    engine.down = True
    with pytest.raises(BackendError, match="does not answer"):
        backend.poll([handle])
    engine.down = False
    engine.lose(spec().token)
    assert backend.poll([handle])[handle].state is State.LOST


def test_the_fake_engine_outlives_its_backends_and_counts_submissions() -> None:
    engine = FakeEngine()
    run_one(engine, spec())
    run_one(engine, spec())
    assert engine.submissions == [spec().token] * 2
    assert list(engine.jobs) == [spec().token]
