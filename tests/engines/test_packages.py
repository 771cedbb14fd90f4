"""A missing engine is named, and is a failure where it has to be there."""

from __future__ import annotations

import pytest

from engines import packages

MADE_UP = {"no-such-package": "no-such-program", "no-such-files": "/usr/lib/*/no/such/*"}


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("ENGINES", raising=False)


def test_a_missing_engine_skips_and_names_the_packages(root: None) -> None:
    with pytest.raises(pytest.skip.Exception, match="no-such-package no-such-files") as raised:
        packages.need(MADE_UP)
    assert "ENGINES=install make test" in str(raised.value)


@pytest.mark.parametrize(("name", "value"), [("CI", "true"), ("ENGINES", "install")])
def test_a_missing_engine_fails_where_it_was_to_be_installed(
    root: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(pytest.fail.Exception, match="no-such-package"):
        packages.need(MADE_UP)


def test_who_is_not_root_is_told(root: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(pytest.skip.Exception, match="root is needed"):
        packages.need({})


def test_what_is_there_is_not_missing() -> None:
    assert packages.missing({"coreutils": "cat", "base-files": "/etc/*-release"}) == []
