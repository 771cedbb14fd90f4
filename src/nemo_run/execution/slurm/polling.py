"""The state of all jobs on a cluster: one query for all processes of the user, kept in a file."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import time
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import BackendError
from nemo_run.execution.observation import Observation, Reason, State

from . import states
from .connections import ask, place, reach

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nemo_run.execution.jobspec import Handle

    from .handles import Place

SHORTEST = 2.0
"""Seconds between two queries while something moves."""

LONGEST = 30.0
"""Seconds between two queries while nothing does."""

GAP = 1.0
"""Seconds between two queries whatever happens."""

_MISSES = 3
"""How many queries in a row must miss a job before it can be lost."""

_FORGET = 3600.0
_INTEREST = 120.0
_NO_ACCOUNTING = 3600.0
_PATIENCE = 240.0
_UNLOCKABLE = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS})


class Cluster:
    """What is known of the jobs behind one host.

    The file ``connections/<host>.status`` holds what the last query said, for whoever asks next;
    who asks adds its jobs, so that the next query, whoever makes it, is for all of them.

    Args:
        host: The host, as handles name it.
    """

    def __init__(self, host: str) -> None:
        self.host = host

    def look(self, places: Mapping[Handle, Place]) -> dict[Handle, Observation]:
        """Return the state of jobs, as old as it may be or newly asked for.

        Raises:
            BackendError: The cluster did not answer.
        """
        while True:
            with self._locked() as known:
                now = time.time()
                for handle in places:
                    job = known["jobs"].setdefault(handle, {"seen": None, "asked": 0.0})
                    if now - job["asked"] > _INTEREST / 4:
                        job["asked"], known["changed"] = now, True
                unseen = any(known["jobs"][handle]["seen"] is None for handle in places)
                if not unseen and not self._is_due(known, places, now):
                    return _answers(known, places)
                left = known["time"] + GAP - now
                if left <= 0:
                    self._refresh(known, places, now)
                    return _answers(known, places)
            # Others come at the same moment: one of them asks for all.
            time.sleep(min(left, GAP))

    def due(self) -> float:
        """Return in how many seconds the next query may be made."""
        known = _read(self._path)
        return max(0.0, float(known["due"]) - time.time())

    def moved(self) -> None:
        """Let the next one who looks ask anew: something was started or ended."""
        with self._locked() as known:
            known["due"], known["interval"], known["changed"] = 0.0, SHORTEST, True

    def verified(self, whose: Mapping[Handle, str]) -> set[str]:
        """Return those submissions that were found to have these handles before."""
        jobs = _read(self._path)["jobs"]
        return {t for handle, t in whose.items() if jobs.get(handle, {}).get("token") == t}

    def note(self, whose: Mapping[Handle, str]) -> None:
        """Remember whose handles these are, so that a look need not ask for that again."""
        with self._locked() as known:
            for handle, token in whose.items():
                job = known["jobs"].setdefault(handle, {"seen": None, "asked": time.time()})
                known["changed"] = known.get("changed") or job.get("token") != token
                job["token"] = token

    @property
    def queries(self) -> int:
        """How many queries all processes have made so far."""
        return int(_read(self._path)["queries"])

    @property
    def _path(self) -> Path:
        return place(self.host, ".status")

    def _is_due(self, known: Mapping[str, Any], places: Mapping[Handle, Place], now: float) -> bool:
        return now >= known["due"] and any(not _is_over(known["jobs"][h]) for h in places)

    def _refresh(self, known: dict[str, Any], places: Mapping[Handle, Place], now: float) -> None:
        from .handles import place_of

        jobs = known["jobs"]
        for handle in [h for h, job in jobs.items() if now - job["asked"] > _FORGET]:
            del jobs[handle]
        asked = {
            handle: places.get(handle) or place_of(handle)
            for handle, job in jobs.items()
            if not _is_over(job) and (handle in places or now - job["asked"] < _INTEREST)
        }
        wanted = {handle: at for handle, at in asked.items() if at is not None}
        no_accounting = now - known.get("no_accounting", 0.0) < _NO_ACCOUNTING
        request = {
            "op": "poll",
            "jobs": [
                [at.id, at.cluster, at.folder, jobs[handle].get("own", False)]
                for handle, at in wanted.items()
            ],
            "accounting": not no_accounting,
        }
        known["time"], known["due"] = now, now + known["interval"]
        known["queries"] += 1
        known["changed"] = True
        answer = ask(reach(self.host), request)
        if "disabled" in answer["accounting"]:
            known["no_accounting"], no_accounting = now, True
        changed = False
        for handle, at in wanted.items():
            job = jobs[handle]
            job["own"] = [at.id, at.folder] not in answer["foreign"]
            seen = _to_json(_observed(at, answer, job, accounting=not no_accounting, now=now))
            changed = changed or seen != job["seen"]
            job["seen"] = seen
        quiet = min(known["interval"] * 1.5, LONGEST)
        known["interval"] = SHORTEST if changed else quiet
        known["time"] = time.time()
        known["due"] = known["time"] + known["interval"]

    @contextlib.contextmanager
    def _locked(self) -> Iterator[dict[str, Any]]:
        with _lock(place(self.host, ".lock")):
            known = _read(self._path)
            try:
                yield known
            finally:
                self._write(known)

    def _write(self, known: dict[str, Any]) -> None:
        if not known.pop("changed", False) or not self._path.parent.exists():
            return
        # No sync: it is a cache.
        temporary = self._path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(known), encoding="utf-8")
        temporary.replace(self._path)


def look(places: Mapping[Handle, Place]) -> dict[Handle, Observation]:
    """Look at jobs on any hosts, one query a host at the most.

    Raises:
        BackendError: None of the hosts answered.
    """
    by_host: dict[str, dict[Handle, Place]] = {}
    for handle, at in places.items():
        by_host.setdefault(at.host, {})[handle] = at
    seen: dict[Handle, Observation] = {}
    failed: dict[str, BackendError] = {}
    for host, theirs in by_host.items():
        try:
            seen.update(Cluster(host).look(theirs))
        except BackendError as error:
            failed[host] = error
    if failed and len(failed) == len(by_host):
        raise next(iter(failed.values()))
    for host, why in failed.items():
        unknown = Observation(State.UNKNOWN, message=str(why))
        seen.update(dict.fromkeys(by_host[host], unknown))
    return seen


def _observed(
    at: Place, answer: Mapping[str, Any], job: dict[str, Any], *, accounting: bool, now: float
) -> Observation:
    rows = [states.row(r[1:]) for r in answer["queue"] if _is_of(r[0], r[1], at)]
    accounts = [states.account(r[1:]) for r in answer["accounts"] if _is_of(r[0], r[1], at)]
    fields = answer["records"].get(at.folder)
    if rows:
        job.pop("missing", None)
        job.pop("misses", None)
    else:
        job["misses"] = job.get("misses", 0) + 1
    number = at.folder.rpartition("/")[2]
    return states.observe(
        rows,
        accounts,
        states.record(fields) if fields else None,
        attempt=int(number) if number.isdecimal() else 1,
        unseen=0.0 if rows else _unseen(job, now),
        accounting=accounting,
        now=now,
    )


def _unseen(job: dict[str, Any], now: float) -> float:
    """Return for how long a job was missing; on a busy machine two looks may be minutes apart."""
    missing = now - float(job.setdefault("missing", now))
    return missing if job["misses"] >= _MISSES else min(missing, states.PATIENCE)


def _is_of(cluster: str, job: str, at: Place) -> bool:
    return cluster == at.cluster and (job == at.id or job.partition("+")[0] == at.id)


def _answers(known: Mapping[str, Any], places: Mapping[Handle, Place]) -> dict[Handle, Observation]:
    return {handle: _from_json(known["jobs"][handle]["seen"]) for handle in places}


def _is_over(job: Mapping[str, Any]) -> bool:
    return job["seen"] is not None and State(job["seen"]["state"]).terminal


def _to_json(seen: Observation) -> dict[str, Any]:
    return json.loads(json.dumps(dataclasses.asdict(seen)))  # type: ignore[no-any-return]


def _from_json(fields: Mapping[str, Any]) -> Observation:
    members = tuple((name, _from_json(one)) for name, one in fields["members"])
    state, reason = State(fields["state"]), Reason(fields["reason"])
    return Observation(**{**fields, "state": state, "reason": reason, "members": members})


_SENSELESS = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    RecursionError,
)


def _read(path: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "time": 0.0,
        "due": 0.0,
        "interval": SHORTEST,
        "queries": 0,
        "jobs": {},
    }
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return _sensible({**empty, **known}, time.time()) if isinstance(known, dict) else empty
    except _SENSELESS:
        return empty


def _sensible(known: dict[str, Any], now: float) -> dict[str, Any]:
    """Return what was kept, so that it holds nobody up.

    A clock that was set back, or that of another machine, may have put its times into the future.

    Raises:
        ValueError: It is nothing that we wrote. So do TypeError, LookupError and AttributeError.
    """
    for name, latest in (("time", now), ("due", now + LONGEST)):
        known[name] = float(known[name]) if float(known[name]) <= latest else 0.0
    known["interval"] = min(max(SHORTEST, float(known["interval"])), LONGEST)
    known["queries"] = int(known["queries"])
    for job in known["jobs"].values():
        job["asked"] = min(float(job["asked"]), now)
        if job["seen"] is not None:
            _from_json(job["seen"])
    return known


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold the lock of a file; where the file system has none, go on without."""
    home = path.parent.parent
    if not home.exists():
        # Somebody has removed it; a look must not make it again.
        yield
        return
    atomic.make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _is_locked(descriptor):
            if time.monotonic() > deadline:
                raise BackendError(
                    f"Another process has been asking the cluster for {_PATIENCE:g} s and holds "
                    f"{path}."
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    import fcntl

    for way in (fcntl.flock, fcntl.lockf):
        try:
            way(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                return False
            if error.errno not in _UNLOCKABLE:
                raise
    return True
