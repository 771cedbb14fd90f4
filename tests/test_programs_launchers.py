"""Launchers as programs write them: scripts and recipes, plugins, executors, experiments."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import pytest

import nemo_run as run


@dataclass
class Trainer:
    max_steps: int = 1
    callbacks: list = field(default_factory=list)
    num_nodes: int = 1


@dataclass
class Nsys:
    start: int = 0


def train(trainer: Trainer, out: str = "") -> int:
    if out:
        with open(out, "w") as file:
            file.write(
                f"{trainer.max_steps} {len(trainer.callbacks)} {os.environ.get('TUNED', '')}"
            )
    return trainer.max_steps


@dataclass(kw_only=True)
class ProfilePlugin(run.Plugin):
    """Adds a callback to a recipe, and arguments to a script."""

    start: int = 5
    env: dict = field(default_factory=dict)

    def setup(self, task: run.Partial | run.Script, executor: run.Executor) -> None:
        executor.env_vars.update(self.env)
        if isinstance(task, run.Script):
            task.args.append(f"--profile={self.start}")
            return
        if isinstance(task, run.Partial):
            task.trainer.callbacks.append(run.Config(Nsys, start=self.start))


def local_executor(ntasks: int = 1, **env: str) -> run.LocalExecutor:
    return run.LocalExecutor(
        ntasks_per_node=ntasks, env_vars={"TORCH_NCCL_AVOID_RECORD_STREAMS": "1", **env}
    )


def test_an_executor_is_read_and_changed_as_a_plain_object():
    executor = local_executor()
    executor.env_vars["WANDB_MODE"] = "offline"
    executor.env_vars |= {"A": "1"}
    executor.retries = 2
    executor.launcher = "torchrun"
    copied = executor.clone()
    copied.env_vars["B"] = "2"
    assert "B" not in executor.env_vars
    assert copied.retries == 2
    assert isinstance(executor, run.Executor)
    assert executor.nnodes() == 1
    assert executor.nproc_per_node() == 1
    assert isinstance(executor.get_launcher(), run.Torchrun)


def test_a_recipe_round_trips_through_both_serializers():
    task = run.Partial(
        train, trainer=run.Config(Trainer, callbacks=[run.Config(Nsys, 3)]), out="x: y"
    )
    for serializer in (run.config.YamlSerializer(), run.config.ZlibJSONSerializer()):
        assert serializer.deserialize(serializer.serialize(task)) == task


def test_a_script_turns_into_a_command():
    script = run.Script("train.py", args=["--lr", "3e-4"], entrypoint="python", m=False)
    assert script.to_command(with_entrypoint=True)[-2:] == ["--lr", "3e-4"]
    assert "train.py" in script.to_command()
    module = run.Script("pkg.train", entrypoint="python", m=True)
    assert module.to_command(with_entrypoint=True)[:3] == ["python", "-m", "pkg.train"]


def test_run_with_plugins_edits_the_jobs_copies_only(tmp_path):
    out = tmp_path / "out"
    recipe = run.Partial(train, run.Config(Trainer, max_steps=4), out=str(out))
    executor = local_executor()
    run.run(
        recipe, executor=executor, plugins=[ProfilePlugin(env={"TUNED": "yes"})], name="profiled"
    )
    assert out.read_text() == "4 1 yes"
    assert recipe.trainer.callbacks == []
    assert "TUNED" not in executor.env_vars


def test_a_dry_run_leaves_nothing_behind(tmp_path, home, capsys):
    out = tmp_path / "out"
    recipe = run.Partial(train, run.Config(Trainer), out=str(out))
    run.run(recipe, executor=local_executor(), dryrun=True)
    with run.Experiment("launch", executor=local_executor()) as exp:
        exp.add(run.Script(inline=f"touch {out}"), name="shell")
        exp.dryrun()
    assert not out.exists()
    assert not list(home.glob("experiments/*/*"))
    assert "touch" in capsys.readouterr().out


def exp_job_state(job: Any, exp: run.Experiment) -> str:
    """As launchers of servers ask whether theirs is up."""
    from nemo_run.run.job import AppState, Job, Runner

    assert isinstance(job, Job)
    assert isinstance(exp._runner, Runner)
    state = job.status(exp._runner)
    return next(known for known in AppState if state is known).name


def test_an_experiment_as_launchers_write_it(tmp_path):
    marks = tmp_path / "marks"
    executor = local_executor()
    with run.Experiment("pipeline", log_level="INFO", skip_status_at_exit=True) as exp:
        first = exp.add(
            run.Script(inline=f'echo "prepare $WHO" >> {marks}', env={"WHO": "me"}),
            executor=executor,
            name="prepare",
            tail_logs=False,
        )
        exp.add(
            run.Partial(train, run.Config(Trainer), out=str(tmp_path / "trained")),
            executor=executor,
            name="train",
            dependencies=[first],
            plugins=[ProfilePlugin()],
        )
        exp.run(detach=False, tail_logs=False, sequential=False)
    assert marks.read_text() == "prepare me\n"
    assert (tmp_path / "trained").read_text().startswith("1 1")
    assert {info["name"] for info in exp.status(return_dict=True).values()} >= {"prepare", "train"}
    assert {exp_job_state(job, exp) for job in exp.jobs} == {"SUCCEEDED"}
    assert run.Experiment.from_title("pipeline")._id == exp._id
    assert run.Experiment.from_id(exp._id)._title == "pipeline"


def test_a_programs_own_executor_map(tmp_path, monkeypatch):
    # The old executors file, found in the home folder.
    from nemo_run.config import get_nemorun_home, set_nemorun_home

    set_nemorun_home(str(tmp_path / "elsewhere"))
    os.makedirs(get_nemorun_home())
    with open(os.path.join(get_nemorun_home(), "executors.py"), "w") as file:
        file.write(
            "import nemo_run as run\ndef mine(n=1): return run.LocalExecutor(ntasks_per_node=n)\n"
        )
    assert run.import_executor("mine", n=3).ntasks_per_node == 3


def test_classes_that_come_later_are_said_plainly():
    # A launcher that supports several places asks for classes of each.
    with pytest.raises(ImportError, match=r"DockerExecutor is not in this version"):
        from nemo_run import DockerExecutor  # noqa: F401


def slurm_executor(user: str, host: str, remote_job_dir: str, nodes: int, devices: int, **more):
    """As the launchers of public recipes write it."""
    executor = run.SlurmExecutor(
        account="nemo",
        partition="batch",
        tunnel=run.SSHTunnel(user=user, host=host, job_dir=remote_job_dir),
        nodes=nodes,
        ntasks_per_node=devices,
        gpus_per_node=devices,
        mem="0",
        exclusive=True,
        gres="gpu:8",
        packager=run.GitArchivePackager(subpath="examples/llm/run", ref="HEAD"),
    )
    executor.container_image = "nvcr.io/nvidia/nemo:25.04"
    executor.container_mounts = ["/data:/data", "/models:/models"]
    executor.env_vars = {"NVTE_FUSED_ATTN": "1"}
    executor.retries = 1
    executor.time = "04:00:00"
    executor.launcher = "torchrun"
    executor.srun_args = ["--mpi=pmix"]
    for name, value in more.items():
        setattr(executor, name, value)
    return executor


def test_a_launcher_of_public_recipes_plans_for_slurm(tmp_path, monkeypatch):
    import subprocess

    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples/llm/run").mkdir(parents=True)
    (tmp_path / "examples/llm/run/pretrain.py").write_text("print(1)\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    executor = slurm_executor("ada", "cluster", "/lustre/ada/nemo_run", nodes=2, devices=8)
    with run.Experiment("pretrain") as exp:
        exp.add(
            run.Script("/nemo_run/code/pretrain.py", entrypoint="python"),
            executor=executor,
            name="pretrain",
        )
        text = exp.dryrun(log=False).text()
    for line in (
        "#SBATCH --account=nemo",
        "#SBATCH --exclusive",
        "#SBATCH --gpus-per-node=8",
        "#SBATCH --mem=0",
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --partition=batch",
        "#SBATCH --requeue",
        "#SBATCH --time=04:00:00",
    ):
        assert line in text.splitlines(), line
    assert "--container-image=nvcr.io/nvidia/nemo:25.04" in text
    assert "/lustre/ada/nemo_run/pretrain/" in text
    assert "--nproc-per-node=8" in text
    assert "--mpi=pmix" in text
    assert "/nemo_run/code/pretrain.py" in text


def test_annotations_with_our_names_can_be_evaluated():
    import typing

    def recipe(cfg: run.Config[Trainer], executor: run.Executor, more: Any = None) -> run.Partial:
        return run.Partial(train, cfg)

    hints = typing.get_type_hints(recipe, {**globals()}, {})
    assert typing.get_origin(hints["cfg"]) is run.Config
    assert hints["return"] is run.Partial
