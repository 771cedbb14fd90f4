"""SlurmExecutor: its fields, what sbatch is told of them, and what is refused."""

from __future__ import annotations

import dataclasses

import pytest
from slurm_specs import Part, executor, far, heterogeneous, one, planned, shell

import nemo_run as run
from nemo_run.exceptions import PlanError
from nemo_run.execution.jobspec import ArrayPlace
from nemo_run.execution.slurm.details import SlurmJobDetails
from nemo_run.execution.slurm.heterogeneous import ResourceRequest, group_indices
from nemo_run.execution.slurm.interactive import allocation, program
from nemo_run.execution.slurm.render import render
from nemo_run.execution.slurm.request import SlurmBatchRequest, get_packaging_job_key

# The reference's fields and defaults.
DEFAULTS = {
    "partition": None, "job_name_prefix": None, "time": "00:10:00", "nodes": 1,
    "ntasks_per_node": 1, "cpus_per_task": None, "cpus_per_gpu": None, "gpus_per_node": None,
    "gpus_per_task": None, "qos": None, "mem": None, "mem_per_gpu": None, "mem_per_cpu": None,
    "comment": None, "constraint": None, "exclude": None, "gres": None, "signal": None,
    "exclusive": None, "array": None, "open_mode": "append", "container_image": None,
    "container_mounts": [], "container_env": None, "additional_parameters": None,
    "srun_args": None, "heterogeneous": False, "memory_measure": False, "dependencies": [],
    "dependency_type": "afterok", "torchrun_nproc_per_node": None, "wait_time_for_group_job": 30,
    "monitor_group_job": True, "monitor_group_job_wait_time": 60, "setup_lines": None,
    "het_group_indices": None, "segment": None, "network": None, "ray_template": "ray.sub.j2",
    "poll_estimated_start_time": True, "job_name": "nemo-job", "stderr_to_stdout": True,
    "resource_group": [], "run_as_group": False, "env_vars": {}, "retries": 0, "launcher": None,
}  # fmt: skip


def options(spec) -> list[str]:
    """What the #SBATCH lines of a job say."""
    lines = render(spec)[0].content.decode().splitlines()
    return [line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")]


def test_the_fields_are_those_of_the_reference() -> None:
    made = run.SlurmExecutor(account="acct")
    assert {name: getattr(made, name) for name in DEFAULTS} == DEFAULTS
    assert made.account == "acct"
    assert made.tunnel == run.LocalTunnel(job_dir="")
    assert isinstance(made.packager, run.GitArchivePackager)
    assert made.job_details == SlurmJobDetails()
    assert run.SlurmExecutor(wait_time_for_group_job=-1).wait_time_for_group_job == 0


def test_it_is_a_configuration_like_others() -> None:
    config = run.Config(run.SlurmExecutor, account="a", nodes=2, tunnel=run.LocalTunnel())
    made = executor(account="a", srun_args=["--mpi=pmix"], job_details=SlurmJobDetails(folder="/x"))
    assert config.clone() == config
    assert made.clone() == made
    assert made.to_config().account == "a"


def test_without_a_tunnel_it_is_this_machine() -> None:
    made = run.SlurmExecutor(tunnel=None)
    assert isinstance(made.tunnel, run.LocalTunnel)
    made.tunnel = None
    assert made.info() == "SlurmExecutor on localhost"
    assert far().info() == "SlurmExecutor on me@login"


def test_a_misspelt_field_is_refused_with_the_nearest(error_snapshot) -> None:
    with pytest.raises(TypeError) as caught:
        run.SlurmExecutor(ntask_per_node=8)  # type: ignore[call-arg]
    error_snapshot("slurm: misspelt field", str(caught.value))


@pytest.mark.parametrize(
    ("case", "fields"),
    [
        ("odd time", {"time": "10000:00:00:00"}),
        ("time as a number", {"time": 90}),
        ("negative nodes", {"nodes": -1}),
        ("nodes as text", {"nodes": "2"}),
        ("odd memory", {"mem": "80 GiB"}),
        ("two lines", {"comment": "a\nb"}),
        ("mount without a target", {"container_image": "x", "container_mounts": ["/a:b"]}),
        ("mount with a comma", {"container_image": "x", "container_mounts": ["/a,b:/c"]}),
        ("mount without a container", {"container_mounts": ["/a:/a"]}),
        ("mounts as one text", {"container_image": "x", "container_mounts": "/a:/a"}),
        ("srun_args as one text", {"srun_args": "--mpi=pmix"}),
        ("odd option", {"additional_parameters": {"a b": 1}}),
        ("option with a list", {"additional_parameters": {"exclude": ["n1", "n2"]}}),
        ("parameters no dict", {"additional_parameters": ["--nice"]}),
        ("dependency type", {"dependency_type": "afterOk"}),
        ("gpus_via", {"gpus_via": "gpus_per_node"}),
        ("exclusive", {"exclusive": 1}),
        ("account no text", {"account": 7}),
        ("None in the environment", {"env_vars": {"HF_TOKEN": None}}),
        ("relative folder", {"tunnel": run.SSHTunnel(job_dir="runs", host="h", user="me")}),
        ("odd folder", {"tunnel": run.SSHTunnel(job_dir="/a\\b", host="h", user="me")}),
        ("no folder", {"tunnel": run.SSHTunnel(job_dir="", host="h", user="me")}),
    ],
)
def test_what_slurm_would_not_understand_is_refused(case, fields, error_snapshot) -> None:
    with pytest.raises(PlanError) as caught:
        one(**fields)
    error_snapshot(f"slurm: {case}", str(caught.value))


def test_an_array_of_ones_own_is_refused_in_a_sweep(error_snapshot) -> None:
    spec = planned([Part(shell(), executor(array="0-3"))], array=ArrayPlace("lr", 0, 3))
    with pytest.raises(PlanError) as caught:
        render(spec)
    error_snapshot("slurm: array in a sweep", str(caught.value))


def test_options_are_sorted_and_quoted() -> None:
    found = options(
        one(
            account="acct", mem="80G", exclusive=True, segment=4, comment="it's \"fine\" \\o/",
            additional_parameters={
                "mail_user": "me@x", "no-kill": True, "hold": False, "hint": None, "nice": 10,
                "account": "other",
            },
        )
    )  # fmt: skip
    assert found == sorted(found, key=lambda line: line.removeprefix("--").split("=")[0])
    for line in (
        "--account=other", "--mem=80G", "--exclusive", "--segment=4", "--mail-user=me@x",
        "--no-kill", "--nice=10", "--comment='it'\\''s \"fine\" \\\\o/'", "--no-requeue",
    ):  # fmt: skip
        assert line in found
    assert not [line for line in found if "hold" in line or "hint" in line or "None" in line]


@pytest.mark.parametrize(("prefix", "name"), [(None, "train"), ("", "train"), ("p-", "p-train")])
def test_the_prefix_is_the_same_everywhere(prefix: str | None, name: str) -> None:
    assert f"--job-name={name}" in options(one(job_name_prefix=prefix))
    words = program(executor(job_name_prefix=prefix), "hostname", job_name="train")
    assert f"--job-name={name}" in words
    assert f"--job-name={name}" in allocation(executor(job_name_prefix=prefix), "train")
    whole = heterogeneous(job_name_prefix=prefix)
    assert f"--job-name={name.replace('train', 'group')}" in options(whole)


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"gpus_per_node": 8}, ["--gpus-per-node=8"]),
        ({"gres": "gpu:4"}, ["--gres=gpu:4"]),
        ({"gpus_per_node": 8, "gpus_via": "gres"}, ["--gres=gpu:8"]),
        ({"gpus_per_node": 8, "gpus_via": "gres", "gres": "nvme:1"}, ["--gres=nvme:1,gpu:8"]),
        ({"gpus_per_node": 8, "gpus_via": "none"}, []),
        ({"gpus_per_node": 8, "gpus_via": "gpus-per-task", "ntasks_per_node": 4},
         ["--gpus-per-task=2"]),
        ({"gpus_per_task": 1, "ntasks_per_node": 4, "gpus_via": "gpus-per-node"},
         ["--gpus-per-node=4"]),
        ({}, []),
    ],
)  # fmt: skip
def test_gpus_are_asked_for_as_the_site_wants(fields, asked) -> None:
    found = options(one(**fields))
    assert [line for line in found if "gpu" in line or "gres" in line] == asked


@pytest.mark.parametrize(
    ("fields", "tasks", "ranks"),
    [
        ({"ntasks_per_node": 8}, 8, 1),
        ({"ntasks_per_node": 8, "launcher": "torchrun"}, 1, 8),
        ({"gpus_per_node": 8, "launcher": "torchrun"}, 1, 8),
        ({"gpus_per_task": 4, "launcher": "torchrun"}, 1, 4),
        ({"torchrun_nproc_per_node": 2, "gpus_per_node": 8, "launcher": "torchrun"}, 1, 2),
        ({"gpus_per_node": 8}, 1, 1),
    ],
)
def test_a_launcher_starts_the_ranks_of_a_node(fields, tasks: int, ranks: int) -> None:
    (member,) = planned([Part(shell(), far(**fields))]).members
    assert (member.processes_per_node, member.ranks_per_process) == (tasks, ranks)


def test_one_process_of_a_launcher_gets_what_its_ranks_would() -> None:
    found = options(planned([Part(shell(), far(ntasks_per_node=4, cpus_per_task=6, gpus_per_task=1,
                                               launcher="torchrun"))]))  # fmt: skip
    assert {"--ntasks-per-node=1", "--cpus-per-task=24", "--gpus-per-task=4"} <= {*found}


def test_nodes_of_torchrun_meet_at_a_free_port_with_an_id_for_each_attempt() -> None:
    spec = planned([Part(shell(), far(nodes=2, launcher="torchrun"))])
    step = render(spec)[1].content.decode()
    assert '--rdzv-endpoint="${MASTER_ADDR}":"${MASTER_PORT}"' in step
    assert '-"${NEMORUN_ATTEMPT}" --nnodes=2' in step
    assert '--node-rank="${SLURM_NODEID}"' in step
    fixed = planned([Part(shell(), far(nodes=2, launcher=run.Torchrun(rdzv_port=4321)))])
    assert '--rdzv-endpoint="${MASTER_ADDR}":4321' in render(fixed)[1].content.decode()
    alone = planned([Part(shell(), far(launcher="torchrun"))])
    assert "--rdzv-endpoint=localhost:0" in render(alone)[1].content.decode()
    other = planned([Part(shell(), far(nodes=2, launcher="torchrun"))], job="other")
    ids = [[w for w in s.members[0].command if w.startswith("--rdzv-id")] for s in (spec, other)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    ("indices", "groups"), [(None, [0, 1, 2]), ([0, 0, 1], [0, 0, 1]), ([0, 0, 0], [0, 0, 0])]
)
def test_indices_of_components_count_up_from_0(indices, groups) -> None:
    assert group_indices(indices, 3) == groups


@pytest.mark.parametrize("indices", [[0, 1], [1, 0, 0], [0, 2, 2], [1, 1, 2], [0, 1, 0], []])
def test_other_indices_are_refused(indices, error_snapshot) -> None:
    with pytest.raises(PlanError) as caught:
        group_indices(indices, 3)
    error_snapshot(f"slurm: het_group_indices {indices}", str(caught.value))


def test_executors_are_merged_into_requests() -> None:
    first = executor(nodes=2, container_image="a", heterogeneous=True)
    second = executor(srun_args=["--x"], container_image="b", env_vars={"A": "1"})
    whole = run.SlurmExecutor.merge([first, second], num_tasks=2)
    assert whole.run_as_group
    assert [one.nodes for one in whole.resource_group] == [2, 1]
    assert [one.het_group_index for one in whole.resource_group] == [0, 1]
    assert isinstance(whole.resource_group[0], run.SlurmExecutor.ResourceRequest)
    assert run.SlurmExecutor.ResourceRequest is ResourceRequest
    assert first.resource_group == []
    shared = run.SlurmExecutor.merge([second], num_tasks=3)
    assert [one.srun_args for one in shared.resource_group] == [["--x"]] * 3
    with pytest.raises(PlanError, match="3 tasks has 2 executors"):
        run.SlurmExecutor.merge([first, second], num_tasks=3)


def test_a_group_is_in_containers_or_not() -> None:
    parts = [Part(shell(), executor(container_image="x"), "a"), Part(shell(), executor(), "b")]
    with pytest.raises(PlanError, match="some have none"):
        planned(parts)


def test_where_a_job_lies() -> None:
    here = run.SlurmExecutor(packager=run.Packager())
    target = here.target("/rec/t/id", "t", "id", "train")
    assert (target.directory, target.inside) == ("/rec/t/id/jobs/train", "/rec/t/id/jobs/train")
    assert target.here
    assert not target.in_code
    there = far(container_image="x", python="/opt/python").target("/rec/t/id", "t", "id", "train")
    assert (there.directory, there.inside) == ("/lustre/me/t/id/jobs/train", "/nemo_run")
    assert (there.store, there.python) == ("/lustre/me/.nemo_run", "/opt/python")
    assert not there.here
    assert far().target("/rec/t/id", "t", "id", "train").python == "python3"


def test_an_empty_image_is_none() -> None:
    spec = planned([Part(shell("cat /nemo_run/x"), far(container_image=""))])
    assert not spec.inside
    assert "container" not in render(spec)[0].content.decode()


def test_jobs_that_come_first_are_named_by_id_or_handle(error_snapshot) -> None:
    named = ["4242", "slurm://me@login/17#/lustre/x", "slurm_tunnel://nemo_run/8"]
    assert executor(dependencies=named).parse_deps() == ["4242", "17", "8"]
    with pytest.raises(PlanError) as caught:
        executor(dependencies=["train"]).parse_deps()
    error_snapshot("slurm: dependency that is none", str(caught.value))


def test_names_of_logs_are_taken_from_the_details() -> None:
    details = SlurmJobDetails(job_name="mine", folder="/logs", ray_log_prefix="r-")
    assert details.stdout == "/logs/sbatch_mine_%j.out"
    assert details.srun_stdout == "/logs/log-mine_%j_${SLURM_RESTART_COUNT:-0}.out"
    assert details.ls_term == "/logs/log*"
    found = options(one(job_details=details, stderr_to_stdout=False, job_name_prefix="p-"))
    assert "--output=/logs/sbatch_mine_%j.out" in found
    assert "--error=/logs/sbatch_mine_%j.err" in found
    assert "--job-name=p-mine" in found
    assert dataclasses.replace(details) == details


def test_commands_at_the_terminal() -> None:
    given = executor(account="a", container_image="x", container_mounts=["/a:/b"],
                     env_vars={"A": "1"}, additional_parameters={"reservation": "r"})  # fmt: skip
    words = program(given, "echo $A", job_name="i", flags=["--pty"], more={"mpi": "none"})
    assert words[0] == "srun"
    assert words[-4:] == ["A=1", "bash", "-c", "echo $A"]
    assert {"--account=a", "--container-image=x", "--mpi=none", "--reservation=r"} <= {*words}
    assert allocation(given, "i")[0] == "salloc"
    with pytest.raises(NotImplementedError, match="come later"):
        given.launch_devspace(None)


def test_a_batch_script_without_an_experiment() -> None:
    request = SlurmBatchRequest(
        launch_cmd=["sbatch"], jobs=["train"], command_groups=[["python", "a b.py"]],
        executor=executor(account="acct", setup_lines="module load x"), max_retries=0,
        extra_env={"A": "1"},
    )  # fmt: skip
    text = request.materialize()
    assert text == request.materialize()
    assert "#SBATCH --account=acct" in text
    assert "module load x" in text
    assert "step-train.sh" in text
    assert get_packaging_job_key("exp_1", "train") == "exp_1:train"


def test_a_template_writes_the_command_anew(error_snapshot) -> None:
    inline = "start\n{{ command }} --more {{ n }}\n"
    template = run.SlurmTemplate(template_inline=inline, template_vars={"n": 3})
    task = run.Script("/bin/echo", entrypoint="sh", args=["it's"])
    spec = planned([Part(task, executor(launcher=template))])
    (text,) = [t for name, t in spec.members[0].files.items() if name.startswith("scripts/")]
    assert text == "#!/usr/bin/env bash\nstart\nsh /bin/echo 'it'\\''s' --more 3\n"
    assert spec.members[0].command[0] == "bash"
    for case, wrong in {
        "slurm: template with an unknown name": "{{ comand }}",
        "slurm: template that is wrong": "a\n{% if %}",
    }.items():
        with pytest.raises(PlanError) as caught:
            one(launcher=run.SlurmTemplate(template_inline=wrong))
        error_snapshot(case, str(caught.value))
    with pytest.raises(PlanError, match="template_inline or template_path"):
        run.SlurmTemplate()
