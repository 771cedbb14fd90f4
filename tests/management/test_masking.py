"""Secrets are covered wherever names and values are shown, and nothing else is."""

from __future__ import annotations

import pytest

from nemo_run import masking


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN", "hf_token", "WANDB_API_KEY", "apiKey", "AWS_SECRET_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "DB_PASSWORD", "PGPASSWORD", "GITHUB_PAT", "env_vars.HF_TOKEN", "--auth-token",
        "clientSecret",
        "GOOGLE_CREDENTIALS", "passphrase", "NGC_APIKEY", "OPENAI_KEY",
    ],
)  # fmt: skip
def test_telling_names_are_covered(name: str) -> None:
    assert masking.mask(name, "s3cret") == "***"


@pytest.mark.parametrize(
    "name",
    [
        "TOKENIZERS_PARALLELISM", "tokenizer", "max_tokens", "pad_token_id", "SSH_AUTH_SOCK", "PWD",
        "KEYBOARD", "monkey", "PATH", "secretary", "KEY_FILE", "bypass", "author", "compass", "",
    ],
)  # fmt: skip
def test_other_names_are_shown(name: str) -> None:
    assert masking.mask(name, "value") == "value"


def test_an_empty_value_hides_nothing() -> None:
    assert masking.mask("HF_TOKEN", "") == ""


def test_the_password_in_a_url_is_covered() -> None:
    assert masking.mask("PROXY", "http://me:pw@host:80/x") == "http://me:***@host:80/x"
    assert masking.mask("INDEX", "https://host:80/x@y") == "https://host:80/x@y"


def test_a_command_line_keeps_its_shape() -> None:
    given = [
        "train",
        "--token=abc",
        "--password",
        "abc",
        "env.HF_TOKEN=x=y",
        "lr=0.1",
        "--key",
        "-v",
    ]
    shown = [
        "train",
        "--token=***",
        "--password",
        "***",
        "env.HF_TOKEN=***",
        "lr=0.1",
        "--key",
        "-v",
    ]
    assert masking.mask_arguments(given) == shown


def test_an_environment_keeps_its_order() -> None:
    assert list(masking.mask_all({"B": "1", "A_KEY": "2"}).items()) == [
        ("B", "1"),
        ("A_KEY", "***"),
    ]
