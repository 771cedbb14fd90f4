"""What differs between two documents; nothing is run, and nothing of anybody's is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_run.exceptions import NotFoundError, PackagingError
from nemo_run.management.compare.code import difference
from nemo_run.management.compare.comparing import compared
from nemo_run.management.compare.comparison import CodeChange
from nemo_run.management.compare.documents import Job, Run, Task
from nemo_run.management.compare.matching import pairs
from nemo_run.management.compare.values import Origins, differences
from nemo_run.management.describe.varied import Varied
from nemo_run.packaging.git import of_store
from nemo_run.packaging.store import CodeStore


def node(target: str, /, *, kind: str = "config", **arguments: object) -> dict:
    return {"$": kind, "target": target, "arguments": arguments}


def told(old: object, new: object) -> list[tuple[str, str, str, str]]:
    return [(c.path, c.kind, c.old, c.new) for c in differences(old, new).changes]


def test_values_are_told_by_their_paths() -> None:
    old = node("m:train", model=node("m:Model", lr=0.1, width=8), steps=3)
    new = node("m:train", model=node("m:Model", lr=0.2, width=8), name="x")
    found = differences(old, new)
    assert told(old, new) == [
        ("model.lr", "changed", "0.1", "0.2"),
        ("steps", "removed", "3", ""),
        ("name", "added", "", "'x'"),
    ]
    assert found.equal == 1
    assert found.changes[0].difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("old", "new"),
    [(True, 1), (1, 1.0), ("1", 1), (None, "None"), ([], {}), (0, False)],
)
def test_what_python_takes_for_equal_may_differ(old: object, new: object) -> None:
    assert len(told(node("m:f", x=old), node("m:f", x=new))) == 1


def test_another_class_is_told_and_its_arguments_are_compared() -> None:
    old, new = node("m:f", model=node("m:Small", lr=1)), node("m:f", model=node("m:Big", lr=2))
    assert told(old, new) == [
        ("model", "changed", "Config(m.Small)", "Config(m.Big)"),
        ("model.lr", "changed", "1", "2"),
    ]


def test_an_item_that_was_put_in_moves_no_other() -> None:
    layers = [node("m:L", n=n) for n in range(4)]
    put = [*layers[:2], node("m:L", n=9), *layers[2:]]
    assert [c[:2] for c in told(node("m:f", layers=layers), node("m:f", layers=put))] == [
        ("layers[2]", "added")
    ]


def test_a_shared_value_is_named_by_its_path_not_by_a_number() -> None:
    def doc(number: int, *, extra: bool) -> dict:
        shared = {**node("m:M", lr=1), "id": number}
        more = {"first": {**node("m:X"), "id": 1}} if extra else {}
        return node("m:f", **more, a=shared, b={"$": "ref", "id": number})

    assert told(doc(1, extra=False), doc(2, extra=True)) == [("first", "added", "", "X()")]
    old = doc(1, extra=False)
    new = node("m:f", a=node("m:M", lr=1), b=node("m:M", lr=1))
    assert told(old, new) == [("b", "changed", "the same as a", "M(lr=1)")]


def test_secrets_are_covered_and_yet_differ() -> None:
    old = node("m:f", api_key="abcdef", env={"HF_TOKEN": "hf_xyz1"}, n=1)
    new = node("m:f", api_key="ghijkl", env={"HF_TOKEN": "hf_uvw2"}, n=1)
    found = differences(old, new)
    assert [c.path for c in found.changes] == ["api_key", "env['HF_TOKEN']"]
    text = repr(found)
    assert not any(secret in text for secret in ("abcdef", "ghijkl", "hf_xyz1", "hf_uvw2"))


def test_the_history_says_what_set_a_value() -> None:
    history = {
        "files": ["/home/me/train.py"],
        "nodes": {"model": [["lr", "python", 0.1, 0, 12, "main"], ["lr", "command line", 0.2]]},
    }
    earlier = {**history, "nodes": {"model": history["nodes"]["model"][:1]}}
    found = differences(
        node("m:f", model=node("m:M", lr=0.1)),
        node("m:f", model=node("m:M", lr=0.2)),
        Origins(earlier, "/home/me"),
        Origins(history, "/home/me"),
    )
    (change,) = found.changes
    assert (change.old_from, change.new_from) == ("train.py:12", "command line")


@pytest.mark.parametrize(
    "history",
    [None, [], {"nodes": 1}, {"nodes": {"": [["x", "python", 1, 7, 1]]}}, {"nodes": {"": [1, []]}}],
)
def test_a_damaged_history_says_nothing(history: object) -> None:
    found = differences(node("m:f", x=1), node("m:f", x=2), Origins(history), Origins(history))
    assert [c.path for c in found.changes] == ["x"]


@pytest.mark.parametrize(
    "odd",
    [
        {"$": "config"}, {"$": "config", "arguments": 3}, {"$": None}, {"$": ["x"]},
        {"$": "dict", "entries": [1, [2], [[], 3], ["k", 4]]}, {"$": "ref", "id": []},
        {"$": "tuple", "items": {"a": 1}}, {"$": "new-kind", "what": {"x": 1}},
    ],
)  # fmt: skip
def test_odd_documents_are_compared_and_never_an_error(odd: object) -> None:
    assert not told(odd, odd)
    assert told(odd, {"$": "config", "target": "m:f", "arguments": {"x": 1}})
    assert told(1, odd)


def run(name: str, *jobs: Job, **facts: object) -> Run:
    return Run(name, "t", jobs=jobs, packages={"a": "1"}, **facts)


def task(name: str, value: dict, *more: object, **facts: object) -> Task:
    return Task(name, {"value": value}, *more, **facts)


def point(job: str, value: float, sweep: str = "s") -> Job:
    return Job(job, (task(job, node("m:f", lr=value)),), varied=Varied(sweep, {"lr": value}))


def no_code(old: str, new: str, names: object) -> CodeChange:
    raise PackagingError(f"{old} {new}")


def test_points_of_sweeps_are_matched_by_what_was_varied() -> None:
    a = run("a", point("p1", 0.1), point("p2", 0.2), point("p3", 0.3))
    b = run("b", point("p1", 0.2), point("p2", 0.1))
    assert [(one.id, other.id) for one, other in pairs(a, b)] == [("p1", "p2"), ("p2", "p1")]
    found = compared(a, b, no_code)
    assert found.only_a == ("p3",)
    assert not found.configuration.differs


def test_one_job_and_one_job_belong_together() -> None:
    a, b = run("a", Job("x")), run("b", Job("y"))
    assert [(one.id, other.id) for one, other in pairs(a, b)] == [("x", "y")]
    assert not pairs(run("a", Job("x"), Job("z")), b)


def test_a_difference_of_many_jobs_is_told_once() -> None:
    def side(name: str, nodes: int) -> Run:
        executor = {"$": "dataclass", "class": "m:E", "fields": {"nodes": nodes}}
        return run(
            name, *(Job(f"j{n}", (task(f"j{n}", node("m:f"), executor),)) for n in range(50))
        )

    (change,) = compared(side("a", 1), side("b", 2), no_code).executor.changes
    assert change.path == "nodes"
    assert len(change.jobs) == 50
    assert compared(side("a", 1), side("b", 2), no_code).text().count("nodes") == 1


def test_a_job_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'train'"):
        compared(run("a", Job("train")), run("b", Job("x")), no_code, jobs=("trian", "x"))


def test_results_and_metrics_are_told_with_their_difference() -> None:
    def side(name: str, accuracy: float, loss: float) -> Run:
        one = task("j", node("m:f"), result={"accuracy": accuracy, "n": 1}, metrics={"loss": loss})
        return run(name, Job("j", (one,), state="SUCCEEDED"))

    found = compared(side("a", 0.5, 2.0), side("b", 0.75, 1.0), no_code).results
    assert [(c.path, c.difference) for c in found.changes] == [
        ("accuracy", 0.25),
        ("metric loss", -1.0),
    ]
    assert "+0.25 (+50%)" in compared(side("a", 0.5, 1), side("b", 0.75, 1), no_code).text()


def test_foreign_text_moves_no_cursor_and_is_no_markup() -> None:
    evil = "\x1b[2J<script>alert(1)</script>"

    def side(value: str) -> Run:
        one = Job(evil, (task(evil, node(evil, **{evil: value})),), problems={"code": (evil,)})
        return run(evil, one, git={"commit": evil, "dirty": True})

    found = compared(side(evil), side("x"), no_code)
    assert found
    assert "\x1b" not in found.text()
    page = found.html()
    assert "<script" not in page
    assert "\x1b" not in page
    json.dumps(found.to_json())


def test_code_that_is_gone_is_another_one_all_the_same() -> None:
    a, b = run("a", Job("j", tree="1" * 40)), run("b", Job("j", tree="2" * 40))
    found = compared(a, b, no_code)
    assert found.code.differs
    assert "no more is known" in found.code.notes[0]
    assert not compared(a, a, no_code)


def trees(store: Path, *versions: dict[str, bytes]) -> list[str]:
    """Keep versions of some files in a store, and return their ids."""
    kept = CodeStore(store)
    kept.make()
    git = of_store(str(store))
    found = []
    for files in versions:
        lines = b""
        for path, content in sorted(files.items()):
            blob = git.run("hash-object", "-w", "--stdin", input=content).strip()
            lines += b"100644 blob " + blob + b"\t" + path.encode() + b"\n"
        tree = git.run("mktree", input=lines).decode().strip()
        kept.record(tree, "test")
        found.append(tree)
    return found


def test_git_says_what_differs_between_trees_of_two_stores(tmp_path: Path) -> None:
    (old,) = trees(
        tmp_path / "a.git", {"f.py": b"x = 1\n", "gone": b"was here\n", "b.bin": b"\0\1"}
    )
    (new,) = trees(tmp_path / "b.git", {"f.py": b"x = 2\n", "é new": b"1\n2\n", "b.bin": b"\0\2"})
    found = difference(old, new, ["j"], [str(tmp_path / "a.git"), str(tmp_path / "b.git")])
    told = {file.path: (file.kind, file.added, file.removed) for file in found.files}
    assert told == {
        "f.py": ("changed", 1, 1),
        "gone": ("removed", 0, 1),
        "é new": ("added", 2, 0),
        "b.bin": ("changed", None, None),
    }
    assert "-x = 1\n+x = 2\n" in found.patch
    assert "Binary files" in found.patch


def test_a_huge_patch_is_cut_unless_all_of_it_is_asked_for(tmp_path: Path) -> None:
    many = b"".join(b"line %d\n" % n for n in range(100_000))
    old, new = trees(tmp_path / "s.git", {"f": b""}, {"f": many})
    cut = difference(old, new, ["j"], [str(tmp_path / "s.git")])
    assert cut.cut
    assert 100_000 < len(cut.patch) <= 200_000
    assert cut.patch.endswith("\n")
    whole = difference(old, new, ["j"], [str(tmp_path / "s.git")], full=True)
    assert not whole.cut
    assert "+line 99999\n" in whole.patch


@pytest.mark.parametrize("tree", ["0" * 40, "--help", "x" * 40, ""])
def test_a_tree_that_is_none_is_a_sentence(tmp_path: Path, tree: str) -> None:
    (old,) = trees(tmp_path / "s.git", {"f": b""})
    with pytest.raises(PackagingError):
        difference(old, tree, ["j"], [str(tmp_path / "s.git")])


def test_import_nemo_run_loads_none_of_it() -> None:
    code = "import sys, nemo_run; print([m for m in sys.modules if 'compare' in m])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=True,
    )
    assert json.loads(done.stdout.replace("'", '"')) == []
