"""Jobs run the code that was there when they were launched."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LAUNCH = """\
import sys
import nemo_run as run
from mylib.work import go

if __name__ == "__main__":
    executor = run.LocalExecutor(packager=run.GitArchivePackager())
    run.run(run.Partial(go), executor=executor, name="go")
"""
WORK = "import mylib\n\ndef go():\n    print('imported', mylib.__file__, flush=True)\n"


def launch(script: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, **variables},
        cwd=script.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_package_below_src_is_imported_from_the_snapshot_through_links_too(
    new_repository, tmp_path
):
    """The launching process may know the repository by another path than git does."""
    repo = new_repository(
        files={"launch.py": LAUNCH, "src/mylib/__init__.py": "", "src/mylib/work.py": WORK}
    )
    (tmp_path / "link").symlink_to(repo.path)
    for place in (repo.path, tmp_path / "link"):
        said = launch(place / "launch.py", PYTHONPATH=str(place / "src"))
        (line,) = [line for line in said.splitlines() if line.startswith("imported")]
        assert line.endswith("/jobs/go/code/src/mylib/__init__.py")
        assert "nemo_run_home" in line


def test_an_edit_after_the_launch_does_not_reach_jobs_that_wait(new_repository, home):
    """The first job changes the code, as its author may while the second one is in the queue."""
    repo = new_repository(
        files={
            "launch.py": """\
import nemo_run as run

if __name__ == "__main__":
    executor = run.LocalExecutor(packager=run.GitArchivePackager())
    with run.Experiment("edit", executor=executor) as experiment:
        edit = run.Script(inline="echo print\\\\(2\\\\) >$REPO/work.py; cat $REPO/work.py >&2")
        first = experiment.add(edit, name="first")
        for number in range(3):
            experiment.add(
                run.Script("work.py"), name=f"after{number}", dependencies=[first]
            )
        experiment.run()
""",
            "work.py": "print('as launched')\n",
        }
    )
    said = launch(repo.path / "launch.py", REPO=str(repo.path))
    assert (repo.path / "work.py").read_text() == "print(2)\n"
    logs = sorted(home.glob("experiments/edit/*/jobs/after*/logs/1/rank-0.log"))
    assert [log.read_text() for log in logs] == ["as launched\n"] * 3, said
    assert len(list((home / "code").iterdir())) == 1  # one snapshot for all of them
