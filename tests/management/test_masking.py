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


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("local(env_vars={HF_TOKEN: hf_x, N: 1})", "local(env_vars={HF_TOKEN: ***, N: 1})"),
        ("d={'HF_TOKEN': 'a, b', 'n': 1}", "d={'HF_TOKEN': ***, 'n': 1}"),
        ("d.HF_TOKEN=x, y", "d.HF_TOKEN=***"),
        ("d={token: a b, n: 1}", "d={token: ***"),
        ("d={token: a}b}", "d={token: ***"),
        ("sh -c 'export HF_TOKEN=x; run'", "sh -c 'export HF_TOKEN=***"),
        ("lr=0.1", "lr=0.1"),
        ("HF_TOKEN=", "HF_TOKEN="),
    ],
)
def test_telling_names_inside_a_word_are_covered_to_an_end_that_is_certain(given, shown) -> None:
    assert masking.mask_text(given) == shown
    secrets = masking.hidden_by([given], [shown])
    assert masking.without(given, secrets, least=1) == shown


@pytest.mark.parametrize("name", ["api_key", "model.hf_token", "token", "d['HF_KEY']", "t.PASS[0]"])
def test_arguments_with_telling_names(name: str) -> None:
    assert masking.is_secret_argument(name)


@pytest.mark.parametrize("name", ["pad_token", "tok.eos_token", "label_key", "key", "secret.width"])
def test_arguments_with_keys_of_columns_and_tokens_of_texts(name: str) -> None:
    assert not masking.is_secret_argument(name)
