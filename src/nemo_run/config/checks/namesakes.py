"""Two classes of one name: the file of a script that was loaded twice, or two of a library."""

from __future__ import annotations

from typing import Any

from nemo_run.config.alternatives import alternatives, kind_of
from nemo_run.config.graph.node import is_node

from .build_types import built_alternatives


def namesake(value: Any, hint: Any) -> str:
    """Return the sentence that tells a value's class from one of the same name, if it is needed.

    Args:
        value: A value, or a configuration of one, that does not fit.
        hint: What was expected.
    """
    made = [built.kind for built in built_alternatives(value)] if is_node(value) else [type(value)]
    bases = [base for kind in made for base in kind.__mro__]
    for expected in map(kind_of, alternatives(hint)):
        name = getattr(expected, "__qualname__", None)
        found = next((base for base in bases if base.__qualname__ == name), expected)
        if found is not expected:
            return (
                f" There are two classes {name}: that of {found.__module__} is given, and that of "
                f"{expected.__module__} is expected."
            )
    return ""
