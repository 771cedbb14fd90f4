"""Members of a group that have names of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import PlanError


def scripts(count: int) -> list[run.Script]:
    return [run.Script(inline=f"echo {number}") for number in range(count)]


def test_logs_and_results_go_by_the_names() -> None:
    experiment = run.Experiment("t", clean_mode=True)
    experiment.add(scripts(2), run.LocalExecutor(), name="g", members=["server", "client"])
    results = experiment.run()
    assert results["g"] == {"server": None, "client": None}
    logs = Path(experiment._exp_dir, "jobs/g/logs/1")
    assert (logs / "client/rank-0.log").read_text() == "1\n"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (["server"], "2 different names"),
        (["server", "server"], "2 different names"),
        (["server", "logs"], "a folder of the job is"),
        (["server", ""], "empty"),
    ],
)
def test_names_that_cannot_be(members: list[str], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        run.Experiment("t").add(scripts(2), run.LocalExecutor(), members=members)


def test_a_text_is_no_list_of_names() -> None:
    with pytest.raises(TypeError, match="a list with a name for each member"):
        run.Experiment("t").add(scripts(2), run.LocalExecutor(), members="ab")
