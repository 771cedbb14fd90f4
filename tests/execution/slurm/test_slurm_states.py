"""What squeue, sacct and a job's own record say, as a table of real outputs."""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.execution.slurm import agent, states
from nemo_run.execution.slurm.handles import Place, handle_of, job_id, place_of
from nemo_run.execution.slurm.states import Ended, Record

NOW = 1_795_400_000.0
_START, _END = "2026-11-22T21:23:48", "2026-11-22T21:23:50"


def _queue(*lines: str) -> list[states.Row]:
    """Rows as the agent cuts them: id, state, reason, restarts, status, start, end."""
    return [states.row(line.split("|")) for line in lines]


def _accounts(*lines: str) -> list[states.Account]:
    return [states.account(line.split("|")) for line in lines]


def _seen(
    queue: list[states.Row], accounts: list[states.Account] | None = None, **more: object
) -> Observation:
    record = more.pop("record", None)
    values = {"attempt": 1, "now": NOW, **more}
    return states.observe(queue, accounts or [], record, **values)  # type: ignore[arg-type]


# What squeue says of a job that is there.


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("PENDING", State.PENDING),
        ("CONFIGURING", State.PENDING),
        ("REQUEUED", State.PENDING),
        ("REQUEUE_HOLD", State.PENDING),
        ("REQUEUE_FED", State.PENDING),
        ("RESV_DEL_HOLD", State.PENDING),
        ("SPECIAL_EXIT", State.PENDING),
        ("SUSPENDED", State.PENDING),
        ("STOPPED", State.PENDING),
        ("RUNNING", State.RUNNING),
        ("COMPLETING", State.RUNNING),
        ("SIGNALING", State.RUNNING),
        ("STAGE_OUT", State.RUNNING),
        ("RESIZING", State.RUNNING),
        ("REVOKED", State.UNKNOWN),
        ("EXPEDITING", State.UNKNOWN),
    ],
)
def test_states_that_are_no_end(word: str, state: State) -> None:
    seen = _seen(_queue(f"42|{word}|None|0|0|{_START}|N/A"))
    assert seen.state is state
    assert not seen.state.terminal


@pytest.mark.parametrize(
    ("word", "status", "state", "reason", "code"),
    [
        ("COMPLETED", 0, State.SUCCEEDED, Reason.NONE, 0),
        ("FAILED", 7 << 8, State.FAILED, Reason.EXIT_CODE, 7),
        ("FAILED", 9, State.FAILED, Reason.SIGNAL, 137),
        ("TIMEOUT", 0, State.FAILED, Reason.TIME_LIMIT, None),
        ("DEADLINE", 0, State.FAILED, Reason.TIME_LIMIT, None),
        ("OUT_OF_MEMORY", 0x7D, State.FAILED, Reason.OUT_OF_MEMORY, None),
        ("NODE_FAIL", 1, State.FAILED, Reason.NODE_FAILURE, None),
        ("BOOT_FAIL", 0, State.FAILED, Reason.NODE_FAILURE, None),
        ("PREEMPTED", 15, State.FAILED, Reason.PREEMPTED, 143),
        ("LAUNCH_FAILED", 0, State.FAILED, Reason.START, None),
        ("CANCELLED", 0, State.CANCELLED, Reason.CANCELLED, None),
    ],
)
def test_states_that_are_an_end(
    word: str, status: int, state: State, reason: Reason, code: int | None
) -> None:
    seen = _seen(_queue(f"42|{word}|None|0|{status}|{_START}|{_END}"))
    assert (seen.state, seen.reason, seen.exit_code) == (state, reason, code)
    assert (seen.started, seen.ended) == (1795382628.0, 1795382630.0)


@pytest.mark.parametrize(
    ("line", "state", "reason", "code", "message"),
    [
        ("1|FAILED|7:0|S|E|None", State.FAILED, Reason.EXIT_CODE, 7, "exit code 7"),
        ("1|FAILED|0:9|S|E|None", State.FAILED, Reason.SIGNAL, 137, "ended by signal 9 (SIGKILL)"),
        ("1|TIMEOUT|0:0|S|E|None", State.FAILED, Reason.TIME_LIMIT, None, "it reached its time"),
        ("3_2|COMPLETED|0:0|S|E|JobArrayTaskLimit", State.SUCCEEDED, Reason.NONE, 0, ""),
        ("4|CANCELLED by 1000|0:0|S|E|None", State.CANCELLED, Reason.CANCELLED, None, "user 1000"),
        ("4|CANCELLED by 0|0:0|None|E|Resources", State.CANCELLED, Reason.CANCELLED, None, ""),
        ("2|CANCELLED|0:0|None|E|Dependency", State.SKIPPED, Reason.DEPENDENCY, None, "waits for"),
        ("9|FAILED|0:1|S|E|BadConstraints", State.FAILED, Reason.START, 129, "could not start"),
        ("9|PREEMPTED|0:0|S|E|None", State.FAILED, Reason.PREEMPTED, None, "make room"),
        ("9|OUT_OF_MEMORY|0:125|S|E|None", State.FAILED, Reason.OUT_OF_MEMORY, None, "more memory"),
        ("9|OUT_OF_ME+|0:125|S|E|None", State.UNKNOWN, Reason.NONE, None, "neither squeue"),
    ],
)
def test_what_sacct_says(
    line: str, state: State, reason: Reason, code: int | None, message: str
) -> None:
    line = line.replace("|S|", f"|{_START}|").replace("|E|", f"|{_END}|")
    seen = _seen([], _accounts(line))
    assert (seen.state, seen.reason, seen.exit_code) == (state, reason, code)
    assert message in seen.message


def test_of_a_heterogeneous_job_the_worst_component_decides() -> None:
    lines = (f"16+0|COMPLETED|0:0|{_START}|{_END}|None", f"16+1|FAILED|4:0|{_START}|{_END}|None")
    assert _seen([], _accounts(*lines)).exit_code == 4
    assert _seen([], _accounts(*reversed(lines))).exit_code == 4
    rows = _queue(f"16+0|FAILED|None|0|1024|{_START}|{_END}", f"16+1|RUNNING|None|0|0|{_START}|N/A")
    assert _seen(rows).state is State.RUNNING


def test_a_waiting_job_says_why() -> None:
    seen = _seen(_queue("42|PENDING|Dependency|0|0|N/A|N/A"))
    assert (seen.reason, seen.message) == (
        Reason.DEPENDENCY,
        "it waits for another job (Dependency)",
    )
    seen = _seen(_queue("42|PENDING|PartitionTimeLimit|0|0|N/A|N/A"))
    assert seen.message.startswith("it never starts: its time limit is longer than its partition")
    seen = _seen(_queue("42|PENDING|JobHeldUser|0|0|N/A|N/A"))
    assert "scontrol release 42" in seen.message
    seen = _seen(_queue("42|PENDING|QOSGrpGRES|0|0|N/A|N/A"))
    assert seen.reason is Reason.QUOTA
    seen = _seen(_queue("42|PENDING|ReqNodeNotAvail, UnavailableNodes:n3|0|0|N/A|N/A"))
    assert seen.message.endswith("(ReqNodeNotAvail, UnavailableNodes:n3)")
    assert _seen(_queue("42|PENDING|None|0|0|N/A|N/A")).message == ""


def test_restarts_are_attempts() -> None:
    assert _seen(_queue(f"42|RUNNING|None|2|0|{_START}|N/A"), attempt=3).attempt == 5
    ended = Record(5, Ended(3, "train", NOW - 100))
    assert _seen([], record=ended, attempt=3).attempt == 5


# Between the witnesses


def test_the_record_of_a_job_has_the_first_word_on_its_exit_code() -> None:
    own = Record(1, Ended(7, "rank 3 of train", NOW), started=NOW - 10)
    seen = _seen(_queue(f"42|FAILED|NonZeroExitCode|0|256|{_START}|{_END}"), record=own)
    assert (seen.exit_code, seen.message) == (7, "rank 3 of train: exit code 7")
    assert seen.started == NOW - 10


def test_slurm_has_the_first_word_on_what_ended_it() -> None:
    own = Record(1, Ended(143, "train", NOW))
    seen = _seen(_queue(f"42|TIMEOUT|TimeLimit|0|15|{_START}|{_END}"), record=own)
    assert (seen.state, seen.reason) == (State.FAILED, Reason.TIME_LIMIT)
    seen = _seen([], _accounts(f"42|CANCELLED by 0|0:0|{_START}|{_END}|None"), record=own)
    assert seen.state is State.CANCELLED


def test_a_failure_waits_a_while_for_what_sacct_says_of_it() -> None:
    just, before = Ended(143, "train", NOW - 2), Ended(143, "train", NOW - 40)
    assert _seen([], record=Record(1, just)).state is State.RUNNING
    assert _seen([], record=Record(1, just), accounting=False).state is State.FAILED
    assert _seen([], record=Record(1, before)).state is State.FAILED
    # A task that is cancelled may end with 0.
    well = Ended(0, "train", NOW - 2)
    assert _seen([], record=Record(1, well)).state is State.RUNNING
    assert _seen([], record=Record(1, well), accounting=False).state is State.SUCCEEDED
    assert _seen([], record=Record(1, Ended(0, "train", NOW - 40))).state is State.SUCCEEDED


def test_what_slurm_says_of_a_cancelled_job_counts_more_than_that_its_task_ended_with_0() -> None:
    record = Record(1, Ended(0, "train", NOW - 40), started=NOW - 60, mine=True)
    said = f"4|CANCELLED by 1000|0:15|{_START}|{_END}|None"
    assert _seen([], _accounts(said), record=record).state is State.CANCELLED
    row = f"4|CANCELLED|None|0|0|{_START}|{_END}"
    assert _seen(_queue(row), record=record).state is State.CANCELLED
    asked = dataclasses.replace(record, cancelled=True)
    assert _seen([], record=asked, accounting=False).state is State.CANCELLED
    # It had come to its end before Slurm heard of the wish.
    done = _queue(f"4|COMPLETED|None|0|0|{_START}|{_END}")
    assert _seen(done, record=asked).state is State.SUCCEEDED


def test_a_batch_script_that_ends_well_before_its_task_has_failed() -> None:
    row = _queue(f"42|COMPLETED|None|0|0|{_START}|{_END}")
    broke_off = Record(1, None, started=1795382628.0, mine=True)
    ended = 1795382630.0
    # What a node has written may be seen later on another machine.
    assert _seen(row, record=broke_off, now=ended + 5).state is State.RUNNING
    seen = _seen(row, record=broke_off, now=ended + 100)
    assert (seen.state, seen.reason) == (State.FAILED, Reason.START)
    assert "ended before the task did" in seen.message
    assert "sbatch_*.out" in seen.message
    for unreadable in (None, False):
        record = dataclasses.replace(broke_off, mine=unreadable)
        assert _seen(row, record=record).state is State.SUCCEEDED


def test_a_job_that_was_submitted_just_now_is_not_lost() -> None:
    for age, state in ((5.0, State.UNKNOWN), (100.0, State.LOST), (None, State.LOST)):
        assert _seen([], record=Record(1, mine=True, age=age), unseen=100.0).state is state


def test_a_job_is_lost_only_when_nobody_has_known_it_for_a_while() -> None:
    assert _seen([], record=Record(1, mine=True)).state is State.UNKNOWN
    assert _seen([], record=Record(1, mine=True), unseen=61).state is State.LOST
    running = _accounts(f"42|RUNNING|0:0|{_START}|Unknown|None")
    assert _seen([], running, record=Record(1, mine=True)).state is State.UNKNOWN
    assert "sacct: RUNNING" in _seen([], running, unseen=61).message
    # Of somebody else's job squeue may not tell.
    assert _seen([], record=Record(1, mine=False), unseen=9999).state is State.UNKNOWN


def test_what_we_have_ended_is_cancelled_also_where_slurm_has_forgotten_it() -> None:
    ended = Record(1, Ended(143, "train", NOW - 40), cancelled=True)
    assert _seen([], record=ended, accounting=False).state is State.CANCELLED
    gone = Record(1, cancelled=True, mine=True)
    assert _seen([], record=gone, unseen=31, accounting=False).state is State.CANCELLED


def test_a_node_that_does_not_let_go_keeps_no_job_running_for_ever() -> None:
    rows = _queue(f"42|COMPLETING|None|0|0|{_START}|{_END}")
    just, before = Record(1, Ended(3, "a", NOW - 5)), Record(1, Ended(3, "a", NOW - 400))
    assert _seen(rows, record=just).state is State.RUNNING
    assert _seen(rows, record=before).exit_code == 3


def test_members_of_a_group() -> None:
    members = {"a": Ended(7, "a", NOW), "b": Ended(143, "b, stopped", NOW), "c": None}
    seen = _seen([], record=Record(1, Ended(7, "a", NOW - 40), members=members))
    assert {name: one.state for name, one in seen.members} == {
        "a": State.FAILED,
        "b": State.CANCELLED,
        "c": State.CANCELLED,
    }


# Names


@pytest.mark.parametrize(
    "place",
    [
        Place("localhost", "42", "", "/home/a/exp/jobs/t/attempts/1"),
        Place("ada@login:2222", "42_7", "lab", "/lustre/with space/#1/100%/attempts/12"),
        Place("login", "1", "", "/byte\udcff/attempts/1"),
    ],
)
def test_a_handle_says_it_all(place: Place) -> None:
    handle = handle_of(place)
    assert place_of(handle) == place
    assert " " not in handle


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "slurm://h/42", "slurm://h/x#/a", "slurm://h/4#a"),
        *("slurm://h/4#/a/../b", "local://h/a/attempts/1", "slurm://h/4%0a#/a"),
        *("slurm:///4#/a", "slurm://h/4#/a%00"),
    ],
)
def test_what_is_no_handle(text: str) -> None:
    assert place_of(text) is None


@pytest.mark.parametrize(
    ("named", "number"),
    [
        ("4242", "4242"),
        (" 4242_7 ", "4242_7"),
        ("16+1", "16+1"),
        ("4242;lab", "4242"),
        ("slurm_tunnel://nemo_run/4242", "4242"),
        ("slurm://me@login/4242_3#/a/attempts/1", "4242_3"),
        ("train", None),
        ("-1", None),
    ],
)
def test_jobs_as_people_name_them(named: str, number: str | None) -> None:
    assert job_id(named) == number


# The agent


@pytest.mark.parametrize(
    ("said", "job"),
    [
        ("4242\n", ("4242", "")),
        ("4242;lab\n", ("4242", "lab")),
        ("Welcome to 2026!\n4242\n", ("4242", "")),
        ("Submitted batch job 17\n", ("17", "")),
        ("4242;lab\nYou have 3 jobs\n", ("4242", "lab")),
        ("", ("", "")),
        ("sbatch: 12 jobs\n", ("", "")),
    ],
)
def test_what_sbatch_printed(said: str, job: tuple[str, str]) -> None:
    assert agent.parsed(said) == job


def test_numbers_as_sbatch_takes_them() -> None:
    assert agent.spans([0, 1, 2, 3]) == "0-3"
    assert agent.spans([7, 3, 5, 4]) == "3-5,7"


def test_the_agent_is_python_3_6_and_imports_the_standard_library_alone() -> None:
    tree = ast.parse(Path(agent.__file__).read_text(), feature_version=(3, 6))
    names = {
        (one.module or "") if isinstance(one, ast.ImportFrom) else one.names[0].name
        for one in ast.walk(tree)
        if isinstance(one, (ast.Import, ast.ImportFrom))
    }
    assert not {name for name in names if name.startswith(("nemo_run", "__future__")) or not name}


def test_a_waiting_job_says_when_it_may_start(monkeypatch) -> None:
    import time

    from nemo_run.execution.slurm.wording import waiting

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    soon = states.Row("4", "PENDING", "Resources", 0, 0, 1_700_000_123.0, None)
    assert waiting(soon)[1].endswith("; it may start around 2023-11-14 22:20")
    assert "may start" not in waiting(soon._replace(started=None))[1]
