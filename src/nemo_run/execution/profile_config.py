"""A profile as the configuration of an executor. Here, and only here, is its class imported."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives, is_kind, kind_of
from nemo_run.config.checks.hints import hints_of
from nemo_run.config.files.interpolation import resolve
from nemo_run.config.files.source import Source
from nemo_run.config.graph.build import build
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import Override
from nemo_run.config.overrides.hints import of_entry
from nemo_run.config.secret import Secret
from nemo_run.config.values.unions import allows_text
from nemo_run.exceptions import ArgumentError, ConfigError, OverrideError, PlanError

from .kinds import class_named, executor_class
from .profile_files import read_layers
from .profiles import KIND, Profiles, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .executor import Executor
    from .profiles import Profile, Tree


def executor_profile(name: str, /, **fields: Any) -> Executor:
    """Return the executor that a profile describes.

    ::

        run.run(task, executor=run.executor_profile("h100", nodes=2))

    Args:
        name: The profile: ``[executors.NAME]`` in the site's, the user's or the project's file.
        **fields: Values of its fields, on top.

    Raises:
        OverrideError: There is no such profile, or a value in it does not fit.
        ArgumentError: The executor has no such field, or lacks one.
    """
    config = config_of(Profiles(read_layers()).get(name))
    for field, value in fields.items():
        setattr(config, field, value)
    return build(config)


def config_of(profile: Profile) -> Config[Executor]:
    """Return the configuration of a profile's executor; its history names file and line.

    Raises:
        OverrideError: The executor has no such field, or a value does not fit.
    """
    kind = profile.kind
    try:
        found = executor_class(kind.value)
    except (ConfigError, PlanError) as error:
        raise OverrideError(f"{kind.place}: profile {profile.name!r}: {error}") from error
    with setting("file", kind.file, kind.line):
        begun = Config(found)
    return apply(begun, list(_fields(profile.fields, found, (profile.name,))))


def _fields(tree: Tree, target: Any, path: tuple[str, ...]) -> Iterator[Override]:
    """Give what a table says of the arguments of ``target``, value by value."""
    hints = hints_of(target)
    for name, value in tree.items():
        yield from _value(value, hints.get(name, Any), (*path, name))


def _value(value: Setting | Tree, hint: Any, path: tuple[str, ...]) -> Iterator[Override]:
    if isinstance(value, Setting):
        yield _override(path, value, _interpolated(value))
        return
    kind = value.get(KIND)
    classes = _classes(hint)
    if not classes and _is_secret(value, hint):
        yield _override(path, _of(value, "secret"), _secret(value, path))
        return
    # A field of that name is a field.
    if not classes or not isinstance(kind, Setting) or any(KIND in hints_of(c) for c in classes):
        yield from _inside(value, hint, classes, path)
        return
    try:
        found = class_named(str(kind.value), classes)
    except (ConfigError, PlanError) as error:
        raise OverrideError(f"{kind.place}: {'.'.join(path)}: {error}") from error
    with setting("file", kind.file, kind.line):
        yield _override(path, kind, Config(found))
    yield from _fields({name: inner for name, inner in value.items() if name != KIND}, found, path)


_OF_SECRETS = ("secret", "env", "file", "keyring")


def _is_secret(table: Tree, hint: Any) -> bool:
    """Whether a table stands for a secret: ``HF_TOKEN = { secret = "HF_TOKEN" }``."""
    # Over a text of another layer, it has that as its kind.
    own = {name for name in table if name != KIND}
    return "secret" in own and own <= {*_OF_SECRETS} and (hint is Any or allows_text(hint))


def _of(table: Tree, name: str) -> Setting:
    found = table[name]
    if isinstance(found, Setting) and isinstance(found.value, str):
        return found
    place = found.place if isinstance(found, Setting) else name
    raise OverrideError(f"{place}: {name} of a secret must be a text, such as 'HF_TOKEN'.")


def _secret(table: Tree, path: tuple[str, ...]) -> Secret:
    given = {name: _interpolated(_of(table, name)) for name in _OF_SECRETS if name in table}
    try:
        return Secret(given.pop("secret"), **given)
    except ArgumentError as error:
        place = _of(table, "secret").place
        raise OverrideError(f"{place}: {'.'.join(path)}: {error}") from error


def _inside(
    value: Tree, hint: Any, classes: list[type], path: tuple[str, ...]
) -> Iterator[Override]:
    """Give the values of a table that does not say its kind, or is a dict's."""
    hints = hints_of(classes[0]) if classes else {}
    for name, inner in value.items():
        yield from _value(inner, hints.get(name) or of_entry(hint, name), (*path, name))


def _interpolated(setting: Setting) -> Any:
    """Return a value with ``${oc.env:NAME}`` replaced."""
    path = ("value",)
    lines = {path: setting.line} if setting.line else {}
    data = copy.deepcopy(setting.value)
    return resolve(Source({"value": data}, setting.file, lines))["value"]


def _classes(hint: Any) -> list[type]:
    """Return the classes that a table may describe; none where it is a dict's."""
    found = alternatives(hint)
    if any(is_kind(one, dict) for one in found):
        return []
    kinds = (kind_of(one) for one in found)
    return [one for one in kinds if isinstance(one, type) and hasattr(one, "__dataclass_fields__")]


def _override(path: tuple[str, ...], setting: Setting, data: Any) -> Override:
    # The profile's name begins the path, for errors.
    return Override(
        ".".join(path), path[1:], data=data, kind="file", file=setting.file, line=setting.line
    )
