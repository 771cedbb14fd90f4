"""Code trees in a remote home: each once, as a pack that builds on one that is there already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import StoreError
from nemo_run.management.sharing import trees

from .blobs import in_pieces
from .manifests import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .blobs import Reader, Sender
    from .place import Place

FOLDER = "trees"
FORMAT = 1
_DEEPEST = 50
_LARGEST = 16 << 20


def push(place: Place, sender: Sender, wanted: Sequence[str], there: dict[str, int]) -> list[str]:
    """Send code trees that are not there yet, and return those that are not kept here either.

    Args:
        place: Where to.
        sender: Sends their packs.
        wanted: The trees.
        there: Those that are there, with the number of packs that each builds on; added to.
    """
    store, missing = trees.store(), []
    for tree in wanted:
        if tree in there:
            continue
        if not store.has(tree):
            missing.append(tree)
            continue
        base = next((t for t in store.trees() if there.get(t, _DEEPEST) < _DEEPEST), None)
        pack = store.pack_for(tree, [base] if base else [])
        blobs = [sender.send(piece) for piece in in_pieces(pack)]
        sender.finish()
        document = {"format": FORMAT, "tree": tree, "base": base, "blobs": blobs}
        content = json.dumps(document).encode() + b"\n"
        depth = there[base] + 1 if base else 0
        place.write(f"{FOLDER}/{tree}~{depth}~{digest_of(content)}.json", content)
        there[tree] = depth
    return missing


def listed(place: Place) -> dict[str, tuple[int, str]]:
    """Return for each tree that is there how many packs it builds on, and the name of its file."""
    found: dict[str, tuple[int, str]] = {}
    for name in place.names(FOLDER):
        tree, _, rest = name.removesuffix(".json").partition("~")
        depth, _, digest = rest.partition("~")
        if trees.is_tree(tree) and depth.isascii() and depth.isdigit() and len(digest) == 32:
            one = int(depth), name
            found[tree] = min(found.get(tree, one), one)
    return found


def pull(place: Place, reader: Reader, wanted: Iterable[str]) -> list[str]:
    """Bring code trees that are not kept here; return those that are not there either.

    Raises:
        StoreError: Something is damaged.
    """
    store = trees.store()
    needed = [tree for tree in wanted if not store.has(tree)]
    there = listed(place) if needed else {}
    missing = [tree for tree in needed if tree not in there]
    for tree in needed:
        if tree in missing:
            continue
        chain = _chain(place, tree, there)
        with trees.Arriving(store) as arriving:
            for document in reversed(chain):
                arriving.take(reader.read(blob) for blob in document["blobs"])
            arriving.keep([tree], f"pulled from {place.shown}")
    return missing


def _chain(place: Place, tree: str, there: dict[str, tuple[int, str]]) -> list[dict[str, Any]]:
    """Return what is to be taken, the last first."""
    store = trees.store()
    found: list[dict[str, Any]] = []
    one: str | None = tree
    while one is not None and not store.has(one):
        if one not in there or len(found) > 2 * _DEEPEST:
            raise StoreError(f"The code {tree} in {place.shown} builds on what is not there.")
        document = _read(place, one, there[one][1])
        found.append(document)
        one = document["base"]
    return found


def _read(place: Place, tree: str, name: str) -> dict[str, Any]:
    content = place.read(f"{FOLDER}/{name}", _LARGEST)
    try:
        said = json.loads(content)
        base, blobs = said["base"], said["blobs"]
        right = digest_of(content) in name and said["tree"] == tree and said["format"] == FORMAT
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{FOLDER}/{name} in {place.shown} is damaged.") from error
    hashes = isinstance(blobs, list) and all(isinstance(b, str) and len(b) == 64 for b in blobs)
    if not right or not hashes or not (base is None or trees.is_tree(base)):
        raise StoreError(f"{FOLDER}/{name} in {place.shown} is damaged.")
    return {"base": base, "blobs": blobs}
