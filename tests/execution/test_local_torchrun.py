"""torchrun for real: two processes on the CPU."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from local_jobs import Place, until

import nemo_run as run
from nemo_run.config.files import codec
from nemo_run.execution import LocalExecutor, processes
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.observation import State
from nemo_run.execution.planning import PlanRequest, TaskRequest, plan_job

pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

REDUCE = """
import os, sys
import torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(total)
print("rank", dist.get_rank(), "of", dist.get_world_size(), "sum", total.item())
print("to the other stream", file=sys.stderr)
dist.destroy_process_group()
"""


def planned(folder: Path, name: str, task: object, executor: LocalExecutor) -> JobSpec:
    text = codec.dumps(task)
    member = TaskRequest(name, task, executor, task_json=text)
    spec = plan_job(
        PlanRequest(
            experiment=f"torch_{zlib.crc32(str(folder).encode())}",
            job=name,
            directory=str(folder / name),
            members=(member,),
            working_directory=str(folder),
            sys_path=(str(folder),),
        )
    )
    for member in spec.members:
        for path, content in member.files.items():
            file = Path(member.directory, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
    return spec


def test_a_script_reduces_over_two_processes(tmp_path: Path) -> None:
    (tmp_path / "reduce.py").write_text(REDUCE)
    task = run.Script(str(tmp_path / "reduce.py"), entrypoint="python")
    executor = LocalExecutor(ntasks_per_node=2, launcher="torchrun")
    place = Place(tmp_path)
    spec = planned(tmp_path, "reduce", task, executor)
    assert place.run(spec).state is State.SUCCEEDED, place.log(spec)
    for rank in range(2):
        assert f"rank {rank} of 2 sum 3.0\n" in place.log(spec, rank)
        assert "to the other stream\n" in place.log(spec, rank)
        assert f"rank {1 - rank} of" not in place.log(spec, rank)


TASK = """
import os

def work(factor):
    import torch, torch.distributed as dist
    dist.init_process_group("gloo")
    total = torch.ones(1) * factor
    dist.all_reduce(total)
    if os.environ["RANK"] == "1" and factor == 13:
        raise ValueError("rank one does not like thirteen")
    return total.item()
"""


def test_a_function_runs_on_every_rank_and_rank_0_has_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch_task.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    from torch_task import work

    place = Place(tmp_path)
    executor = LocalExecutor(ntasks_per_node=2, launcher="torchrun")
    good = planned(tmp_path, "good", run.Partial(work, 5), executor)
    handle = place.start(good)
    bad = planned(tmp_path, "bad", run.Partial(work, 13), executor)
    other = place.start(bad)
    assert place.end(handle).state is State.SUCCEEDED, place.log(good)
    assert "10.0" in (tmp_path / "good/attempts/1/result.json").read_text()
    assert place.end(other).state is State.FAILED
    assert "does not like thirteen" in place.log(bad, 1)
    assert "thirteen" in (tmp_path / "bad/attempts/1/error.1.json").read_text()


def test_cancel_ends_torchrun_and_its_ranks(tmp_path: Path) -> None:
    place = Place(tmp_path)
    task = run.Script(inline="echo $$ >pid.$RANK; sleep 300")
    spec = planned(tmp_path, "endless", task, LocalExecutor(ntasks_per_node=2, launcher="torchrun"))
    handle = place.start(spec)
    files = [tmp_path / f"pid.{rank}" for rank in range(2)]
    until(lambda: all(f.exists() and f.read_text().endswith("\n") for f in files))
    place.backend.cancel([handle])
    assert place.end(handle).state is State.CANCELLED
    until(lambda: not any(processes.look(int(f.read_text())) for f in files))
