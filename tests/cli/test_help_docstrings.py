"""Docstrings of the usual styles, read for the texts of arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.cli.help import help_of
from nemo_run.cli.help.docstrings import docstring_of, read

GOOGLE = """Train a model
    until it is good.

    It takes long.
    Note: this is prose.

    Args:
        lr (float, optional): Step size: small.
        model (dict[str, tuple(int, int)]): What is trained,
            on two lines.

            And a paragraph.
        *files: What to read.
        **options: More.
        a, b: Both alike.
        bare:
            On the next line.

    Returns:
        lr: Not an argument.

    Raises:
        ValueError: Never.
    """

NUMPY = """Train a model until it is good.

    It takes long.
    Note: this is prose.

    Parameters
    ----------
    lr : float, optional
        Step size: small.
    model : dict
        What is trained,
        on two lines.

        And a paragraph.
    *files
        What to read.
    **options : Any
        More.
    a, b : int
        Both alike.
    bare
        On the next line.

    Returns
    -------
    lr : float
        Not an argument.
    """

SPHINX = """Train a model until it is good.

    It takes long.
    Note: this is prose.

    :param float lr: Step size: small.
    :type lr: float
    :param model: What is trained,
        on two lines.

        And a paragraph.
    :param \\\\*files: What to read.
    :keyword options: More.
    :arg a: Both alike.
    :argument int b: Both alike.
    :param bare:
        On the next line.
    :returns: Nothing.
    :raises ValueError: Never.
    """

EPYTEXT = SPHINX.replace("    :", "    @")


@pytest.mark.parametrize(
    "text", [GOOGLE, NUMPY, SPHINX, EPYTEXT], ids=["Google", "NumPy", "Sphinx", "Epytext"]
)
def test_the_styles_say_the_same(text):
    told = read(text)
    assert told.summary == "Train a model until it is good."
    assert told.description == "It takes long.\nNote: this is prose."
    assert told.arguments == {
        "lr": "Step size: small.",
        "model": "What is trained, on two lines. And a paragraph.",
        "files": "What to read.",
        "options": "More.",
        "a": "Both alike.",
        "b": "Both alike.",
        "bare": "On the next line.",
    }


@pytest.mark.parametrize("text", [None, "", "   \n ", 7, "Args:", "Parameters\n----------"])
def test_where_nothing_is_said_nothing_is_read(text):
    assert dict(read(text).arguments) == {}


def test_sections_without_arguments_end_the_prose():
    told = read("One.\n\nTwo.\n\nExample:\n    >>> x\n\nThree.")
    assert (told.summary, told.description) == ("One.", "Two.")


@dataclass
class Base:
    """The base.

    Attributes:
        width: How wide.
        depth: From the base.
    """

    width: int = 1
    depth: int = 2


@dataclass
class Below(Base):
    """Below it.

    Args:
        depth: How deep.
    """

    more: int = 3


@dataclass
class Silent(Base):
    other: int = 1


class Point(NamedTuple):
    """A place.

    Attributes:
        x: To the right.
    """

    x: int = 0


class Made:
    """Made by hand."""

    def __init__(self, size: int):
        """Make it.

        Args:
            size: How big.
        """


def test_classes_have_the_texts_of_their_bases_and_constructors():
    assert docstring_of(Below).arguments == {"width": "How wide.", "depth": "How deep."}
    assert docstring_of(Below).summary == "Below it."
    # What dataclass writes for a class without docstring says nothing.
    assert docstring_of(Silent).summary == ""
    assert docstring_of(Silent).arguments["width"] == "How wide."
    assert docstring_of(Point).arguments == {"x": "To the right."}
    assert docstring_of(Made).arguments == {"size": "How big."}
    assert docstring_of(Made).summary == "Made by hand."


_LINES = st.lists(
    st.sampled_from(
        ["Args:", "Parameters", "----", ":param x: y", "    x: y", "x : int", "", "Returns:",
         "  :", "@param", "\t", ":", "a, b:"]
    )
    | st.text(max_size=20),
    max_size=12,
)  # fmt: skip


@given(_LINES)
def test_no_docstring_makes_help_fail(lines):
    def fn(x: int = 1, *args: int):
        pass

    fn.__doc__ = "\n".join(lines)
    assert help_of(fn, factories=False, width=60).startswith("Usage: ")


@given(st.text(max_size=200), st.integers(40, 120))
def test_no_text_breaks_the_table(text, width):
    from nemo_run.console.terminal import cells

    def fn(x: int = 1):
        pass

    fn.__doc__ = f"Do it.\n\n:param x: {text}"
    shown = help_of(fn, factories=False, width=width)
    assert all(cells(line) <= width for line in shown.split("\n"))
    assert all(line.isprintable() for line in shown.split("\n"))
