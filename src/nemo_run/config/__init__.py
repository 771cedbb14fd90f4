"""What to run: configurations as graphs of callables and their arguments.

Each name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from .convert.autoconvert import autoconvert
    from .files.serializers import YamlSerializer, ZlibJSONSerializer
    from .graph.build import build
    from .graph.node import Config, Partial
    from .graph.optional import OptionalDefaultConfig, OptionalDefaultPartial
    from .graph.setting_paths import set_value
    from .home import (
        RUNDIR_NAME,
        RUNDIR_SPECIAL_NAME,
        SCRIPTS_DIR,
        USE_WITH_RAY_CLUSTER_KEY,
        get_nemorun_home,
        set_nemorun_home,
    )
    from .mixin import ConfigurableMixin
    from .script import Script
    from .secret import Secret
    from .types_helpers import (
        RECURSIVE_TYPES,
        from_dict,
        get_type_namespace,
        get_underlying_types,
    )

_HOMES = {
    "autoconvert": "convert.autoconvert",
    "build": "graph.build",
    "RUNDIR_NAME": "home",
    "RUNDIR_SPECIAL_NAME": "home",
    "SCRIPTS_DIR": "home",
    "USE_WITH_RAY_CLUSTER_KEY": "home",
    "get_nemorun_home": "home",
    "set_nemorun_home": "home",
    "ConfigurableMixin": "mixin",
    "Config": "graph.node",
    "Partial": "graph.node",
    "OptionalDefaultConfig": "graph.optional",
    "OptionalDefaultPartial": "graph.optional",
    "Script": "script",
    "Secret": "secret",
    "YamlSerializer": "files.serializers",
    "ZlibJSONSerializer": "files.serializers",
    "set_value": "graph.setting_paths",
    "RECURSIVE_TYPES": "types_helpers",
    "from_dict": "types_helpers",
    "get_type_namespace": "types_helpers",
    "get_underlying_types": "types_helpers",
}

__all__ = [
    "RECURSIVE_TYPES",
    "RUNDIR_NAME",
    "RUNDIR_SPECIAL_NAME",
    "SCRIPTS_DIR",
    "USE_WITH_RAY_CLUSTER_KEY",
    "Config",
    "ConfigurableMixin",
    "OptionalDefaultConfig",
    "OptionalDefaultPartial",
    "Partial",
    "Script",
    "Secret",
    "YamlSerializer",
    "ZlibJSONSerializer",
    "autoconvert",
    "build",
    "from_dict",
    "get_nemorun_home",
    "get_type_namespace",
    "get_underlying_types",
    "set_nemorun_home",
    "set_value",
]


def _other(name: str) -> str:
    if name == "NEMORUN_HOME":  # a constant in the reference implementation; read when used
        from .home import get_nemorun_home

        return get_nemorun_home()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__getattr__, __dir__ = lazy.names(__name__, _HOMES, _other)
