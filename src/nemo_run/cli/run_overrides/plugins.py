"""The plugins that ``run.plugins…`` asks for.

::

    run.plugins=nsys                       a factory
    run.plugins=[nsys(ranks=2),my.Retry]   several; a class by its place
    run.plugins+=nsys                      one more than the program's own
    run.plugins.ranks=2  run.plugins[0].ranks=2
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.graph.build import build
from nemo_run.config.graph.defaults import converted
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config, is_node
from nemo_run.config.graph.reference import Reference, resolved
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import MISSING, Item, Override
from nemo_run.config.overrides.resolving import call_factory
from nemo_run.config.values.reading import Word
from nemo_run.config.values.syntax import read_call, split_items
from nemo_run.exceptions import ConfigError, OverrideError, nearest
from nemo_run.management.describe.plugin import Plugin

from .parts import called, is_none, own_part

if TYPE_CHECKING:
    from collections.abc import Sequence


def plugins_of(run_overrides: Sequence[Override], default: Any = None) -> list[Plugin]:
    """Return the plugins that a command line asks for; see :func:`choose_plugins`."""
    found: list[Plugin] = build(choose_plugins(run_overrides, default))
    return found


def choose_plugins(run_overrides: Sequence[Override], default: Any = None) -> list[Any]:
    """Return the plugins of a run, before they are built.

    Args:
        run_overrides: What ``run.…`` says, with that word or without; only what is about
            plugins counts.
        default: Those that are used where none is named: a plugin, a configuration of one, or a
            list of them. It is not changed.

    Raises:
        OverrideError: There is no such plugin, or a field or value cannot be used.
    """
    several = default if isinstance(default, (list, tuple)) else [default]
    plugins = [copy.deepcopy(one) for one in several if one is not None]
    for override in _in_order(own_part(run_overrides, "plugins")):
        try:
            with setting(override.kind, override.file, override.line):
                plugins = _changed(plugins, override)
        except ConfigError as error:
            if str(error).startswith(override.label):
                raise
            raise OverrideError(f"{override.label}: {error}") from error.__cause__
    return plugins


def _in_order(overrides: list[Override]) -> list[Override]:
    """Return what counts: the last list, then its parts, then what follows in its order."""
    wholes = [i for i, o in enumerate(overrides) if len(o.steps) == 1 and o.operator == "="]
    if not wholes:
        return overrides
    last = wholes[-1]
    parts = (override for override in overrides[:last] if len(override.steps) > 1)
    before = [part for part in parts if part.source == overrides[last].source]
    return [overrides[last], *before, *overrides[last + 1 :]]


def _changed(plugins: list[Any], override: Override) -> list[Any]:
    if len(override.steps) > 1:
        return _with_field(plugins, override)
    if override.operator not in ("=", "+="):
        raise OverrideError(
            f"plugins are set with {override.key}=NAME, and more are added with "
            f"{override.key}+=NAME."
        )
    named = _listed(override)
    return named if override.operator == "=" else [*plugins, *named]


def _listed(override: Override) -> list[Any]:
    given = override.text if override.data is MISSING else override.data
    if given is None or (isinstance(given, str) and is_none(given)):
        return []
    items = given if isinstance(given, list) else [given]
    if isinstance(given, str) and given.strip()[:1] == "[":
        items = split_items(given)
    return [plugin for item in items for plugin in _of_item(item)]


def _of_item(item: Any) -> list[Any]:
    """Return the plugins that a name means, or that a file spells."""
    if isinstance(item, str | Word):
        return _named(item if isinstance(item, str) else item.text)
    if is_node(item):
        return _checked(resolved(item), "the file")
    raise OverrideError(f"{item!r} is neither the name of a plugin nor a list of names.")


def _named(text: str) -> list[Any]:
    """Return what a name or a call stands for; a factory may make several plugins."""
    call = read_call(text)
    if call is None:
        raise OverrideError(f"{text!r} is no name of a plugin. Write NAME or NAME(field=value).")
    for hint in (Plugin, list[Plugin]):
        factory = factories.find(hint, call.name)
        if factory is not None:
            return _checked(call_factory(factory, call), f"the factory {call.name}")
    module, _, name = call.name.rpartition(".")
    if not module:
        raise OverrideError(_unknown(call.name))
    kind = Reference(module, name).resolve()
    if not isinstance(kind, type) or not issubclass(kind, Plugin):
        raise OverrideError(f"{call.name} is no class that derives from run.Plugin.")
    return [called(Config(kind), call)]


def _checked(made: Any, what: str) -> list[Any]:
    several = list(made) if isinstance(made, (list, tuple)) else [made]
    for one in several:
        kind = one.__fn_or_cls__ if is_node(one) else type(one)
        if not isinstance(kind, type) or not issubclass(kind, Plugin):
            raise OverrideError(f"{what} made {one!r}, and that is no plugin.")
    return several


def _with_field(plugins: list[Any], override: Override) -> list[Any]:
    """Return the plugins with a field of one of them set."""
    steps = override.steps[1:]
    if not isinstance(steps[0], Item):
        if len(plugins) != 1:
            raise OverrideError(_which(plugins, override))
        steps = (Item(0), *steps)
    changed: list[Any] = apply(
        [converted(plugin) for plugin in plugins],
        [_read(replace(override, steps=steps))],
        list[Plugin],
    )
    return changed


def _read(override: Override) -> Override:
    """Return ``plugins[0]=name`` with the plugin in the place of its name."""
    if len(override.steps) > 1 or override.operator != "=":
        return override
    named = _listed(override)
    if len(named) != 1:
        raise OverrideError(f"{override.text!r} is {len(named)} plugins; it must be one.")
    return replace(override, data=named[0])


def _which(plugins: list[Any], override: Override) -> str:
    if not plugins:
        return "there is no plugin to set a field of. Name one first, with run.plugins=NAME."
    names = ", ".join(f"[{i}] {_called(plugin)}" for i, plugin in enumerate(plugins))
    field = override.key.partition("plugins")[2]
    return f"there are {len(plugins)} plugins: {names}. Say which: run.plugins[0]{field}=…."


def _called(plugin: Any) -> str:
    kind = plugin.__fn_or_cls__ if is_node(plugin) else type(plugin)
    return str(getattr(kind, "__name__", kind))


def _unknown(name: str) -> str:
    made = {f.name for hint in (Plugin, list[Plugin]) for f in factories.fitting(hint)}
    return (
        f"no plugin is called {name!r}.{nearest(name, made)} Factories: "
        f"{', '.join(sorted(made)) or 'none'}; a class goes by its place, package.module.MyPlugin."
    )
