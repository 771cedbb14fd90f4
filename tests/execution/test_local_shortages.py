"""What runs out for a while ends no job: it is taken when there is enough again."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from local_jobs import PATIENCE, Place

HEAD = """
import os, resource, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from local_jobs import Place
from nemo_run.exceptions import ShortageError
place = Place(Path({folder!r}))
"""


def told(place: Place, story: str) -> list[str]:
    """Run a story in a process of its own, whose limits may be lowered, and return what it says."""
    head = HEAD.format(tests=str(Path(__file__).parent), folder=str(place.folder))
    done = subprocess.run(
        [sys.executable, "-c", head + story], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


WITHOUT_DESCRIPTORS = """
spec = place.spec("later", "true")
rendered = place.rendered(spec)
held = []
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
for free in range(8):
    answer = place.backend.submit([rendered])[spec.token]
    if isinstance(answer, str):
        break
    print(type(answer).__name__)
    os.close(held.pop())
for descriptor in held:
    os.close(descriptor)
print(place.end(answer).state)
"""


def test_a_full_table_of_descriptors_means_later(place: Place) -> None:
    """At every point where the start of a job may find it full."""
    *before, end = told(place, WITHOUT_DESCRIPTORS)
    assert len(before) >= 3
    assert set(before) == {"ShortageError"}
    assert end == "SUCCEEDED"


MANY = """
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
specs = [place.spec(f"job{number}", "sleep", "0.5") for number in range(24)]
handles = [place.start(spec) for spec in specs]
place.backend.poll(handles)
place.backend.wait(handles, 0.05)
seen = place.backend.poll(handles).values()
print(sum(str(one.state) == "UNKNOWN" for one in seen))
print({str(place.end(handle).state) for handle in handles})
"""


def test_many_jobs_need_few_descriptors(place: Place) -> None:
    assert told(place, MANY) == ["0", "{'SUCCEEDED'}"]


WITHOUT_PROCESSES = """
spec = place.spec("later", "true")
rendered = place.rendered(spec)
if os.getuid() == 0:
    # The superuser is bound by no limit.
    os.chown(place.folder, 12345, 12345)
    os.setuid(12345)
_, hard = resource.getrlimit(resource.RLIMIT_NPROC)
resource.setrlimit(resource.RLIMIT_NPROC, (0, hard))
print(type(place.backend.submit([rendered])[spec.token]).__name__)
print(place.backend.find([spec]))
resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
print(place.end(place.backend.submit([rendered])[spec.token]).state)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit counts differently elsewhere")
def test_a_full_table_of_processes_means_later(place: Place) -> None:
    for folder in place.folder.parents if os.getuid() == 0 else ():
        folder.chmod(folder.stat().st_mode | 0o011)
    assert told(place, WITHOUT_PROCESSES) == ["ShortageError", "{}", "SUCCEEDED"]


UMASK = """
os.umask(0)
spec = place.spec("open", "sh", "-c", "umask; : >of_the_user")
print(place.end(place.start(spec)).state, place.log(spec).strip())
"""


def test_records_are_private_and_the_job_keeps_its_umask(place: Place) -> None:
    assert told(place, UMASK) == ["SUCCEEDED 0000"]
    attempt = place.folder / "open/attempts/1"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in attempt.iterdir()}
    assert modes == {"claim": 0o600, "exit": 0o600, "launch.log": 0o600, "launch.sh": 0o700}
    assert stat.S_IMODE((place.folder / "of_the_user").stat().st_mode) == 0o666
