"""What a Resume says, what it refuses, and when it lets a job be submitted again."""

from __future__ import annotations

import json

import pytest

import nemo_run as run
from nemo_run.exceptions import PlanError
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.execution.resume import (
    limit_seconds,
    next_attempt,
    policy_of,
    reason_in,
    signal_option,
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"max_attempts": 0}, "max_attempts is 0; it must be a whole number from 1 up"),
        ({"max_attempts": True}, "max_attempts is True"),
        ({"no_progress": -1}, "no_progress is -1"),
        ({"signal_before": 70000}, "signal_before is 70000; .* from 1 to 65535"),
        ({"on": ("timelimit",)}, "on has 'timelimit'; .*Did you mean 'time limit'"),
        ({"on": "preempted"}, "on has 'preempted'; .*Did you mean 'preemption'"),
        ({"how": "again"}, "how is 'again'; it may be 'requeue' or 'chain'"),
        ({"signal": "KILL"}, "signal is 'KILL'; .* a signal that tasks can answer"),
        ({"signal": "usr1"}, "signal is 'usr1'"),
        ({"max_time": "48"}, "max_time is '48'; .*as in '48:00:00'"),
        ({"max_time": 0}, "max_time is 0"),
        ({"max_time": "0:00:00"}, "more than no time"),
        ({"progress": ""}, "progress or finished is ''"),
        ({"progress": ("a", " ")}, "progress or finished is ' '"),
    ],
)
def test_values_that_mean_nothing_are_refused(fields, said) -> None:
    with pytest.raises(PlanError, match=said):
        run.Resume(**fields)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        (90, 90),
        ("48:00:00", 172800),
        ("10:30", 630),
        ("2-12", 216000),
        ("2-12:30", 217800),
        ("2-12:00:05", 216005),
    ],
)
def test_durations_are_those_of_slurm(text, seconds) -> None:
    assert run.Resume(max_time=text).seconds == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 600), ("1:30", 90), ("1:00:00", 3600), ("1-0", 86400), ("UNLIMITED", None)],
)
def test_limits_are_read_as_slurm_reads_them(text, seconds) -> None:
    assert limit_seconds(text) == seconds


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"resume": "always"}, "resume of SlurmExecutor is 'always'; it must be a run.Resume"),
        ({"resume": run.Resume(), "time": "00:01:00"}, "60 seconds before the time limit"),
        ({"resume": run.Resume(), "signal": "KILL@9"}, "signal of the executor is 'KILL@9'"),
    ],
)
def test_an_executor_whose_policy_cannot_work_is_refused(fields, said) -> None:
    with pytest.raises(PlanError, match=said):
        run.SlurmExecutor(**fields).backend_options({})


def test_a_policy_that_was_changed_later_is_looked_at_again() -> None:
    executor = run.SlurmExecutor(resume=run.Resume())
    executor.resume.max_attempts = 0
    with pytest.raises(PlanError, match="max_attempts is 0"):
        executor.backend_options({})


def test_a_policy_travels_as_plain_data() -> None:
    policy = run.Resume(max_time="48:00:00", on="preemption", progress=("a/*", "b"), how="chain")
    data = json.loads(json.dumps(policy.to_options()))
    again = policy_of(data)
    assert again is not None
    assert again.to_options() == policy.to_options()
    assert again.causes == ("preemption",)
    assert policy_of(None) is None


def test_a_policy_is_a_config_whose_fields_can_be_set() -> None:
    config = run.Resume(max_attempts=3).to_config()
    config.how = "chain"
    assert run.Resume(max_attempts=3, how="chain").to_config() == config


@pytest.mark.parametrize(
    ("executors", "option"),
    [
        (None, "B:USR1@60"),
        ("USR2@120", "B:USR2@120"),
        ("B:SIGUSR2@5", "B:USR2@5"),
        ("TERM", "B:TERM@60"),
        ("RB:10@30", "RB:10@30"),
        ("R:USR1", "RB:USR1@60"),
    ],
)
def test_the_batch_script_gets_the_signal_which_the_executor_or_the_policy_names(
    executors, option
) -> None:
    assert signal_option(executors, run.Resume()).option == option


@pytest.mark.parametrize("executors", ["USR1@0", "KILL@60", "B:", "USR1@x", "9"])
def test_a_signal_that_nobody_can_answer_is_refused(executors) -> None:
    with pytest.raises(PlanError, match="signal of the executor is"):
        signal_option(executors, run.Resume())


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("time limit", Reason.TIME_LIMIT),
        ("preemption, requeued", Reason.PREEMPTED),
        ("resume: all 3 attempts are used, after node failure", Reason.NODE_FAILURE),
        ("train", Reason.NONE),
        ("unknown, requeued", Reason.NONE),
        ("train after time limit", Reason.NONE),
    ],
)
def test_what_interrupted_an_attempt_is_read_from_its_record(by, reason) -> None:
    assert reason_in(by) is reason


def ended(reason: Reason, state: State = State.FAILED, seconds: float = 10, **more) -> Observation:
    return Observation(state, reason, started=100.0, ended=100.0 + seconds, **more)


LIMIT = ended(Reason.TIME_LIMIT)


@pytest.mark.parametrize(
    ("previous", "reason"),
    [
        ([LIMIT], "attempt 2 of at most 3 after time limit"),
        ([LIMIT, ended(Reason.PREEMPTED)], "attempt 3 of at most 3 after preemption"),
        ([ended(Reason.NODE_FAILURE, attempt=2)], "attempt 3 of at most 3 after node failure"),
    ],
)
def test_an_interrupted_job_goes_on(previous, reason) -> None:
    assert next_attempt(run.Resume(max_attempts=3), previous, 200.0) == (True, reason)


@pytest.mark.parametrize(
    ("fields", "previous", "reason"),
    [
        ({}, [], "the job has not ended"),
        ({}, [Observation(State.RUNNING)], "the job has not ended"),
        ({}, [ended(Reason.NONE, State.SUCCEEDED)], "ended SUCCEEDED"),
        ({}, [ended(Reason.CANCELLED, State.CANCELLED)], "ended CANCELLED"),
        ({}, [ended(Reason.EXIT_CODE)], "by exit code, which is no interruption"),
        ({}, [ended(Reason.OUT_OF_MEMORY)], "by out of memory, which is no interruption"),
        ({"on": ("preemption",)}, [LIMIT], "not asked for after time limit"),
        ({}, [LIMIT] * 3, "all 3 attempts are used"),
        ({}, [ended(Reason.TIME_LIMIT, attempt=3)], "all 3 attempts are used"),
        ({"max_time": 20}, [LIMIT] * 2, "all of 0:00:20 is used"),
        (
            {},
            [ended(Reason.TIME_LIMIT, message="resume: no progress in 2 attempts")],
            "no progress",
        ),
    ],
)
def test_a_job_does_not_go_on_when(fields, previous, reason) -> None:
    decision = next_attempt(run.Resume(max_attempts=3, **fields), previous, 200.0)
    assert not decision.again
    assert reason in decision.reason
