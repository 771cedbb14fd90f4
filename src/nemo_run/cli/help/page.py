"""The help of a function: usage, arguments with types and defaults, factories, options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.console.terminal import Look, visible

from .columns import Row, columns, wrap
from .docstrings import docstring_of
from .parameters import choices_text
from .places import beginning, places_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from .places import Place

_WIDEST = 100
_ELSEWHERE = 80
_NARROWEST = 40


def help_of(
    entrypoint: Any,
    *,
    usage: str = "",
    options: Iterable[tuple[str, str]] = (),
    factories: bool = True,
    docs: bool = True,
    width: int | None = None,
    look: Look | None = None,
) -> str:
    """Return the help of an entrypoint, or of anything that can be called.

    The factories that make what a function's command begins with are called for it.

    Args:
        entrypoint: A function or class, a configuration of one, or an object whose ``fn`` is one.
        usage: The line of usage, without ``Usage:``; empty for the name and its arguments.
        options: Each option as it is typed, and its text.
        factories: Show the factories that fit each argument.
        docs: Show what the docstrings say of each argument.
        width: The columns to use; None for those of the terminal, at most 100.
        look: Whether there may be colours; None for none.
    """
    look = look or Look()
    width = max(width or min(look.width or _ELSEWHERE, _WIDEST), _NARROWEST)
    target = _target(entrypoint)
    places = list(places_of(beginning(target)))
    blocks = [
        _usage(usage or _own_usage(target, places), width, look),
        _prose(entrypoint, target, width),
        _arguments(places, docs, width, look),
        *(_factories(target, places, docs, width, look) if factories else ()),
        _options(options, width, look),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def help(  # noqa: A001 - the public name
    entity: Any,
    with_docs: bool = True,
    console: Any = None,
    namespace: str | None = None,  # noqa: ARG001 - the reference's signature
) -> None:
    """Print what a function, a class or a configuration takes, and the factories that fit.

    Args:
        entity: Anything that can be called, or a configuration of it.
        with_docs: Show what the docstrings say of the arguments and factories.
        console: Where to print: an object with ``print``, such as rich's, or a file; None for
            standard output.
        namespace: Accepted as the reference implementation has it; the factories are found by
            the function and its types.
    """
    import sys

    from nemo_run.console.terminal import look_of

    stream: TextIO = console if hasattr(console, "write") else sys.stdout
    own = console is None or stream is console
    text = help_of(entity, docs=with_docs, look=look_of(stream) if own else None)
    if own:
        print(text, file=stream)
    else:
        console.print(text, markup=False, highlight=False)


def _target(entrypoint: Any) -> Any:
    """Return what takes the arguments."""
    from nemo_run.config.graph.node import is_node

    if is_node(entrypoint) or isinstance(entrypoint, type):
        return entrypoint
    inner = getattr(entrypoint, "fn", None)
    return inner if callable(inner) else entrypoint


def _own_usage(target: Any, places: Sequence[Place]) -> str:
    from nemo_run.config.graph.node import is_node, target_name
    from nemo_run.config.graph.signature import display_name

    name = target_name(target) if is_node(target) else display_name(target)
    rows = [place.row for place in places if not place.depth]
    needed = [f"{row.name}=…" for row in rows if row.required]
    optional = ["[KEY=VALUE ...]"] if len(needed) < len(rows) else []
    return " ".join([name, *needed, *optional])


def _usage(usage: str, width: int, look: Look) -> list[str]:
    first, *more = wrap(visible(usage), width - 7) or [""]
    return [f"{look.paint('Usage:', 'bold')} {first}", *(f"       {line}" for line in more)]


def _prose(entrypoint: Any, target: Any, width: int) -> list[str]:
    from nemo_run.config.graph.node import is_node

    told = docstring_of(target.__fn_or_cls__ if is_node(target) else target)
    own = getattr(entrypoint, "help_str", None) if entrypoint is not target else None
    lines = wrap(visible(own if isinstance(own, str) else told.summary), width)
    if told.description and not own:
        paragraphs = [wrap(visible(line), width) or [""] for line in told.description.splitlines()]
        lines += ["", *(line for paragraph in paragraphs for line in paragraph)]
    return lines


def _arguments(places: Sequence[Place], docs: bool, width: int, look: Look) -> list[str]:
    if not places:
        return []
    most = [max(width // 3, 16), max(width // 4, 14), max(width // 5, 10)]
    rows = [_row(place, docs) for place in places]
    return [
        look.paint("Arguments:", "bold"),
        *columns(rows, width, look, ["cyan", "", "green", ""], most),
    ]


def _row(place: Place, docs: bool) -> Row:
    row = place.row
    default = "required" if row.required else f"= {row.shown}" if row.shown else ""
    texts = [row.text if docs else "", choices_text(row.hint)]
    return Row([place.key, row.written, default, " ".join(filter(None, texts))], place.depth)


def _options(options: Iterable[tuple[str, str]], width: int, look: Look) -> list[str]:
    rows = [Row([name, text]) for name, text in options]
    if not rows:
        return []
    shown = columns(rows, width, look, ["cyan", ""], [max(width * 9 // 20, 16)])
    return [look.paint("Options:", "bold"), *shown]


# --- Factories --------------------------------------------------------------------------------


def _factories(
    target: Any, places: Sequence[Place], docs: bool, width: int, look: Look
) -> Iterator[list[str]]:
    from nemo_run.config.graph.node import is_node

    from .fitting import fitting_each, fitting_itself, fitting_run

    target = target.__fn_or_cls__ if is_node(target) else target
    for title, found in (
        ("Factories, as the first word or with --factory:", fitting_itself(target)),
        ("Factories for arguments:", fitting_each(places)),
        ("Executors and plugins:", fitting_run()),
    ):
        shown = [
            Row([f.typed + (" (default)" if f.is_default else ""), f.place, f.text if docs else ""])
            for f in found
        ]
        if shown:
            most = [max(width // 2, 16), max(width // 3, 16)]
            yield [look.paint(title, "bold"), *columns(shown, width, look, ["cyan", "", ""], most)]
