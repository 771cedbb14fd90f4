"""Whatever Python a function uses, building its configuration gives what it would have returned."""

# ruff: noqa: C416, UP031

from __future__ import annotations

import contextlib
import copy
import itertools
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.config.files.serializers import ZlibJSONSerializer


@dataclass
class Node:
    value: Any = None
    parts: Any = field(default_factory=list)
    name: str = "node"


def squares(n: int) -> Node:
    return Node(parts=[Node(i**2, name=f"{i:>3}|{i!r}|{n=}") for i in range(n) if i % 2 == 0])


def nested(n: int) -> Node:
    return Node(parts=[[Node((i, j)) for j in range(i)] for i in range(n)])


def walrus(n: int) -> list[Node]:
    return [Node(double) for i in range(n) if (double := i * 2) > 2]


def while_else(n: int) -> Node:
    node = Node(0)
    while n:
        node = Node(n, [node])
        n -= 1
        if n == 7:
            break
    else:
        node = Node("done", [node])
    return node


def generator_inside(n: int) -> Node:
    def numbers():
        for i in range(n):
            if i == 2:
                continue
            yield i

    return Node(list(numbers()), [Node(x) for x in numbers()])


def dictionaries(n: int) -> Node:
    options = {"value": n, **({"name": "big"} if n > 2 else {})}
    merged = options | {"parts": [Node()]}
    return Node(**merged)


def ordering(n: int) -> Node:
    nodes = [Node(i, name=str(-i)) for i in range(n)]
    by_name = sorted(nodes, key=lambda node: node.name)
    return Node(parts=[*by_name[::2], *reversed(nodes), nodes[-1] if nodes else Node("none")])


def chained(n: int) -> Node:
    return Node("middle" if 1 < n <= 3 else "edge", [not n, n and 5, n or Node("zero")])


def unpacking(n: int) -> Node:
    first, *rest = [Node(i) for i in range(n + 1)]
    (a, b), c = ("xy", n)
    first.parts = rest
    first.name = a + b * c
    return first


def counting(n: int) -> Node:
    counts = Counter("abracadabra"[:n])
    groups = defaultdict(list)
    for letter, count in counts.items():
        groups[count].append(Node(letter))
    return Node({k: v for k, v in sorted(groups.items())}, OrderedDict(a=Node(1)))


def matching(n: int) -> Node:
    match {"n": n, "pair": (n, n + 1)}:
        case {"n": 0 | 1}:
            return Node("few")
        case {"n": int(x), "pair": (_, y)} if x < 3:
            return Node((x, y))
        case {"pair": [a, *_]}:
            return Node(a, [Node(a)])


def tries(n: int) -> Node:
    found = []
    for i in range(n):
        with contextlib.suppress(ZeroDivisionError):
            found.append(Node(10 // (i - 1)))
    try:
        value = int("x" if n > 2 else "5")
    except ValueError as error:
        value = str(error)
    else:
        value += 1
    finally:
        found.append(Node("end"))
    return Node(value, found)


def mutating(n: int) -> Node:
    root = Node(parts={})
    for key in "ab"[:n]:
        root.parts[key] = Node(key)
        root.parts.setdefault("all", []).append(root.parts[key])
    root.parts.pop("b", None)
    root.value = len(root.parts)
    return root


def products(n: int) -> list[Node]:
    return [Node(pair) for pair in itertools.product("ab", repeat=min(n, 3))]


def copies(n: int) -> tuple[Node, Node]:
    one = Node(n, [Node("inner")])
    other = copy.deepcopy(one)
    other.parts[0].value = "changed"
    return one, other


def keyword_only(n: int, *more: int, name: str = "k", **rest: int) -> dict[str, Node]:
    return {"n": Node(n, name=name), **{key: Node(value) for key, value in rest.items()}}


def texts(n: int) -> Node:
    """A documented one."""
    lines = "\n".join(f"{i}: {'odd' if i % 2 else 'even'}" for i in range(n))
    return Node(lines.upper().split("\n"), name="%s-%d" % ("a", n))


FUNCTIONS = [
    squares,
    nested,
    walrus,
    while_else,
    generator_inside,
    dictionaries,
    ordering,
    chained,
    unpacking,
    counting,
    matching,
    tries,
    mutating,
    products,
    copies,
    keyword_only,
    texts,
]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_building_the_configuration_gives_the_objects(function: Any, n: int) -> None:
    made = run.autoconvert(function)(n)
    assert build(made) == function(n)
    if isinstance(made, run.Config):
        # and it can travel
        text = ZlibJSONSerializer().serialize(made)
        assert build(ZlibJSONSerializer().deserialize(text)) == function(n)
