"""Whatever an annotation allows is written as a text that reads as the same value."""

from __future__ import annotations

from typing import Any, Union

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from values_generated import ANYTHING, TEXT, hints_and_values

from nemo_run.config.checks.annotations import mismatches
from nemo_run.config.values.format import format_value, is_same
from nemo_run.config.values.parse import convert, parse
from nemo_run.exceptions import OverrideError


@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_a_value_reads_back_from_its_text(data: Any) -> None:
    hint, values = data.draw(hints_and_values())
    value = data.draw(values)

    text = format_value(value, hint)
    found = parse(text, hint)

    assert found == value or is_same(found, value), (hint, value, text)
    assert mismatches(found, hint) == []


@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_under_any_union_a_value_reads_back_or_has_no_text(data: Any) -> None:
    first, first_values = data.draw(hints_and_values())
    second, second_values = data.draw(hints_and_values())
    hint = Union[first, second]  # noqa: UP007 - of objects
    value = data.draw(first_values | second_values)

    try:
        text = format_value(value, hint)
    except OverrideError:
        return
    found = parse(text, hint)

    assert found == value or is_same(found, value), (hint, value, text)
    assert mismatches(found, hint) == []


@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_what_any_text_gives_is_what_the_annotation_allows(data: Any) -> None:
    hint, _ = data.draw(hints_and_values())
    text = data.draw(TEXT | st.text("[](){}'\",:=ab1.\\ |", max_size=20))

    try:
        found = parse(text, hint)
    except OverrideError:
        return

    assert mismatches(found, hint) == []


@given(st.data())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_what_any_data_of_a_file_gives_is_what_the_annotation_allows(data: Any) -> None:
    hint, _ = data.draw(hints_and_values())

    try:
        found = convert(data.draw(ANYTHING), hint)
    except OverrideError:
        return

    assert mismatches(found, hint) == []
