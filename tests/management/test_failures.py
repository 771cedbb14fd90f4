"""A failed job says what kind of end that was, whose it was first, and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

import nemo_run as run
from nemo_run.exceptions import ConfigError, JobFailedError
from nemo_run.execution.observation import Reason
from nemo_run.management import failures, store
from nemo_run.management.failures import signatures
from nemo_run.management.failures.evidence import Evidence, last_traceback


def failed(task, executor=None, name="train"):
    """Run a task that fails; return what is found, and the error's text."""
    with pytest.raises(JobFailedError) as caught, run.Experiment("failing") as exp:
        exp.add(task, executor or run.LocalExecutor(), name=name)
        exp.run()
    record = store.find(exp.id)
    return failures.of(record, record.status().jobs[name]), str(caught.value)


def kind(text="", **seen):
    shipped = signatures.shipped()
    return next((one.name for one in shipped if one.fits(Evidence(text=text, **seen))), "")


# Texts as programs write them; where they come from stands beside those of other projects.
SAID = {
    # PyTorch 2.6
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total "
    "capacity of 79.14 GiB of which 3.75 MiB is free.": "GPU out of memory",
    "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`":
        "GPU out of memory",
    "RuntimeError: CUDA error: device-side assert triggered\nCUDA kernel errors might be "
    "asynchronously reported at some other API call": "CUDA error",
    "RuntimeError: CUDA error: invalid device ordinal": "GPU that is not there",
    "RuntimeError: CUDA error: uncorrectable ECC error encountered": "GPU hardware",
    "RuntimeError: Found no NVIDIA driver on your system.": "CUDA driver",
    "[rank1]:[E1023 10:00:01 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught collective "
    "operation timeout: WorkNCCL(SeqNum=3, OpType=ALLREDUCE, Timeout(ms)=600000) ran for 600027 "
    "milliseconds before timing out.": "NCCL time-out",
    "torch.distributed.DistBackendError: NCCL error in: ../ProcessGroupNCCL.cpp:1970, unhandled "
    "system error, NCCL version 2.20.5\nncclSystemError: System call (e.g. socket, malloc) or "
    "external library call failed": "NCCL error",
    "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer "
    "[127.0.0.1]:21405": "peer gone",
    "torch.distributed.elastic.rendezvous.api.RendezvousTimeoutError": "rendezvous time-out",
    "torch.distributed.DistNetworkError: The client socket has timed out after 60000ms while "
    "trying to connect to (node1, 29500).": "rendezvous time-out",
    "torch.distributed.DistNetworkError: The server socket has failed to listen on any local "
    "network address. port: 29500, useIpv6: false, code: -98, name: EADDRINUSE, message: address "
    "already in use": "port in use",
    "OSError: [Errno 122] Disk quota exceeded: 'checkpoint.pt'": "disk quota",
    "OSError: [Errno 28] No space left on device": "disk full",
    "RuntimeError: DataLoader worker (pid 77) is killed by signal: Bus error. It is possible that "
    "dataloader's workers are out of shared memory.": "shared memory",
    "RuntimeError: DataLoader worker (pid 77) is killed by signal: Killed.": "out of memory",
    "slurmstepd: error: Detected 1 oom_kill event in StepId=12.0. Some of the step tasks have been "
    "OOM Killed.": "out of memory",
    "ModuleNotFoundError: No module named 'apex'": "import error",
    "OSError: libcudart.so.12: cannot open shared object file: No such file or directory":
        "system library",
    "huggingface_hub.errors.HfHubHTTPError: 401 Client Error: Unauthorized for url: "
    "https://huggingface.co/api/models/x": "hub access",
    "socket.gaierror: [Errno -3] Temporary failure in name resolution": "no network",
    "OSError: [Errno 24] Too many open files": "too many open files",
    "pyxis: failed to import docker image": "container image",
    "epoch 3: loss 0.1, saved to checkpoint.pt": "",
}  # fmt: skip


@pytest.mark.parametrize(("text", "name"), SAID.items(), ids=range(len(SAID)))
def test_what_programs_say_is_known(text, name):
    assert kind(text) == name


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        ({"reason": "time limit"}, "time limit"),
        ({"reason": "node failure"}, "node failure"),
        ({"reason": "preempted"}, "preemption"),
        ({"exit_code": 139}, "crash"),
        ({"exit_code": 137}, "killed"),
        ({"exit_code": 127}, "no such program"),
        ({"exit_code": 1}, ""),
        ({"exception": "MemoryError", "full_exception": "builtins.MemoryError"}, "out of memory"),
        ({"exception": "OSError", "full_exception": "builtins.OSError"}, ""),
        # The exit code is Python's own answer to the exception.
        ({"exception": "SystemExit", "exit_code": 127}, ""),
    ],
)
def test_reasons_codes_and_exceptions_are_known(seen, name):
    assert kind(**seen) == name


def test_every_signature_says_what_happened_and_what_to_do():
    for one in signatures.shipped():
        assert one.do, one.name
        assert not one.says.endswith("."), one.name
        assert set(one.reasons) <= {str(reason) for reason in Reason}


def import_what_is_missing():
    import no_such_module_anywhere  # noqa: F401


def test_an_import_error_is_named_and_answered():
    found, text = failed(run.Partial(import_what_is_missing))
    assert found.name == "import error"
    assert "no_such_module_anywhere" in found.traceback
    assert "import error: its Python cannot import a module" in text
    assert text.index("import error") < text.index("Traceback")


def one_of_four_fails():
    rank = int(os.environ["RANK"])
    if rank == 2:
        time.sleep(1)
        raise ValueError("the label 1001 is out of range")
    if rank == 0:
        raise RuntimeError("Watchdog caught collective operation timeout: WorkNCCL(SeqNum=3)")
    time.sleep(30)


def test_the_first_failing_rank_comes_before_the_echoes_of_the_others():
    found, text = failed(run.Partial(one_of_four_fails), run.LocalExecutor(ntasks_per_node=4))
    if found.others:  # rank 2 was not stopped before it failed
        assert (found.rank, found.name) == (2, "")
        assert "the label 1001" in found.traceback
        assert "rank 2 failed first" in text


def echo_then_cause(cause_first):
    rank = int(os.environ["RANK"])
    if (rank == 1) != cause_first:
        time.sleep(0.3)
    if rank == 1:
        raise ValueError("the label 1001 is out of range")
    raise ConnectionResetError("Connection reset by peer")


@pytest.mark.parametrize("cause_first", [True, False])
def test_an_echo_that_comes_first_is_no_cause(home_record, cause_first):
    record, job = home_record(
        {
            0: (
                "ConnectionResetError",
                "builtins",
                "Connection reset by peer",
                2 if cause_first else 1,
            ),
            1: (
                "ValueError",
                "builtins",
                "the label 1001 is out of range",
                1 if cause_first else 2,
            ),
        }
    )
    found = failures.of(record, job)
    assert (found.rank, found.others, found.name) == (1, 1, "")
    assert found.lines() == ["rank 1 failed first; 1 other rank followed"]


@pytest.fixture
def home_record():
    """Make a job of several ranks that failed, and what its worker would have left."""
    import json

    def make(errors):
        with pytest.raises(JobFailedError), run.Experiment("ranks") as exp:
            exp.add(run.Script(inline="exit 1"), run.LocalExecutor(ntasks_per_node=2), name="train")
            exp.run()
        record = store.find(exp.id)
        for rank, (type_, module, message, when) in errors.items():
            text = f"Traceback (most recent call last):\n  …\n{type_}: {message}"
            document = {"type": type_, "module": module, "message": message, "traceback": text}
            file = record.path / "jobs/train/attempts/1" / f"error.{rank}.json"
            file.write_text(json.dumps({**document, "rank": rank, "time": when}))
        return record, record.status().jobs["train"]

    return make


CHILD = "import sys; print('working'); raise MemoryError('no more')"


def calls_a_program():
    subprocess.run([sys.executable, "-c", CHILD], check=True)


def test_the_cause_lies_in_the_program_that_was_called():
    found, text = failed(run.Partial(calls_a_program))
    assert found.name == "out of memory"
    assert found.traceback.splitlines()[-1] == "MemoryError: no more"
    assert "MemoryError: no more" in text


SCRIPT = """
import os, sys, time
print("step 1")
rank = os.environ["RANK"]
if rank == "1":
    raise OSError(122, "Disk quota exceeded")
time.sleep(0.5)
raise ConnectionResetError("Connection reset by peer")
"""


def test_the_logs_of_scripts_are_read(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(SCRIPT)
    task = run.Script(path=str(program), entrypoint=sys.executable)
    found, text = failed(task, run.LocalExecutor(ntasks_per_node=2))
    assert (found.name, found.rank) == ("disk quota", 1)
    assert "disk quota: you have used up your disk quota" in text
    assert found.traceback.splitlines()[-1] == "OSError: [Errno 122] Disk quota exceeded"


def test_the_traceback_of_a_rank_whose_output_was_not_shown_is_told(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(SCRIPT)
    task = run.Script(path=str(program), entrypoint=sys.executable)
    with pytest.raises(JobFailedError) as caught:
        run.run(task, run.LocalExecutor(ntasks_per_node=2), name="shown", tail_logs=True)
    assert "OSError: [Errno 122] Disk quota exceeded" in str(caught.value)


ROOT_CAUSE = """
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Failures:
[1]:
  time      : 2026-11-23_10:00:01
  host      : node1
  rank      : 0 (local_rank: 0)
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-23_10:00:00
  host      : node1
  rank      : 1 (local_rank: 1)
  exitcode  : 1 (pid: 20)
============================================================
"""


def test_torchrun_tells_who_was_first(home_record):
    record, job = home_record(
        {1: ("KeyError", "builtins", "'a'", 9), 2: ("KeyError", "builtins", "'b'", 1)}
    )
    (record.path / "jobs/train/logs/1/rank-0.log").write_text(ROOT_CAUSE)
    assert failures.of(record, job).rank == 1


def test_a_killed_script_is_told_of():
    found, text = failed(run.Script(inline="echo working; kill -9 $$"))
    assert found.name == "killed"
    assert "- look at the memory it used" in text


def test_an_unknown_failure_of_one_process_needs_no_finding():
    found, text = failed(run.Script(inline="echo odd; exit 3"))
    assert found is None
    assert "odd" in text


def test_users_add_signatures(monkeypatch, tmp_path):
    store.layout.home().mkdir(exist_ok=True)
    (store.layout.home() / "signatures.toml").write_text(
        '[[signature]]\nname = "odd"\npatterns = ["od+"]\nsays = "it was odd"\ndo = ["be even"]\n'
    )
    found, text = failed(run.Script(inline="echo odd; exit 3"))
    assert (found.name, found.do) == ("odd", ("be even",))
    assert "odd: it was odd\n    - be even" in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[signature]]\nname = 'x'\nsays = 'y'\npatern = ['z']", "Did you mean 'patterns'?"),
        ("[[signature]]\nname = 'x'", "there is no 'says'"),
        ("[[signature]]\nname = 'x'\nsays = 3", "'says' is 3; it must be a text"),
        ("[[signature]]\nname = 'x'\nsays = 'y'\npatterns = ['(']", "the pattern '(' is none"),
        ("[[signature]]\nname = 'x'\nsays = 'y'\nreasons = ['oom']", "'oom' is no reason"),
        ("[[signature]]\nname = 'x'\nsays = 'y'\nexit_codes = ['1']", "must be a list of numbers"),
        ("signature = 3", "no list [[signature]]"),
        ("no toml", "cannot be read"),
    ],
)
def test_a_wrong_file_is_said_and_harms_nothing(tmp_path, monkeypatch, text, told):
    file = tmp_path / "more.toml"
    good = '[[signature]]\nname = "good"\nsays = "it is good"\n'
    file.write_text(good + text if text.startswith("[[") else text)
    try:
        good, (said,) = signatures.read(file)
        assert [one.name for one in good] == ["good"]
    except ConfigError as error:
        said = str(error)
    assert told in said
    monkeypatch.setenv("NEMORUN_SIGNATURES", f"{file}{os.pathsep}{tmp_path}/none.toml")
    found, shown = failed(run.Script(inline="exit 3"))
    assert len(found.warnings) == 2
    assert "none.toml, which is not there" in shown


def test_the_last_traceback_of_a_text():
    text = (
        'noise\nTraceback (most recent call last):\n  File "a"\n    x\nKeyError: 1\n\n'
        "During handling of the above exception, another exception occurred:\n\n"
        'Traceback (most recent call last):\n  File "b"\n\n    y\nValueError: 2\nmore noise\n'
    )
    found = last_traceback(text).splitlines()
    assert (found[0], found[3], found[-1]) == (text.splitlines()[1], "KeyError: 1", "ValueError: 2")
    assert last_traceback("nothing\n") == ""
    assert (
        last_traceback("Traceback (most recent call last):") == "Traceback (most recent call last):"
    )
