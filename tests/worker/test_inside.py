"""What user code has inside a job: log_metrics, and a stand-in where nemo_run is not installed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import nemo_run
from nemo_run.execution.planning import stand_in_source

INSIDE = Path(nemo_run.__file__).parent / "worker" / "inside.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "stand_in"
    made.mkdir()
    (made / "nemo_run.py").write_text(stand_in_source(), "utf-8")
    return made


class Job:
    """A process whose Python has no nemo_run, as the worker starts it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder.parent / "metrics.jsonl"

    def command(self, code: str) -> list[str]:
        # -S: no site-packages, so the real one is not there.
        head = f"import sys; sys.path.append({str(self.folder)!r})\n"
        return [sys.executable, "-I", "-S", "-c", head + textwrap.dedent(code)]

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH",)}
        return {**kept, "NEMORUN_METRICS_FILE": str(self.file), **more}

    def run(self, code: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(code), env=self.environment(**more), capture_output=True, text=True,
            timeout=120,
        )  # fmt: skip

    def lines(self, name: str = "metrics.jsonl") -> list[dict]:
        text = self.file.with_name(name).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def job(folder: Path) -> Job:
    return Job(folder)


def test_each_call_is_one_line_with_step_and_time(job: Job) -> None:
    done = job.run("""
        import nemo_run as run
        run.log_metrics(step=0, loss=0.5, good=True, count=7)
        run.log_metrics({"train/loss": 0.25, 'a"b': 1}, step=1.5)
        run.log_metrics(loss=1)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first, second, third = job.lines()
    assert list(first) == ["step", "time", "loss", "good", "count"]
    assert (first["step"], first["loss"], first["good"], first["count"]) == (0, 0.5, True, 7)
    assert (second["step"], second["train/loss"], second['a"b']) == (1.5, 0.25, 1)
    assert "step" not in third
    assert first["time"] <= second["time"] <= third["time"]
    assert job.file.stat().st_mode & 0o777 == 0o600


def test_numbers_without_names_are_said_once_and_end_nothing(job: Job) -> None:
    done = job.run("""
        import nemo_run as run
        run.log_metrics(0.5, step=1)
        run.log_metrics([0.5], loss=2)
    """)
    assert done.returncode == 0
    assert "numbers need names, as in loss=0.5" in done.stderr
    assert [line.get("loss") for line in job.lines()] == [2]


def test_values_that_json_has_not_are_texts_and_scalars_become_numbers(job: Job) -> None:
    done = job.run("""
        import decimal, nemo_run as run
        class Scalar:
            def item(self): return 0.125
        inf = float("inf")
        run.log_metrics(step=1, a=float("nan"), b=inf, c=-inf, d=Scalar(), e=decimal.Decimal("2.5"),
                        f=10**5000)
    """)
    assert done.stderr == ""
    [line] = job.lines()
    assert {k: v for k, v in line.items() if k != "time"} == {
        "step": 1,
        "a": "NaN",
        "b": "Infinity",
        "c": "-Infinity",
        "d": 0.125,
        "e": 2.5,
        "f": "Infinity",
    }


def test_what_is_no_number_is_left_out_and_said_once(job: Job) -> None:
    done = job.run("""
        import nemo_run as run
        class Odd:
            def item(self): raise ValueError("only one element tensors")
        for step in range(5):
            run.log_metrics(step=step, loss=1.0, name="adam", grad=None, odd=Odd(), time=3.0)
        run.log_metrics(name="adam")
        run.log_metrics(step="later", loss=2.0)
        print("trained")
    """)
    assert done.stdout == "trained\n"
    assert [sorted(line) for line in job.lines()][:5] == [["loss", "step", "time"]] * 5
    assert sorted(job.lines()[5]) == ["loss", "time"]
    assert len(job.lines()) == 6
    said = done.stderr.splitlines()
    assert len(said) == len(set(said)) == 5
    assert "nemo_run: log_metrics leaves out 'name': a str is no number." in said
    assert "nemo_run: log_metrics leaves out 'time', the name of a column of its own." in said


@pytest.mark.parametrize(
    "variables",
    [{"RANK": "3"}, {"SLURM_PROCID": "3"}, {"RANK": "0", "LOCAL_RANK": "3"}, {"LOCAL_RANK": "3"}],
)
def test_only_rank_0_logs_unless_all_shall(job: Job, variables: dict[str, str]) -> None:
    code = "import nemo_run as run; run.log_metrics(step=1, loss=1)"
    assert job.run(code, **variables).returncode == 0
    assert not job.file.exists()
    assert job.run(code.replace("loss=1", "loss=1, all_ranks=True"), **variables).returncode == 0
    assert not job.file.exists()
    assert [line["loss"] for line in job.lines("metrics.rank-3.jsonl")] == [1]


def test_lines_of_several_processes_never_mix(job: Job) -> None:
    code = """
        import os, nemo_run as run
        for step in range(1500):
            run.log_metrics(step=step, who=int(os.environ["WHO"]), **{"x" * 300: step})
    """
    running = [
        subprocess.Popen(job.command(code), env=job.environment(WHO=str(n))) for n in range(6)
    ]
    assert [one.wait(120) for one in running] == [0] * 6
    lines = job.lines()
    assert len(lines) == 6 * 1500
    for who in range(6):
        assert [line["step"] for line in lines if line["who"] == who] == list(range(1500))


def test_a_forked_process_writes_lines_of_its_own(job: Job) -> None:
    done = job.run("""
        import os, nemo_run as run
        run.log_metrics(step=0, loss=0)
        if not os.fork():
            run.log_metrics(step=1, loss=1)
            os._exit(0)
        os.wait()
        run.log_metrics(step=2, loss=2)
    """)
    assert done.returncode == 0
    assert [line["step"] for line in job.lines()] == [0, 1, 2]


def test_what_a_killed_attempt_was_writing_stays_a_line_of_its_own(job: Job) -> None:
    job.file.write_text('{"step":1,"loss":1}\n{"step":2,"lo')
    assert job.run("import nemo_run as run; run.log_metrics(step=2, loss=2)").returncode == 0
    lines = job.file.read_text().splitlines()
    assert lines[1] == '{"step":2,"lo'
    assert json.loads(lines[2])["loss"] == 2


def test_a_full_disk_is_said_once_and_ends_nothing(job: Job) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("there is no /dev/full")
    job.file.symlink_to("/dev/full")
    done = job.run("""
        import nemo_run as run
        for step in range(100):
            run.log_metrics(step=step, loss=1.0)
        print("trained")
    """)
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert done.stderr == (
        f"nemo_run: Metrics cannot be kept in {job.file}: No space left on device. "
        "The job goes on.\n"
    )


def test_a_folder_that_is_gone_ends_nothing(job: Job) -> None:
    job.file = job.file.parent / "gone" / "metrics.jsonl"
    done = job.run("import nemo_run as run; run.log_metrics(step=1, loss=1); print('trained')")
    assert (done.returncode, done.stdout) == (0, "trained\n")
    assert "No such file or directory" in done.stderr


def test_outside_of_a_job_nothing_is_kept_and_that_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "import nemo_run as run\nfor _ in range(3): run.log_metrics(step=1, loss=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.count("log_metrics keeps nothing here") == 1
    assert list(tmp_path.iterdir()) == []


def test_modules_made_for_the_real_one_can_be_imported(job: Job) -> None:
    done = job.run("""
        import nemo_run as run
        import nemo_run.cli
        from nemo_run import Config, Partial, autoconvert
        from nemo_run.cli import entrypoint

        @run.cli.entrypoint
        def one(model: run.Config[int], plugins: "list[run.Plugin]") -> None: ...

        @run.cli.entrypoint(namespace="train", require_confirmation=False)
        @run.cli.factory(target=int, target_arg="n")
        @run.autoconvert(partial=True)
        @run.autoconvert
        def two(n: Partial[int] = None) -> int:
            return 2

        class Mine(run.Plugin):
            def setup(self, task, executor): ...

        with run.lazy_imports():
            import json
        assert run.Config is Config
        assert two() == 2 and one(1, 2) is None
        print(run.log_metrics.__module__)
    """)
    assert (done.stderr, done.stdout) == ("", "nemo_run\n")


def test_what_it_has_not_is_said_in_a_sentence(job: Job) -> None:
    done = job.run("""
        import nemo_run as run
        calls = [lambda: run.Config(int), lambda: run.run(1), lambda: run.LocalExecutor(),
                 lambda: run.cli.main(1), lambda: run.nothing, lambda: run.cli.nothing]
        for call in calls:
            try:
                call()
            except (RuntimeError, AttributeError) as error:
                print(type(error).__name__, error)
        print(hasattr(run, "nothing"))
    """)
    begin = "nemo_run is not installed here; inside a job only log_metrics is there"
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"RuntimeError {begin}, so no Config can be made.",
        f"RuntimeError {begin}, so run() cannot be called.",
        f"RuntimeError {begin}, so no LocalExecutor can be made.",
        f"RuntimeError {begin}, so cli.main() cannot be called.",
        f"AttributeError {begin}, not 'nothing'.",
        f"AttributeError {begin}, not 'nothing'.",
        "False",
    ]


def test_it_knows_every_public_name_of_the_real_one() -> None:
    from nemo_run.worker import inside

    known = inside.CLASSES | inside.FUNCTIONS | {"autoconvert", "log_metrics"}
    assert set(nemo_run.__all__) - known == set()


def test_the_real_one_comes_first_however_it_is_found(job: Job, tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "nemo_run").mkdir(parents=True)
    (real / "nemo_run" / "__init__.py").write_text("real = True\nfrom . import part\n")
    (real / "nemo_run" / "part.py").write_text("here = 1\n")
    before = f"sys.path.insert(0, {str(real)!r})\n"
    code = "import nemo_run as run, nemo_run.part; print(run.real, run.part.here)"
    done = job.run(before + code)
    assert (done.stdout, done.stderr) == ("True 1\n", "")
    # As editable installations do that map names to files.
    finder = textwrap.dedent(f"""
        import importlib.util
        class Editable:
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                if name != "nemo_run":
                    return None
                place = {str(real / "nemo_run")!r}
                return importlib.util.spec_from_file_location(
                    name, place + "/__init__.py", submodule_search_locations=[place])
        sys.meta_path.append(Editable)
    """)
    done = job.run(finder + code)
    assert (done.stdout, done.stderr) == ("True 1\n", "")


def test_the_package_has_the_same_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMORUN_METRICS_FILE", str(tmp_path / "metrics.jsonl"))
    nemo_run.log_metrics(step=1, loss=math.pi)
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["loss"] == math.pi


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.13"])
def test_it_runs_on_other_pythons(job: Job, version: str) -> None:
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"there is no Python {version}")
    code = "import nemo_run as run; run.log_metrics({'a': 1}, step=1, loss=0.5); run.Config[int]"
    command = [str(found[0]), *job.command(code)[1:]]
    done = subprocess.run(command, env=job.environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert job.lines()[0]["loss"] == 0.5
