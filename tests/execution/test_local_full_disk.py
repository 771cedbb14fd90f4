"""A disk that fills up while a job runs does not hide how the job ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STORY = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from local_jobs import Place
from nemo_run.execution.local.client import LocalBackend
place = Place(Path("/mnt/jobs"))
spec = place.spec("full", "sh", "-c", "dd if=/dev/zero of=/mnt/jobs/fill 2>/dev/null; exit 7",
    processes_per_node={processes})
place.end(handle := place.start(spec))
try:
    Path("/mnt/jobs/probe").write_bytes(b"x" * 4096)
except OSError:
    print("the disk is full")
seen = LocalBackend().poll([handle])[handle]
print(seen.state, seen.exit_code)
again = place.spec("more", "true")
print(type(place.backend.submit([place.rendered(again)])[again.token]).__name__)
Path("/mnt/jobs/fill").unlink()
print(place.end(place.start(again)).state)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk in a namespace")
@pytest.mark.parametrize("processes", [1, 2])
def test_the_record_is_written_on_a_full_disk(processes: int) -> None:
    story = STORY.format(tests=str(Path(__file__).parent), processes=processes)
    mount = 'mount -t tmpfs -o size=200k tmpfs /mnt && mkdir /mnt/jobs && exec "$@"'
    enter = ["unshare", "--mount", "--map-root-user", "--user", "sh", "-c", mount, "sh"]
    if subprocess.run([*enter, "true"], capture_output=True).returncode != 0:
        if os.environ.get("CI"):
            enter.remove("--user"), enter.remove("--map-root-user")
        else:
            pytest.skip("this machine lets nobody mount a disk")
    done = subprocess.run(
        [*enter, sys.executable, "-c", story], capture_output=True, text=True, timeout=60
    )
    told = ["the disk is full", "FAILED 7", "ShortageError", "SUCCEEDED"]
    assert done.stdout.splitlines() == told, done.stderr
