"""What the journal adds up to: one truth, however often and in what order it is told."""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events
from nemo_run.management.store.journal import CORRUPT
from nemo_run.management.store.status import ExperimentStatus, combined, replay

FAILED_3 = Observation(State.FAILED, Reason.EXIT_CODE, 3, ended=9.0)
RUNNING = Observation(State.RUNNING, started=5.0)


def journal(*happened: dict) -> list[dict]:
    numbers = count(1)
    return [{"seq": seq, "time": float(seq), **event} for seq, event in zip(numbers, happened)]


def after(*happened: dict, jobs: tuple[str, ...] = ("a", "b")) -> ExperimentStatus:
    return replay(journal(events.experiment_created("t", jobs), *happened))


def attempt(job: str, number: int, *seen: Observation) -> list[dict]:
    return [
        events.job_intent(job, number, f"x/{job}/{number}"),
        events.job_submitted(job, number, f"local://here/{job}/{number}"),
        *(events.job_observed(job, observation) for observation in seen),
    ]


def test_jobs_are_known_from_the_start_in_their_order() -> None:
    status = after(jobs=("z", "a"))
    assert list(status.jobs) == ["z", "a"]
    assert status.state is State.CREATED


def test_a_job_from_intent_to_its_end() -> None:
    happened = [events.experiment_started(), *attempt("a", 1, RUNNING, FAILED_3)]

    states = [after(*happened[: n + 1], jobs=("a",)).jobs["a"] for n in range(len(happened))]

    assert [s.state for s in states] == ["CREATED", "CREATED", "SUBMITTED", "RUNNING", "FAILED"]
    assert [s.unconfirmed for s in states] == [False, True, False, False, False]
    end = states[-1]
    assert (end.attempt, end.handle, end.token) == (1, "local://here/a/1", "x/a/1")
    assert (end.submitted, end.started, end.ended) == (4.0, 5.0, 9.0)
    assert end.describe() == "FAILED (exit code 3)"


def test_an_end_stands_whatever_is_seen_later() -> None:
    for later in (State.RUNNING, State.SUCCEEDED, State.UNKNOWN, State.LOST, State.CANCELLED):
        status = after(*attempt("a", 1, FAILED_3, Observation(later)))
        assert status.jobs["a"].state is State.FAILED, later
        assert status.jobs["a"].exit_code == 3


def test_unknown_is_shown_and_is_no_end() -> None:
    status = after(*attempt("a", 1, RUNNING, Observation(State.UNKNOWN, message="no answer")))
    job = status.jobs["a"]
    assert (job.state, job.message, job.started, job.ended) == (
        State.UNKNOWN,
        "no answer",
        5.0,
        None,
    )
    assert not status.state.terminal


def test_a_new_attempt_starts_afresh_and_the_old_one_is_remembered() -> None:
    status = after(
        *attempt("a", 1, RUNNING, FAILED_3),
        events.job_retried("a", 2, "exit code 3"),
        *attempt("a", 2),
    )
    job = status.jobs["a"]
    assert (job.state, job.attempt, job.exit_code, job.ended) == (State.SUBMITTED, 2, None, None)
    assert [(old.attempt, old.state, old.exit_code) for old in job.previous] == [
        (1, State.FAILED, 3)
    ]


def test_news_of_an_old_attempt_change_nothing() -> None:
    old = Observation(State.FAILED, attempt=1)
    status = after(*attempt("a", 1, RUNNING), *attempt("a", 2), events.job_observed("a", old))
    assert (status.jobs["a"].attempt, status.jobs["a"].state) == (2, State.SUBMITTED)


def test_an_engine_that_starts_a_job_again_makes_a_new_attempt() -> None:
    again = Observation(State.RUNNING, attempt=2)
    status = after(*attempt("a", 1, FAILED_3), events.job_observed("a", again))
    assert (status.jobs["a"].state, status.jobs["a"].attempt) == (State.RUNNING, 2)


def test_an_attempt_that_the_engine_begins_keeps_what_was_submitted() -> None:
    status = after(*attempt("a", 1, RUNNING), events.job_restarted("a", 3, "preempted", 75))
    job = status.jobs["a"]
    assert (job.state, job.attempt, job.submitted_attempt) == (State.PENDING, 3, 1)
    assert (job.token, job.handle, job.submitted) == ("x/a/1", "local://here/a/1", 3.0)
    [before] = job.previous
    assert (before.state, before.reason, before.exit_code) == (State.FAILED, Reason.PREEMPTED, 75)
    assert (before.attempt, before.started, before.ended) == (1, 5.0, 5.0)


def test_the_end_of_an_attempt_is_not_taken_back_by_the_engine() -> None:
    status = after(*attempt("a", 1, FAILED_3), events.job_restarted("a", 2))
    assert status.jobs["a"].observation == FAILED_3


def test_results_that_are_missing_are_so_until_they_are_brought() -> None:
    happened = [*attempt("a", 1, FAILED_3), events.job_unbrought("a", 1, "no route")]
    assert after(*happened).jobs["a"].unbrought == "no route"
    assert after(*happened, events.job_brought("a", 1)).jobs["a"].unbrought == ""
    assert after(*happened, events.job_retried("a", 2)).jobs["a"].unbrought == ""


def test_what_was_handed_over_is_so_until_somebody_has_charge_or_it_ends() -> None:
    left = [
        events.experiment_started(),
        events.conductor_started(1, "h", ""),
        events.conductor_ended("handed over"),
    ]
    assert after(*left).handed_over
    assert not after(*left[:2]).handed_over
    assert not after(*left, events.conductor_started(2, "h", "")).handed_over
    assert not after(*left, events.experiment_ended(State.SUCCEEDED)).handed_over


def test_a_skipped_job_says_why_and_can_be_tried_later() -> None:
    skipped = after(*attempt("a", 1, FAILED_3), events.job_skipped("b", "a FAILED (exit code 3)"))
    assert (skipped.jobs["b"].state, skipped.jobs["b"].reason) == (State.SKIPPED, Reason.DEPENDENCY)
    assert skipped.jobs["b"].message == "a FAILED (exit code 3)"

    tried = after(events.job_skipped("b", "…"), *attempt("b", 1))
    assert tried.jobs["b"].state is State.SUBMITTED


def test_a_request_to_cancel_is_kept_until_somebody_resumes() -> None:
    one = after(*attempt("a", 1), events.job_cancel_requested("a", "me"))
    assert [job.cancel_requested for job in one.jobs.values()] == [True, False]
    assert not one.cancel_requested

    everything = after(events.job_cancel_requested(None), *attempt("a", 2))
    assert everything.cancel_requested
    assert all(job.cancel_requested for job in everything.jobs.values())

    resumed = after(events.job_cancel_requested(None), events.experiment_resumed("me"))
    assert not resumed.cancel_requested
    assert not any(job.cancel_requested for job in resumed.jobs.values())


def test_who_is_in_charge() -> None:
    taken = events.conductor_started(41, "here", "boot/1/5")
    assert after(taken).conductor.pid == 41
    assert after(taken).conductor.ended is None
    left = after(taken, events.conductor_ended("all jobs ended")).conductor
    assert (left.ended, left.why) == (3.0, "all jobs ended")


def test_the_end_of_an_experiment_is_taken_back_by_a_new_attempt() -> None:
    ended = [*attempt("a", 1, FAILED_3), events.experiment_ended(State.FAILED)]
    assert after(*ended).ended is not None
    assert after(*ended, events.job_retried("a", 2)).ended is None


def test_members_of_a_group_come_back() -> None:
    members = (("server", RUNNING), ("client", FAILED_3))
    seen = Observation(State.RUNNING, members=members)
    assert after(*attempt("a", 1, seen)).jobs["a"].members == members


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ("SUCCEEDED SUCCEEDED", "SUCCEEDED"),
        ("SUCCEEDED FAILED", "FAILED"),
        ("SUCCEEDED LOST", "FAILED"),
        ("FAILED CANCELLED", "FAILED"),
        ("SUCCEEDED CANCELLED", "CANCELLED"),
        ("FAILED SKIPPED", "FAILED"),
        ("SUCCEEDED SKIPPED", "SUCCEEDED"),
        ("FAILED RUNNING", "RUNNING"),
        ("FAILED CREATED", "RUNNING"),
        ("PENDING CREATED", "PENDING"),
        ("SUBMITTED PENDING", "PENDING"),
        ("UNKNOWN CREATED", "UNKNOWN"),
        ("CREATED CREATED", "CREATED"),
    ],
)
def test_the_state_of_the_whole(states: str, whole: str) -> None:
    assert combined(State(s) for s in states.split()) == whole


def test_events_of_a_later_version_do_no_harm() -> None:
    status = after(
        {"event": "job.teleported", "job": "a"},
        {"event": "job.observed", "job": "a", "attempt": 1, "state": "TELEPORTED"},
    )
    assert (status.jobs["a"].state, status.jobs["a"].message) == (State.UNKNOWN, "TELEPORTED")


def test_damaged_lines_are_counted_once() -> None:
    damaged = {"event": CORRUPT, "offset": 120, "text": "{"}
    status = replay([damaged], replay([*journal(events.experiment_started()), damaged]))
    assert status.corrupt_lines == (120,)
    assert status.seq == 1


jobs = st.sampled_from(["a", "b"])
attempts = st.integers(1, 3)
observations = st.builds(
    Observation,
    state=st.sampled_from(State),
    reason=st.sampled_from(Reason),
    exit_code=st.none() | st.integers(0, 255),
    attempt=attempts,
    message=st.text(max_size=5),
    ended=st.none() | st.floats(0, 100),
)
happenings = st.one_of(
    st.builds(events.job_intent, jobs, attempts, st.just("token")),
    st.builds(events.job_submitted, jobs, attempts, st.just("handle")),
    st.builds(events.job_observed, jobs, observations),
    st.builds(events.job_observed, jobs, observations),
    st.builds(events.job_skipped, jobs, st.just("because")),
    st.builds(events.job_retried, jobs, attempts),
    st.builds(events.job_restarted, jobs, attempts, st.sampled_from([*map(str, Reason), "later"])),
    st.builds(events.job_unbrought, jobs, attempts, st.just("why")),
    st.builds(events.job_brought, jobs, attempts),
    st.builds(events.job_cancel_requested, st.none() | jobs),
    st.builds(events.experiment_started),
    st.builds(events.experiment_resumed),
    st.builds(events.experiment_ended, st.sampled_from(State)),
    st.builds(events.conductor_started, st.just(1), st.just("h"), st.just("i")),
    st.builds(events.conductor_ended, st.just("why")),
)
journals = st.lists(happenings, max_size=25).map(
    lambda happened: journal(events.experiment_created("t", ["a", "b"]), *happened)
)


@given(told=journals, cut=st.integers(0, 26))
def test_reading_on_gives_what_reading_all_gives(told: list[dict], cut: int) -> None:
    assert replay(told[cut:], replay(told[:cut])) == replay(told)


@given(told=journals, seed=st.integers(), overlap=st.integers(0, 26))
def test_repeated_and_shuffled_events_give_one_truth(
    told: list[dict], seed: int, overlap: int
) -> None:
    twice = [*told, *told[:overlap]]
    random.Random(seed).shuffle(twice)
    assert replay(twice) == replay(told)
    assert replay(told[:overlap], replay(told)) == replay(told)


@given(told=journals)
def test_an_ended_attempt_never_changes_its_end(told: list[dict]) -> None:
    ends: dict[tuple[str, int], State] = {}
    for n in range(len(told)):
        for job in replay(told[: n + 1]).jobs.values():
            if job.state.terminal and job.attempt:
                assert ends.setdefault((job.id, job.attempt), job.state) is job.state


@given(
    told=st.lists(
        st.fixed_dictionaries(
            {"event": st.sampled_from([v for k, v in vars(events).items() if k.isupper()])},
            optional={
                key: st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3)
                for key in ("job", "attempt", "state", "handle", "members", "exit_code", "pid")
            },
        ),
        max_size=10,
    )
)
def test_events_with_missing_or_strange_fields_never_stop_a_reader(told: list[dict]) -> None:
    status = replay(journal(events.experiment_created("t", ["a"]), *told))
    assert "a" in status.jobs


@given(seen=observations)
def test_an_observation_survives_the_journal(seen: Observation) -> None:
    grouped = Observation(State.RUNNING, attempt=2, members=(("one", seen), ("two", seen)))
    assert events.observation(events.job_observed("a", grouped)) == grouped


def test_an_attempt_that_was_asked_to_end_goes_on_ending_when_the_rest_is_resumed() -> None:
    told = [
        {"event": "experiment.created", "jobs": ["a", "b"]},
        {"event": "job.intent", "job": "a", "attempt": 1, "token": "e/a/1"},
        {"event": "job.submitted", "job": "a", "attempt": 1, "handle": "local://h/a"},
        {"event": "job.cancel_requested", "job": None, "by": "x"},
        {"event": "experiment.resumed", "by": "x"},
    ]
    events = [{"seq": n, "time": float(n), **event} for n, event in enumerate(told, 1)]
    jobs = replay(events).jobs
    assert (jobs["a"].cancel_requested, jobs["b"].cancel_requested) == (True, False)
