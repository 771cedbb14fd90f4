"""The front door: the command ``nemo-run``, and commands of your own functions.

Each name is loaded on first use (PEP 562). A module here is never called like a public name of
another one: importing it would put it in that name's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run import lazy

if TYPE_CHECKING:
    from .entrypoints.entrypoint import Entrypoint, entrypoint
    from .entrypoints.front import create_cli
    from .entrypoints.main import main
    from .entrypoints.registry import list_entrypoints
    from .factories import factory, list_factories, resolve_factory
    from .flow.context import RunContext
    from .parse_args import parse_cli_args, parse_config, parse_partial

_HOMES = {
    "Entrypoint": "entrypoints.entrypoint",
    "RunContext": "flow.context",
    "create_cli": "entrypoints.front",
    "entrypoint": "entrypoints.entrypoint",
    "list_entrypoints": "entrypoints.registry",
    "main": "entrypoints.main",
    "factory": "factories",
    "list_factories": "factories",
    "parse_cli_args": "parse_args",
    "parse_config": "parse_args",
    "parse_partial": "parse_args",
    "resolve_factory": "factories",
}

__all__ = [
    "Entrypoint",
    "RunContext",
    "create_cli",
    "entrypoint",
    "factory",
    "list_entrypoints",
    "list_factories",
    "main",
    "parse_cli_args",
    "parse_config",
    "parse_partial",
    "resolve_factory",
]


def _other(name: str) -> Any:
    from nemo_run.compat import missing

    raise missing(__name__, name)


__getattr__, __dir__ = lazy.names(__name__, _HOMES, _other)
