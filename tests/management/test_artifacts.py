"""Files that jobs leave: listed, pulled, gone on with; from here, from a cluster, from a liar."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.cli.app import app
from nemo_run.exceptions import NemoRunError, PlanError, StoreError
from nemo_run.management import artifacts
from nemo_run.management.artifacts import patterns, pulling
from nemo_run.management.artifacts.listing import look
from nemo_run.management.artifacts.places import Place
from nemo_run.management.artifacts.pulling import Progress, Pulled, pull
from nemo_run.management.artifacts.receiving import leads_inside, parts_of
from nemo_run.management.store import create, find
from nemo_run.remote import LocalTunnel
from nemo_run.testing import FakeSlurm


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The folder on the target."""
    made = tmp_path / "there"
    made.mkdir()
    return made


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


def work(checksum: bool = False) -> pulling._Work:
    return pulling._Work(Pulled(), Progress(), lambda _: None, checksum=checksum)


def bring(
    source: Path, here: Path, tunnel: LocalTunnel | None = None, pattern: str = "", **more
) -> Pulled:
    """Copy a folder as a pull does, through a process of its own where there is a tunnel."""
    place = Place("train", "", str(source), str(here), (), tunnel or LocalTunnel())
    found = look([place], pattern)
    doing = work(**more)
    doing.bring(found, place, here)
    return doing.pulled


def names(pulled: Pulled) -> list[str]:
    return sorted(one.path for one in pulled.copied)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


# --- Patterns ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("checkpoints/**", "checkpoints/a/b.pt", True),
        ("checkpoints/**", "checkpoints", False),
        ("checkpoints", "checkpoints/a/b.pt", True),
        ("checkpoints/", "checkpoints/a/b.pt", True),
        ("checkpoints", "checkpoints2/a", False),
        ("*.json", "metrics.json", True),
        ("*.json", "a/metrics.json", False),
        ("**/*.json", "metrics.json", True),
        ("**/*.json", "a/b/metrics.json", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("step-?.pt", "step-1.pt", True),
        ("step-?.pt", "step-10.pt", False),
        ("step-[0-3].pt", "step-2.pt", True),
        ("step-[!0-3].pt", "step-2.pt", False),
        ("step-[!0-3].pt", "step-7.pt", True),
        ("a[", "a[", True),
        ("[?-.]", "[?-.]", True),
        ("a.b", "axb", False),
        ("./a", "a", True),
        ("a//b", "a/b", True),
        ("ä*", "äö", True),
        ("**", "anything/at/all", True),
    ],
)
def test_patterns_are_those_of_a_shell(pattern: str, path: str, fits: bool) -> None:
    assert bool(re.match(patterns.expression([pattern]), path)) is fits


@given(st.text(min_size=1, max_size=12, alphabet="ab/*?[]!^-\\.&|~{}()$+"))
def test_no_pattern_is_too_odd(pattern: str) -> None:
    re.compile(patterns.expression([pattern]))


@pytest.mark.parametrize("pattern", ["", " ", "/etc/*", "../x", "a/../../b", "~/x", "a\nb"])
def test_patterns_that_lead_out_are_refused_when_the_job_is_added(pattern: str) -> None:
    with run.Experiment("t") as exp, pytest.raises(PlanError, match="relative to"):
        exp.add(run.Script(inline="true"), outputs=[pattern])


@pytest.mark.parametrize("given_", ["a", 3, [3], [None]])
def test_outputs_are_a_list_of_texts(given_: object) -> None:
    with run.Experiment("t") as exp, pytest.raises(TypeError, match="outputs"):
        exp.add(run.Script(inline="true"), outputs=given_)


def test_without_a_job_there_are_no_outputs() -> None:
    with pytest.raises(PlanError, match="LocalExecutor"):
        run.run(run.Script(inline="true"), outputs=["a"])


def test_what_is_sent_to_targets_is_python_3_6() -> None:
    import ast

    from nemo_run.management.artifacts import sending

    ast.parse(Path(sending.__file__).read_text("utf-8"), feature_version=(3, 6))


# --- Copying ----------------------------------------------------------------------------------


def test_what_is_there_comes_with_its_time_and_only_what_changed_comes_again(
    source: Path, here: Path
) -> None:
    (source / "a" / "b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/ü\n three", "empty", ".hidden"):
        (source / name).write_bytes(b"" if name == "empty" else name.encode() * 100)
    (source / "tool").write_text("#!/bin/sh\n")
    (source / "tool").chmod(0o755)
    os.utime(source / "one", ns=(1, 1_234_567_890_123_456_789))
    first = bring(source, here)
    assert files(here) == files(source)
    assert len(first.copied) == 6
    assert (here / "one").stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert (here / "tool").stat().st_mode & 0o777 == 0o700
    assert (here / "one").stat().st_mode & 0o777 == 0o600
    assert here.stat().st_mode & 0o777 == 0o700
    again = bring(source, here)
    assert (again.copied, again.same, again.sent, again.problems) == ([], 6, 0, {})
    (source / "one").write_text("changed")
    assert names(bring(source, here)) == ["one"]
    assert (here / "one").read_text() == "changed"


def test_only_the_end_of_a_file_that_grew_is_sent(source: Path, here: Path) -> None:
    (source / "log").write_bytes(b"x" * 1_000_000)
    bring(source, here)
    with (source / "log").open("ab") as file:
        file.write(b"y" * 10)
    again = bring(source, here)
    assert again.sent == 10
    assert files(here) == files(source)


def test_a_file_that_only_looks_changed_is_not_sent(source: Path, here: Path) -> None:
    (source / "a").write_bytes(b"x" * 1000)
    bring(source, here)
    (source / "a").touch()
    again = bring(source, here)
    assert (again.sent, again.same, again.copied) == (0, 1, [])
    assert (here / "a").stat().st_mtime_ns == (source / "a").stat().st_mtime_ns


def test_content_is_compared_where_that_is_asked_for(source: Path, here: Path) -> None:
    (source / "a").write_bytes(b"x" * 1000)
    (source / "b").write_bytes(b"b")
    bring(source, here)
    (here / "a").write_bytes(b"x" * 999 + b"y")
    same = (source / "a").stat().st_mtime_ns
    os.utime(here / "a", ns=(same, same))
    assert bring(source, here).copied == []
    assert names(bring(source, here, checksum=True)) == ["a"]
    assert files(here) == files(source)


def test_an_unfinished_copy_is_gone_on_with_unless_it_is_of_something_else(
    source: Path, here: Path
) -> None:
    content = os.urandom(300_000)
    (source / "a").write_bytes(content)
    here.mkdir()
    part = here / f".nemo_run.{hashlib.sha256(b'a').hexdigest()[:32]}"
    part.write_bytes(content[:200_000])
    assert bring(source, here).sent == 100_000
    assert files(here) == {"a": content}
    (here / "a").unlink()
    part.write_bytes(b"z" * 200_000)
    assert bring(source, here).sent == 300_000
    assert files(here) == {"a": content}


def test_a_pull_that_is_killed_is_gone_on_with(source: Path, here: Path) -> None:
    count = 24 << 20
    block = os.urandom(1 << 20)
    with (source / "big").open("wb") as file:
        for number in range(count >> 20):
            file.write(number.to_bytes(4, "big") + block[4:])
    (source / "small").write_text("small")
    code = textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from nemo_run.management.artifacts import pulling
        from nemo_run.management.artifacts.listing import look
        from nemo_run.management.artifacts.places import Place
        from nemo_run.remote import LocalTunnel
        from pathlib import Path
        place = Place("train", "", {str(source)!r}, {str(here)!r}, (), LocalTunnel())
        def slowly(state):
            print(state.arrived, flush=True)
            time.sleep(0.05)
        doing = pulling._Work(pulling.Pulled(), pulling.Progress(), slowly)
        doing.bring(look([place]), place, Path({str(here)!r}))
    """)
    going = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert going.stdout
    while int(going.stdout.readline()) < 5 << 20:
        pass
    going.send_signal(signal.SIGKILL)
    going.wait(30)
    going.stdout.close()
    assert not (here / "big").exists()
    again = bring(source, here)
    assert files(here) == files(source)
    assert again.sent <= count - (5 << 20) + len("small")
    assert not list(here.glob(".nemo_run.*"))


def test_a_file_that_changes_while_it_is_read_keeps_its_old_copy_and_is_named(
    source: Path, here: Path
) -> None:
    (source / "a").write_bytes(b"old")
    (source / "z").write_bytes(b"z")
    bring(source, here)
    (source / "a").write_bytes(os.urandom(40 << 20))
    code = f"""if 1:
        import time
        with open({str(source / "a")!r}, "r+b") as file:
            print("writes", flush=True)
            while True:
                file.seek(0); file.write(str(time.time_ns()).encode()); file.flush()
    """
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert writer.stdout
    writer.stdout.readline()
    try:
        found = bring(source, here)
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert "changed while it was read" in found.problems["train/a"]
    assert (here / "a").read_bytes() == b"old"
    after = bring(source, here)
    assert (names(after), after.problems) == (["a"], {})
    assert files(here) == files(source)


def test_many_files_come_in_one_call(source: Path, here: Path) -> None:
    from nemo_run.remote.counting import counted

    for number in range(1500):
        folder = source / str(number % 7)
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_bytes(b"%d" % number)
    before = counted("localhost")
    found = bring(source, here)
    assert counted("localhost") - before == 2
    assert len(found.copied) == 1500
    assert files(here) == files(source)


def test_a_large_file_needs_little_memory(source: Path, here: Path) -> None:
    with (source / "large").open("wb") as file:
        file.truncate(256 << 20)
        file.write(b"begin")
    tracemalloc.start()
    found = bring(source, here)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.sent == 256 << 20
    assert peak < 32 << 20
    assert (here / "large").stat().st_size == 256 << 20


def test_two_at_once_do_not_meet_in_one_folder(source: Path, here: Path) -> None:
    import fcntl

    (source / "a").write_text("a")
    here.mkdir()
    folder = os.open(here, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    try:
        with pytest.raises(StoreError, match="Another process is pulling"):
            bring(source, here)
    finally:
        os.close(folder)
    assert names(bring(source, here)) == ["a"]


# --- What leads out ---------------------------------------------------------------------------


def test_links_come_as_links_if_they_lead_inside(source: Path, here: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (source / "a").mkdir()
    (source / "a" / "file").write_text("file")
    (source / "last").symlink_to("a")
    (source / "a" / "up").symlink_to("../a/file")
    (source / "out").symlink_to("../secret")
    (source / "absolute").symlink_to(tmp_path / "secret")
    (source / "dots").symlink_to("a/../../secret")
    os.mkfifo(source / "pipe")
    found = bring(source, here)
    assert os.readlink(here / "last") == "a"
    assert (here / "a" / "up").read_text() == "file"
    assert sorted(found.problems) == ["train/absolute", "train/dots", "train/out"]
    assert {path.name for path in here.iterdir()} == {"a", "last"}
    assert bring(source, here).copied == []


@pytest.mark.parametrize(
    ("path", "link", "inside"),
    [
        ("a", "b", True), ("a", "./b/c", True), ("d/a", "../b", True), ("d/e/a", "../../b", True),
        ("a", "..", False), ("a", "../b", False), ("d/a", "../../b", False), ("a", "/b", False),
        ("a", "b/..", False), ("d/a", "up/../x", False), ("a", "", False), ("a", "b\0", False),
        ("d/a", "..", True),
    ],
)  # fmt: skip
def test_where_a_link_leads_is_told_by_its_text(path: str, link: str, inside: bool) -> None:
    assert leads_inside(path, link) is inside


@pytest.mark.parametrize(
    "path",
    ["", "/etc/x", "../x", "a/../x", "a//b", ".", "a/.", "a\0b", "x" * 256, ".nemo_run.abc"],
)
def test_names_that_are_no_paths_below_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"no path|unfinished"):
        parts_of(path)


@dataclass
class Liar(LocalTunnel):
    """A target whose Python answers what it likes."""

    listed: str = "[]"
    answers: str = "[]"
    first: str = "[]"

    @property
    def key(self) -> str:
        return "liar"

    def _python(self, code: str) -> list[str]:
        lie = textwrap.dedent(f"""
            import json, sys, zlib
            stdin, out = sys.stdin.buffer, sys.stdout.buffer
            part = lambda: stdin.read(int(stdin.readline()))
            part(); marker = part(); part()
            request = json.loads(zlib.decompress(part()))
            def send(message, data=b""):
                out.write(marker + json.dumps(message).encode() + b"\\n" + data)
            send({{"hello": 1}})
            if request["op"] == "list":
                for event in json.loads({self.first!r}):
                    send({{"event": event}})
                send({{"event": {{"folder": 0, "files": json.loads({self.listed!r})}}}})
            else:
                for event, data in json.loads({self.answers!r}):
                    data = data.encode()
                    send({{"event": event, "bytes": len(data)}}, data)
            send({{"result": {{}}}})
        """)
        return [sys.executable, "-c", lie]


def lying(listed: list, answers: list) -> Liar:
    return Liar(listed=json.dumps(listed), answers=json.dumps(answers))


def answer(number: int, data: str, **end) -> list:
    digest = hashlib.sha256(data.encode()).hexdigest()
    last = {"size": len(data), "mtime": 1, "sha256": digest, "changed": False, **end}
    return [{"file": number, "at": 0, "end": last}, data]


def test_a_target_that_lies_about_names_writes_nothing_outside(
    source: Path, here: Path, tmp_path: Path
) -> None:
    odd = ["../out", "/tmp/nemo_run_out", "a/../../out", "", "link/file", "good", "a\0b", "x/" * 3]
    listed = [["link", 3, 1, "sub"], *[[name, 3, 1, None] for name in odd]]
    before = {path for path in tmp_path.rglob("*") if here not in path.parents}
    (tmp_path / "outside").mkdir()
    here.mkdir()
    (here / "evil").symlink_to(tmp_path / "outside")
    listed.append(["evil/file", 3, 1, None])
    found = bring(source, here, lying(listed, [answer(n, "bad") for n in range(3)]))
    assert {path for path in tmp_path.rglob("*") if here not in path.parents} - before == {
        here, tmp_path / "outside",
    }  # fmt: skip
    assert list((tmp_path / "outside").iterdir()) == []
    assert not Path("/tmp/nemo_run_out").exists()
    assert files(here) == {"good": b"bad"}
    assert len(found.problems) == len(odd) - 1 + 1


def test_what_does_not_arrive_as_it_was_sent_is_not_kept(source: Path, here: Path) -> None:
    listed = [["a", 3, 1, None], ["b", 3, 1, None]]
    found = bring(source, here, lying(listed, [answer(0, "abc", sha256="0" * 64), answer(1, "b")]))
    assert "did not arrive as it was sent" in found.problems["train/a"]
    assert files(here) == {"b": b"b"}
    assert not list(here.glob(".nemo_run.*"))


@pytest.mark.parametrize(
    "event",
    [
        {"file": 0, "at": 7}, {"file": 1, "at": 0}, {"file": -2, "at": 0}, {"file": "a", "at": 0},
        {"at": 0}, 3, None, [], {"file": 0, "at": None}, {"file": 0, "at": 0, "end": 3},
    ],
)  # fmt: skip
def test_answers_that_make_no_sense_are_refused(source: Path, here: Path, event: object) -> None:
    with pytest.raises(NemoRunError, match=r"wrong place|something odd"):
        bring(source, here, lying([["a", 3, 1, None]], [[event, "abc"]]))
    assert files(here) in ({}, {f".nemo_run.{hashlib.sha256(b'a').hexdigest()[:32]}": b"abc"})


@pytest.mark.parametrize("end", [{}, {"sha256": 3}, None])
def test_a_file_without_a_good_end_is_not_kept(source: Path, here: Path, end: object) -> None:
    event = {"file": 0, "at": 0, "end": end}
    found = bring(source, here, lying([["a", 3, 1, None]], [[event, "abc"]]))
    assert list(found.problems) == ["train/a"]
    assert not (here / "a").exists()


@pytest.mark.parametrize("one", [3, None, [], ["a"], ["a", "b", 1, None], ["a", 1e999, 1, None]])
def test_lists_that_make_no_sense_are_refused(source: Path, here: Path, one: object) -> None:
    with pytest.raises(NemoRunError, match="something odd"):
        bring(source, here, lying([one], []))


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=60)
@given(
    names=st.lists(
        st.text(st.characters(codec="utf-8"), max_size=6)
        | st.lists(st.sampled_from(["..", ".", "a", "", "b", "\0"]), max_size=4).map("/".join),
        max_size=4,
    ),
    links=st.lists(st.none() | st.sampled_from(["..", "a", "../b", "/tmp", "b/../.."]), min_size=4),
)
def test_no_name_gets_out(tmp_path_factory, names: list[str], links: list[str | None]) -> None:
    top = tmp_path_factory.mktemp("top")
    here = top / "x" / "here"
    place = Place("train", "", str(top), str(here), ())
    from nemo_run.management.artifacts.receiving import Folder

    with Folder(here) as folder:
        for name, link in zip(names, links, strict=False):
            try:
                parts_of(name)
                if link is not None:
                    if leads_inside(name, link):
                        folder.link(name, link)
                    continue
                arriving = folder.open(name, folder.beginning(name, 10))
            except (ValueError, OSError):
                continue
            arriving.write(b"x")
            with contextlib.suppress(IsADirectoryError):
                arriving.keep({"mtime": 1})
            arriving.close()
    assert place.mirror == str(here)
    assert [path for path in top.rglob("*") if here not in path.parents] == [top / "x", here]
    for path in here.rglob("*"):
        assert Path(os.path.realpath(path)).is_relative_to(os.path.realpath(here))


# --- Jobs -------------------------------------------------------------------------------------

LEAVES = """
cd "$NEMORUN_OUTPUT_DIR"
mkdir -p checkpoints/step-1
echo weights >checkpoints/step-1/w.pt
echo '{"loss": 1}' >metrics.json
echo no >scratch
"""


def test_a_job_here_leaves_files_that_are_listed_and_copied(tmp_path: Path) -> None:
    with run.Experiment("here") as exp:
        exp.add(
            run.Script(inline=LEAVES), run.LocalExecutor(), name="train",
            outputs=["checkpoints/**", "metrics.json"],
        )  # fmt: skip
        exp.add(
            [run.Script(inline="echo $NEMORUN_MEMBER >$NEMORUN_OUTPUT_DIR/who")] * 2,
            run.LocalExecutor(), name="pair", members=["a", "b"],
        )  # fmt: skip
        exp.run()
    record = find("here")
    found = artifacts.listed(record)
    assert [(one.job, one.name) for one in found] == [
        ("train", "metrics.json"), ("train", "checkpoints/step-1/w.pt"), ("pair", "a/who"),
        ("pair", "b/who"),
    ]  # fmt: skip
    assert all(one.is_here for one in found)
    assert [one.name for one in artifacts.listed(record, "train", "**/*.pt")] == [
        "checkpoints/step-1/w.pt"
    ]
    to = tmp_path / "to"
    exp.artifacts("train").pull(to)
    assert sorted(files(to)) == ["checkpoints/step-1/w.pt", "metrics.json"]
    everything = exp.artifacts().pull(tmp_path / "all")
    assert sorted(files(tmp_path / "all")) == [
        "pair/a/who", "pair/b/who", "train/checkpoints/step-1/w.pt", "train/metrics.json",
    ]  # fmt: skip
    assert everything.problems == {}
    in_record = pull(record)
    assert (in_record.copied, in_record.same) == ([], 4)
    again = run.Experiment.from_title("here")
    assert [member.outputs for member in again.jobs[0].members] == [
        ("checkpoints/**", "metrics.json")
    ]


def writes(value: int) -> None:
    Path(os.environ["NEMORUN_OUTPUT_DIR"], "value").write_text(str(value))


def test_every_point_of_a_sweep_has_a_folder_of_its_own() -> None:
    results = run.run(
        run.sweep(run.Partial(writes, value=0), value=[1, 2]), run.LocalExecutor(), name="points",
        outputs=["value"],
    )  # fmt: skip
    assert len(results) == 2
    found = artifacts.listed(find("points"))
    assert sorted(Path(one.local).read_text() for one in found) == ["1", "2"]


def test_the_folder_is_the_same_in_every_attempt(tmp_path: Path) -> None:
    again = 'cd "$NEMORUN_OUTPUT_DIR"; echo $NEMORUN_ATTEMPT >>attempts; [ $NEMORUN_ATTEMPT = 2 ]'
    with run.Experiment("again") as exp:
        exp.add(run.Script(inline=again), run.LocalExecutor(retries=1), name="train")
        exp.run()
    [found] = artifacts.listed(find("again"))
    assert Path(found.local).read_text() == "1\n2\n"


@pytest.mark.parametrize("member", ["../../x", "..", "", "a/b"])
def test_a_record_with_hostile_members_is_refused(member: str) -> None:
    job = {"id": "train", "group": True, "members": [{"name": member}]}
    record = create("hostile", meta={"jobs": [job]})
    with pytest.raises(NemoRunError, match="which is no folder"):
        artifacts.listed(record)


def test_a_record_whose_outputs_lead_elsewhere_is_refused(tmp_path: Path) -> None:
    record = create("hostile", meta={"jobs": [{"id": "train"}]})
    record.job_dir("train").mkdir(parents=True)
    (record.job_dir("train") / "outputs").symlink_to("/etc")
    with pytest.raises(NemoRunError, match="leads out of"):
        artifacts.listed(record)
    with pytest.raises(NemoRunError, match="leads out of"):
        pull(record, to=tmp_path / "to")


def test_a_full_disk_is_a_sentence_and_what_came_is_gone_on_with(tmp_path: Path) -> None:
    code = "head -c 3000000 /dev/urandom >$NEMORUN_OUTPUT_DIR/a; echo b >$NEMORUN_OUTPUT_DIR/b"
    with run.Experiment("full") as exp:
        exp.add(run.Script(inline=code), run.LocalExecutor(), name="train")
        exp.run()
    pulls = [sys.executable, "-m", "nemo_run", "artifacts", "pull", "full", "--to", "/mnt/to"]
    script = (
        'mount -t tmpfs -o size=1m tmpfs /mnt && ("$@"; echo rc $?; mount -o remount,size=9m /mnt; '
        '"$@"; echo rc $?; sha256sum /mnt/to/a)'
    )
    enter = ["unshare", "--mount", "--map-root-user", "--user", "sh", "-c"]
    if subprocess.run([*enter, "mount -t tmpfs tmpfs /mnt"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    done = subprocess.run([*enter, script, "sh", *pulls], capture_output=True, text=True)
    first, _, second = done.stdout.partition("rc 1\n")
    assert first == ""
    assert "/mnt/to cannot be written: No space left on device" in done.stderr
    assert "pull again to go on" in done.stderr
    assert second.splitlines()[0].startswith("Copied 2 files (")
    assert second.splitlines()[0] != "Copied 2 files (3.0 MB)."
    [a, _] = artifacts.listed(find("full"))
    assert hashlib.sha256(Path(a.local).read_bytes()).hexdigest() in second


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    with FakeSlurm(tmp_path / "slurm", nodes=2) as slurm:
        monkeypatch.setenv("PATH", slurm.environment()["PATH"])
        yield slurm


def command(*words: str):
    return CliRunner().invoke(app, ["artifacts", *words], standalone_mode=False)


def test_files_of_a_cluster_are_listed_while_the_job_runs_and_pulled(
    slurm: FakeSlurm, tmp_path: Path
) -> None:
    from engines.processes import until

    go = tmp_path / "go"
    executor = run.SlurmExecutor(
        account="a", time="10", env_vars={"GO": str(go)},
        tunnel=run.LocalTunnel(job_dir=str(tmp_path / "cluster")),
    )  # fmt: skip
    script = f'{LEAVES}until [ -e "$GO" ]; do sleep 0.1; done; echo more >late.json'
    with run.Experiment("far") as exp:
        exp.add(run.Script(inline=script), executor, name="train", outputs=["**/*.json", "*/**"])
        exp.run(detach=True)
    record = find("far")
    until(lambda: len(exp.artifacts()) == 2, 60, "the files are there")
    assert artifacts.listed(record) == []
    listing = command("list", "far").stdout.splitlines()
    assert [(line.split()[1], line.split()[-1]) for line in listing[1:]] == [
        ("metrics.json", "no"), ("checkpoints/step-1/w.pt", "no"),
    ]  # fmt: skip
    pulled = command("pull", "far", "checkpoints")
    assert pulled.return_value == 0, pulled.stderr
    assert pulled.stdout.splitlines()[0] == "Copied 1 file (8 B)."
    go.touch()
    assert str(exp.wait()) == "SUCCEEDED"
    document = json.loads(command("pull", "far", "train", "--json").stdout)
    assert [one["path"] for one in document["copied"]] == ["late.json", "metrics.json"]
    assert document["same"] == 1
    assert {one.name for one in artifacts.listed(record)} == {
        "metrics.json", "checkpoints/step-1/w.pt", "late.json",
    }  # fmt: skip
    assert all(row["here"] for row in json.loads(command("list", "far", "--json").stdout))
    # What is gone on the cluster stays here, and is listed from here.
    folder = next(tmp_path.glob("cluster/**/jobs/train/outputs"))
    for path in [*folder.rglob("*.json")]:
        path.unlink()
    assert len(exp.artifacts()) == 1
    assert len(artifacts.listed(record)) == 3


def test_a_folder_that_cannot_be_read_hides_no_other(source: Path, here: Path) -> None:
    odd = [{"folder": 0, "error": "/x/\x1b[31m cannot be read: Permission denied"}]
    tunnel = lying([["a", 1, 1, None]], [answer(0, "a")])
    tunnel.first = json.dumps(odd)
    place = Place("train", "", str(source), str(here), (), tunnel)
    with pytest.raises(NemoRunError, match=r"liar: /x/\?\[31m cannot be read"):
        look([place])
    told: list[str] = []
    assert [one.path for one in look([place], "", lambda _, why: told.append(why))] == ["a"]
    assert told == ["liar: /x/?[31m cannot be read: Permission denied"]


def test_words_that_name_nothing_are_answered(tmp_path: Path) -> None:
    create("t", meta={"jobs": [{"id": "train"}]})
    runner = subprocess.run(
        [sys.executable, "-m", "nemo_run", "artifacts", "list", "t", "trian"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert (runner.returncode, runner.stdout) == (1, "")
    assert "Did you mean 'train'?" in runner.stderr
    out = subprocess.run(
        [sys.executable, "-m", "nemo_run", "artifacts", "pull", "t", "../*"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert out.returncode == 2
    assert "leads out of the folder" in out.stderr


def test_the_line_of_progress_says_how_far_it_is() -> None:
    from nemo_run.cli.artifacts.pull import progress_text

    state = Progress(files=4, done=1, bytes=4_000_000, arrived=1_000_000, current="a/b")
    assert progress_text(state, 2.0) == (
        "█████░░░░░░░░░░░░░░░  25%  1.0 MB of 4.0 MB  500 kB/s  1 of 4 files  a/b"
    )
    assert "  0%" in progress_text(Progress(), 0.0)
