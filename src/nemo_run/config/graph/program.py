"""The program: the module ``__main__``, which others may import by a name.

Imported by that name it would be run once more, and its classes would be others than those that
the program works with. So the program takes the name itself, before anything imports it.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

MAIN = "__main__"


def take_own_name() -> None:
    """Let what imports the running script from now on get the script itself.

    Nothing is done where the name is taken, or where an import would find something else.
    """
    main = sys.modules.get(MAIN)
    name = _name_of(main)
    if main is not None and name and name not in sys.modules and _is_found_as(name, main):
        sys.modules[name] = main


def own_name() -> str | None:
    """Return the name by which the program can be imported, if it has taken it."""
    main = sys.modules.get(MAIN)
    name = _name_of(main)
    return name if name and sys.modules.get(name) is main else None


def _name_of(main: ModuleType | None) -> str | None:
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != MAIN:  # python -m package.module
        return str(spec.name)
    stem = Path(getattr(main, "__file__", None) or "").stem
    return stem if stem.isidentifier() and stem != MAIN else None


def _is_found_as(name: str, main: ModuleType) -> bool:
    try:
        found = find_spec(name)
        return found is not None and Path(found.origin or "").samefile(main.__file__ or "")
    except (ImportError, AttributeError, OSError, ValueError):
        return False
