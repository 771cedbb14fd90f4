"""Where the files of an experiment lie. Described for users in ``docs/storage.md``."""

from __future__ import annotations

from pathlib import Path

from . import names

FORMAT = 1
"""The version of the layout. A later one may add files and fields; see ``docs/storage.md``."""

EXPERIMENTS = "experiments"
META = "experiment.json"
JOURNAL = "events.jsonl"
JOBS = "jobs"
LOCATIONS = "locations"
INDEX = "index.db"

# Names that start with a dot are ours: no experiment or title has one.
UNFINISHED = ".new"
DELETED = ".deleted"


def home() -> Path:
    """Return ``$NEMORUN_HOME``, read now."""
    from nemo_run.config.home import get_nemorun_home

    return Path(get_nemorun_home()).expanduser().absolute()


def base(base_dir: str | Path | None) -> Path:
    """Return the folder that holds ``experiments/``: ``base_dir``, or else the home."""
    return Path(base_dir).expanduser().absolute() if base_dir else home()


def title_folder(base_dir: Path, title: str) -> Path:
    """Return the folder of all experiments with a title."""
    return base_dir / EXPERIMENTS / names.folder(title, "experiment title")


def job_folder(experiment: Path, job: str) -> Path:
    """Return the folder of a job."""
    return experiment / JOBS / names.folder(job, "job name")


def attempt_folder(experiment: Path, job: str, attempt: int) -> Path:
    """Return the folder of one try of a job, from 1."""
    return job_folder(experiment, job) / "attempts" / str(attempt)
