"""A comparison of two experiments, as data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTIONS = ("configuration", "code", "packages", "environment", "executor", "results")

# How it looks is the business of the console room, which this room must not import: the names are
# resolved when somebody looks.
_TEXT = "nemo_run.console.comparison", "text"
_PAGE = "nemo_run.console.comparison_page", "page_of"


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    Attributes:
        id: The experiment's id.
        title: Its title.
        job: The job, where two jobs are compared; else empty.
    """

    id: str
    title: str
    job: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return f"{self.id}/{self.job}" if self.job else self.id


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        path: Where: ``model.lr``, the name of a package or of a variable.
        kind: ``added``: only B has it. ``removed``: only A has it.
        old: What A has, to be read; secrets are covered.
        new: What B has.
        old_value: The same as data of JSON, with secrets covered.
        new_value: The same of B.
        old_from: What set it in A: ``train.py:12``, ``command line``; empty where nobody says.
        new_from: The same of B.
        difference: Of two numbers, how far apart they are.
        jobs: The jobs in which it differs so; empty where it concerns the whole experiment.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    old: str = ""
    new: str = ""
    old_value: Any = None
    new_value: Any = None
    old_from: str = ""
    new_from: str = ""
    difference: float | None = None
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileChange:
    """A file that differs between two trees of code.

    Attributes:
        path: The file, in B where it is in both.
        kind: What happened to it.
        added: How many lines; None of a binary file.
        removed: How many lines; None of a binary file.
        old_path: Where it was in A, if it was moved.
    """

    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    added: int | None = None
    removed: int | None = None
    old_path: str = ""


@dataclass(frozen=True)
class CodeChange:
    """The difference of two trees of code.

    Attributes:
        old: The id of A's git tree.
        new: The id of B's.
        jobs: The jobs that had these.
        files: What differs.
        patch: ``git diff`` of the two.
        cut: Whether the patch goes on; ``full`` gives all of it.
    """

    old: str
    new: str
    jobs: tuple[str, ...]
    files: tuple[FileChange, ...] = ()
    patch: str = field(default="", repr=False)
    cut: bool = False


@dataclass(frozen=True)
class Section:
    """One part of a comparison.

    Attributes:
        name: One of :data:`SECTIONS`.
        changes: What differs.
        code: The trees that differ, where this is about code.
        notes: Sentences: what could not be compared, and why.
        equal: How many values are equal.
        unknown: Whether something could not be compared, so that it may differ.
    """

    name: str
    changes: tuple[Change, ...] = ()
    code: tuple[CodeChange, ...] = ()
    notes: tuple[str, ...] = ()
    equal: int = 0
    unknown: bool = False

    @property
    def differs(self) -> bool:
        """Whether anything in it differs."""
        return bool(self.changes or self.code)


@dataclass(frozen=True)
class Comparison:
    """What differs between two experiments, or two jobs. It is true when anything does.

    Attributes:
        a: The first.
        b: The second.
        jobs: The jobs that were compared: the id in A, the id in B.
        only_a: The jobs that B does not have.
        only_b: The jobs that A does not have.
        sections: What differs, in the order of :data:`SECTIONS`.
    """

    a: Side
    b: Side
    jobs: tuple[tuple[str, str], ...] = ()
    only_a: tuple[str, ...] = ()
    only_b: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.only_a or self.only_b or any(one.differs for one in self.sections))

    def __getattr__(self, name: str) -> Section:
        """Return a section by its name."""
        for section in self.__dict__.get("sections", ()):
            if section.name == name:
                return section  # type: ignore[no-any-return]
        raise AttributeError(f"A comparison has no {name!r}. Its sections: {', '.join(SECTIONS)}.")

    @property
    def unknown(self) -> tuple[str, ...]:
        """The sections of which a part could not be compared."""
        return tuple(section.name for section in self.sections if section.unknown)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as data that JSON can hold."""
        return {
            "a": asdict(self.a),
            "b": asdict(self.b),
            "differ": bool(self),
            "unknown": list(self.unknown),
            "jobs": [{"a": old, "b": new} for old, new in self.jobs],
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
            **{section.name: _section(section) for section in self.sections},
        }

    def text(self, look: Any = None, *, full: bool = False) -> str:
        """Return it to be read.

        Args:
            look: How it may look, a :class:`nemo_run.console.terminal.Look`; plain by default.
            full: The whole patch, and no value cut.
        """
        return _called(_TEXT, self, look, full=full)

    def html(self) -> str:
        """Return it as one HTML page that needs nothing else."""
        return _called(_PAGE, self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        return _called((_PAGE[0], "body_of"), self)


def _called(place: Sequence[str], *arguments: Any, **options: Any) -> str:
    module, name = place
    return str(getattr(import_module(module), name)(*arguments, **options))


def _section(section: Section) -> dict[str, Any]:
    known = {
        "differs": section.differs,
        "equal": section.equal,
        "changes": [_change(change) for change in section.changes],
        "notes": list(section.notes),
    }
    if section.name == "code":
        known["trees"] = [asdict(one) for one in section.code]
    return known


def _change(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {"path": change.path, "kind": change.kind}
    if change.kind != "added":
        document["old"] = change.old_value
    if change.kind != "removed":
        document["new"] = change.new_value
    for name in ("old_from", "new_from", "difference"):
        if getattr(change, name) not in ("", None):
            document[name] = getattr(change, name)
    return {**document, "jobs": list(change.jobs)} if change.jobs else document
