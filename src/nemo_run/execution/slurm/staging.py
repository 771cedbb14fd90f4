"""Bringing the code of jobs to where the cluster finds it: once a snapshot, by what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.config.home import get_nemorun_home
from nemo_run.exceptions import BackendError

from .arrays import MAX_ARRAY_SIZE
from .connections import ask, store_of
from .handles import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.packaging.store import CodeStore
    from nemo_run.remote import Tunnel

_BASES = 20
"""How many of the target's latest snapshots a new one is compared with."""


def stage(host: str, tunnel: Tunnel, specs: Sequence[JobSpec]) -> int:
    """Have the code of jobs on the target, and return the cluster's MaxArraySize.

    Args:
        host: The host, as handles name it.
        tunnel: The way there.
        specs: The jobs.

    Raises:
        BackendError: The target cannot be reached, or does not take the code.
        PackagingError: The code is not in our own store any more.
    """
    trees = list(dict.fromkeys((store_of(s.options), s.code) for s in specs if s.code))
    is_array = any(spec.array is not None for spec in specs)
    if host == LOCAL:
        _write_here(trees)
        trees = []
    if not trees and not is_array:
        return MAX_ARRAY_SIZE
    from nemo_run.packaging.receiving import KNOWN

    request = {"op": "probe", "trees": trees, "known": KNOWN, "arrays": is_array}
    answer = ask(tunnel, request)
    missing = [(store, tree) for store, tree in trees if [store, tree] not in answer["tars"]]
    if missing:
        _send(tunnel, missing, answer)
    return int(answer["max_array_size"] or MAX_ARRAY_SIZE)


def _write_here(trees: Iterable[tuple[str, str]]) -> None:
    for store, tree in trees:
        file = Path(_tar(store, tree))
        if not file.exists():
            atomic.make_folder(file.parent)
            _ours().write_tar(tree, file)


def _send(tunnel: Tunnel, missing: list[tuple[str, str]], probed: dict[str, Any]) -> None:
    from nemo_run.packaging.receiving import RECEIVE

    request = {
        "op": "receive",
        "script": RECEIVE if probed["git"] else "",
        "trees": [[f"{store}/code.git", tree, _tar(store, tree)] for store, tree in missing],
    }
    answer = ask(tunnel, request, _Framed(missing, probed), timeout=900.0)
    if "refused" in answer:
        raise NotTakenError(
            f"The code cannot be sent to {tunnel.key}: {answer['refused']} Choose another job_dir."
        )


class NotTakenError(BackendError):
    """The target does not take the code, and will not by waiting."""


@dataclass(frozen=True)
class _Framed:
    """Archives or packs: pieces behind their lengths, and a length of 0 after each.

    They can be gone through again: what was cut off is sent a second time.
    """

    missing: list[tuple[str, str]]
    probed: dict[str, Any]

    def __iter__(self) -> Iterator[bytes]:
        return _framed(self.missing, self.probed)


def _framed(missing: list[tuple[str, str]], probed: dict[str, Any]) -> Iterator[bytes]:
    known = {store: list(trees)[-_BASES:] for store, trees in probed["known"].items()}
    for store, tree in missing:
        bases = known.setdefault(store, [])
        ours = _ours()
        pieces = ours.pack_for(tree, bases) if probed["git"] else ours.tar_stream(tree)
        for piece in pieces:
            if piece:
                yield b"%d\n" % len(piece) + piece
        yield b"0\n"
        bases.append(tree)


def _tar(store: str, tree: str) -> str:
    return f"{store}/code/{tree}.tar"


def _ours() -> CodeStore:
    from nemo_run.packaging.store import CodeStore

    return CodeStore(Path(get_nemorun_home(), "code.git"))
