"""Jobs on this machine: how they end, what they see, what they leave."""

from __future__ import annotations

import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from local_jobs import Place, until

from nemo_run.execution.jobspec import Handle, Member
from nemo_run.execution.local.client import LocalBackend
from nemo_run.execution.local.starting import prepare
from nemo_run.execution.observation import Observation, Reason, State


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_signal_has_its_name_in_the_message(place: Place) -> None:
    seen = place.run(place.spec("killed", "sh", "-c", "kill -KILL $$"))
    assert seen.exit_code == 137
    assert "SIGKILL" in seen.message
    assert "memory" in seen.message


def test_an_exit_code_beyond_all_signals_is_an_exit_code(place: Place) -> None:
    seen = place.run(place.spec("high", "sh", "-c", "exit 255"))
    assert (seen.reason, seen.exit_code) == (Reason.EXIT_CODE, 255)


def test_a_program_that_is_not_there_fails_and_its_log_says_so(place: Place) -> None:
    spec = place.spec("nothing", "no-such-program")
    assert place.run(spec).exit_code == 127
    assert "no-such-program" in place.log(spec)


def test_a_folder_that_is_gone_fails_and_its_log_says_so(place: Place) -> None:
    spec = place.spec("homeless", "true", cwd=place.folder / "gone")
    assert place.run(spec).state is State.FAILED
    assert "gone" in place.log(spec)


def test_one_of_three_ranks_fails_and_the_others_are_ended(place: Place) -> None:
    script = 'echo "I am $RANK of $WORLD_SIZE"; [ "$RANK" = 1 ] && exit 7; sleep 300'
    spec = place.spec("trio", "sh", "-c", script, processes_per_node=3)
    seen = place.run(spec)
    assert (seen.state, seen.exit_code) == (State.FAILED, 7)
    assert seen.message.startswith("rank 1 of trio")
    assert [place.log(spec, rank) for rank in range(3)] == [f"I am {r} of 3\n" for r in range(3)]


def test_every_rank_knows_where_it_stands_and_where_to_meet(place: Place) -> None:
    names = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
    names += ("MASTER_ADDR", "MASTER_PORT")
    script = "echo " + " ".join(f"${name}" for name in names)
    spec = place.spec("ranks", "sh", "-c", script, processes_per_node=2, nodes=2)
    assert place.run(spec).state is State.SUCCEEDED
    lines = [place.log(spec, rank).split() for rank in range(4)]
    assert [line[:5] for line in lines] == [
        ["0", "0", "0", "4", "2"],
        ["1", "1", "0", "4", "2"],
        ["2", "0", "1", "4", "2"],
        ["3", "1", "1", "4", "2"],
    ]
    assert {line[5] for line in lines} == {"127.0.0.1"}
    [port] = {int(line[6]) for line in lines}
    assert 1024 < port < 65536


def test_ranks_hear_the_interrupt_signal(place: Place) -> None:
    """A shell makes what it starts with & deaf to SIGINT; ours does not."""
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    spec = place.spec("ears", sys.executable, "-c", code, processes_per_node=2)
    assert place.run(spec).state is State.SUCCEEDED
    assert [place.log(spec, rank) for rank in range(2)] == ["True\n", "True\n"]


def test_each_attempt_has_its_own_folder_and_logs(place: Place) -> None:
    first = place.spec("again", "sh", "-c", "echo try $NEMORUN_ATTEMPT; exit 3", retries=1)
    second = first.next_attempt()
    assert place.run(first).exit_code == 3
    assert place.run(second).attempt == 2
    assert (place.log(first), place.log(second)) == ("try 1\n", "try 2\n")
    assert sorted(p.name for p in (place.folder / "again/attempts").iterdir()) == ["1", "2"]


def test_the_job_is_told_where_it_belongs(place: Place) -> None:
    names = ("EXPERIMENT_ID", "JOB", "ATTEMPT", "TOKEN", "JOB_DIR", "ATTEMPT_DIR")
    script = "; ".join(f'echo "$NEMORUN_{name}"' for name in names)
    spec = place.spec("told", "sh", "-c", script)
    place.run(spec)
    folder = str(place.folder / "told")
    assert place.log(spec).splitlines() == [
        place.experiment, "told", "1", f"{place.experiment}/told/1", folder, f"{folder}/attempts/1",
    ]  # fmt: skip


def test_a_group_has_a_folder_for_each_member(place: Place) -> None:
    members = tuple(
        Member(
            name=name,
            directory=str(place.folder / "duo" / name),
            command=("sh", "-c", 'echo "$NEMORUN_MEMBER $NEMORUN_ATTEMPT_DIR"'),
            working_directory=str(place.folder),
        )
        for name in ("left", "right")
    )
    single = place.spec("duo", "true")
    spec = type(single)("tales_2", "duo", "local", single.directory, members)
    assert place.run(spec).state is State.SUCCEEDED
    attempt = place.folder / "duo/attempts/1"
    assert [place.log(spec, i) for i in (0, 1)] == [
        f"left {attempt}/left\n", f"right {attempt}/right\n",
    ]  # fmt: skip


def test_a_job_starts_in_the_callers_folder_with_nothing_on_its_input(place: Place) -> None:
    folder = place.folder / "a folder with 'quotes'"
    folder.mkdir()
    spec = place.spec("where", "sh", "-c", "pwd; cat; echo end", cwd=folder)
    place.run(spec)
    assert place.log(spec) == f"{folder}\nend\n"


def test_files_of_ours_are_private_and_those_of_the_task_are_as_usual(place: Place) -> None:
    usual = place.folder / "usual"
    usual.touch()
    spec = place.spec("masks", "touch", str(place.folder / "made"))
    place.run(spec)

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(place.folder / "made") == mode(usual)
    assert mode(place.folder / "masks/attempts/1") == 0o700
    assert mode(Path(place.backend.log_files(spec)[0].path)) == 0o600


def test_a_log_grows_while_the_job_runs(place: Place) -> None:
    gate = place.folder / "gate"
    script = f'echo begun; while [ ! -e "{gate}" ]; do sleep 0.02; done'
    spec = place.spec("live", "sh", "-c", script)
    handle = place.start(spec)
    until(lambda: place.log(spec) == "begun\n")
    assert place.look(handle).state is State.RUNNING
    gate.touch()
    assert place.end(handle).state is State.SUCCEEDED


def test_nothing_of_ours_is_open_in_a_job(place: Place) -> None:
    """A pipe that a job held open would keep whoever reads it waiting."""
    mine = os.open(place.folder / "mine", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(mine, True)
    try:
        spec = place.spec("fds", "sh", "-c", "ls -l /proc/$$/fd")
        place.run(spec)
    finally:
        os.close(mine)
    assert str(place.folder / "mine") not in place.log(spec)
    assert "pipe:" not in place.log(spec)


def test_a_job_whose_folder_cannot_be_made_is_an_answer_not_an_exception(place: Place) -> None:
    (place.folder / "full").write_text("a file where the folder should be")
    good, bad = place.spec("good", "true"), place.spec("full", "true")
    answers = place.backend.submit([place.rendered(bad), place.rendered(good)])
    assert isinstance(answers[bad.token], Exception)
    assert "full" in str(answers[bad.token])
    assert place.end(answers[good.token]).state is State.SUCCEEDED


def test_a_record_that_cannot_be_written_is_replaced_by_the_shells_own_exit_code(
    place: Place,
) -> None:
    exit_file = place.folder / "spoiled/attempts/1/exit"
    spec = place.spec("spoiled", "sh", "-c", f"rm '{exit_file}'; mkdir '{exit_file}'; exit 9")
    seen = place.run(spec)
    assert (seen.state, seen.exit_code) == (State.FAILED, 9)


def test_a_script_that_cannot_claim_its_attempt_is_a_failure_to_start(place: Place) -> None:
    spec = place.spec("unclaimed", "true")
    whole = place.rendered(spec)
    [artifact] = whole.artifacts
    broken = type(artifact)(artifact.path, b"echo no room on the disk >&2; exit 96\n", 0o700, "sh")
    handle = place.backend.submit([type(whole)(spec, (broken,))])[spec.token]
    seen = place.end(handle)
    assert (seen.state, seen.reason) == (State.FAILED, Reason.START)
    assert "no room" in seen.message


def test_no_zombies_are_left(place: Place) -> None:
    def zombies() -> set[str]:
        place.backend.poll([])
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return {c for c in children if Path(f"/proc/{c}/stat").read_text().split()[2] == "Z"}

    others = zombies()
    handles = [place.start(place.spec(f"brief{i}", "true")) for i in range(5)]
    for handle in handles:
        place.end(handle)
    until(lambda: not zombies() - others)


def test_a_job_of_another_machine_is_unknown_until_its_record_is_there(place: Place) -> None:
    far = of_another_machine(place, "far")
    assert far.state is State.UNKNOWN
    assert "cancel" in far.message
    (place.folder / "far/attempts/1/exit").write_text("exit 4\n")
    assert renamed(place, "far").exit_code == 4


def renamed(place: Place, name: str) -> Observation:
    """Look at a job by the handle that it got when this machine had another name."""
    handle = renamed_handle(place, name)
    return LocalBackend().poll([handle])[handle]


def renamed_handle(place: Place, name: str) -> Handle:
    return Handle(f"local://elsewhere{place.folder}/{name}/attempts/1")


def of_another_machine(place: Place, name: str) -> Observation:
    """Leave a job as another machine does that shares the folder, and look at it."""
    place.run(place.spec(name, "true"))
    attempt = place.folder / name / "attempts/1"
    (attempt / "exit").write_text("running\n")
    pid, start, boot, token, *_ = (attempt / "claim").read_text().split("\n")
    far = f"{pid}\n{start}\nanother-{boot}\n{token}\nits-own-machine-id\n"
    (attempt / "claim").write_text(far)
    return renamed(place, name)


def test_a_job_of_another_machine_can_be_cancelled_when_that_is_gone(place: Place) -> None:
    of_another_machine(place, "gone")
    LocalBackend().cancel([renamed_handle(place, "gone")])
    seen = renamed(place, "gone")
    assert (seen.state, seen.reason) == (State.CANCELLED, Reason.CANCELLED)
    assert "were not reached" in seen.message


def test_a_job_that_another_machine_has_not_begun_never_begins_when_cancelled(
    place: Place,
) -> None:
    spec = place.spec("slow", "true")
    prepare(place.rendered(spec))
    assert renamed(place, "slow").state is State.UNKNOWN
    LocalBackend().cancel([renamed_handle(place, "slow")])
    assert renamed(place, "slow").state is State.CANCELLED
    script = place.folder / "slow/attempts/1/launch.sh"
    assert subprocess.run(["sh", script], capture_output=True).returncode == 96


def test_a_machine_with_a_new_name_knows_its_jobs(place: Place) -> None:
    """As a container has each time it starts: what ran in it is lost, and what runs runs."""
    handle = place.start(place.spec("goes_on", "sleep", "300"))
    until(lambda: renamed(place, "goes_on").state is State.RUNNING)
    LocalBackend(grace=0.5).cancel([renamed_handle(place, "goes_on")])
    assert place.end(handle).state is State.CANCELLED
    place.run(place.spec("lost", "true"))
    (place.folder / "lost/attempts/1/exit").write_text("running\n")
    assert renamed(place, "lost").state is State.LOST


@pytest.mark.parametrize(
    "handle",
    ["local://[::1", "local://vm/x/y/z", "local://vm/x/1%00/1", "local://vm", "engine://vm/1", ""],
)
def test_a_handle_that_names_no_attempt_is_unknown(place: Place, handle: str) -> None:
    """To look at it, to wait for it and to cancel it are no errors."""
    place.backend.cancel([Handle(handle)])
    place.backend.wait([Handle(handle)], 0.01)
    seen = place.look(Handle(handle))
    assert seen.state is State.UNKNOWN
    assert repr(handle) in seen.message


def test_a_restart_of_the_machine_is_a_failure_of_the_machine(place: Place) -> None:
    spec = place.spec("rebooted", "true")
    place.run(spec)
    attempt = place.folder / "rebooted/attempts/1"
    (attempt / "exit").write_text("running\n")
    pid, start, boot, *rest = (attempt / "claim").read_text().split("\n")
    (attempt / "claim").write_text("\n".join([pid, start, f"another-{boot}", *rest]))
    handle = LocalBackend().find([spec])[spec.token]
    seen = LocalBackend().poll([handle])[handle]
    assert (seen.state, seen.reason) == (State.LOST, Reason.NODE_FAILURE)


def test_a_job_whose_folder_was_taken_away_still_has_an_end(place: Place) -> None:
    folder = place.folder / "robbed"
    handle = place.start(place.spec("robbed", "sh", "-c", f"rm -r '{folder}'; exit 8"))
    assert place.end(handle).exit_code == 8


def test_one_node_of_two_runs_its_own_ranks_only(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And meets the other where the launcher's environment says."""
    monkeypatch.setenv("MASTER_ADDR", "node0")
    monkeypatch.setenv("MASTER_PORT", "1234")
    say = "echo $RANK $LOCAL_RANK $NODE_RANK $MASTER_ADDR:$MASTER_PORT"
    spec = place.spec("node1", "sh", "-c", say, nodes=2, processes_per_node=2)
    spec = dataclasses.replace(spec, options={"node_rank": 1})
    assert place.run(spec).state is State.SUCCEEDED
    assert [file.rank for file in place.backend.log_files(spec)] == [2, 3]
    assert [place.log(spec, i) for i in (0, 1)] == ["2 0 1 node0:1234\n", "3 1 1 node0:1234\n"]
