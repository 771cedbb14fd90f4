"""Writing graphs as files for people: YAML, TOML and JSON, each without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Beside the arguments of the root, ``run:`` says how it runs.
_BESIDE = ("run",)


def export(graph: Any, target: str, form: str | None = None) -> Path:
    """Write a graph, or a part of it, to a file that ``--config`` and ``key=@file`` read.

    Args:
        graph: A Config, a Partial, or any value that configurations hold.
        target: The file; its name ends in ``.yaml``, ``.yml``, ``.toml`` or ``.json``. After a
            colon the part that is wanted: ``model.yaml:model``.
        form: ``yaml``, ``toml`` or ``json``, whatever the name ends in.

    Returns:
        The path of the file.

    Raises:
        SerializationError: Something in it cannot be written.
        OverrideError: The graph has no such part, or the name tells no form.
        OSError: The file cannot be written; its folder has to be there.
    """
    from nemo_run.atomic import write_for_user

    from .load import form_of, split_section

    file, section = split_section(target)
    text = text_of(graph, form or form_of(file), section or None)
    return write_for_user(file, text)


def text_of(
    graph: Any, form: str = "yaml", section: str | None = None, *, to_show: bool = False
) -> str:
    """Return the text of a graph.

    Args:
        graph: A Config, a Partial, or any value that configurations hold.
        form: ``yaml``, ``toml`` or ``json``.
        section: The key of the part that is wanted, such as ``model.layers[0]``.
        to_show: Whether it is for people, who are shown ``***`` for what is secret by its name.

    Raises:
        SerializationError: Something in it cannot be written.
        OverrideError: The graph has no such part.
    """
    if section:
        graph = part_of(graph, section)
    try:
        return writer_of(form)(data_of(graph, to_show=to_show))
    except RecursionError:
        raise SerializationError(
            f"The configuration is nested too deeply for {form.upper()}; make it flatter."
        ) from None


def data_of(graph: Any, *, to_show: bool = False) -> Any:
    """Return the plain data that a graph is written as; see :func:`text_of`."""
    from .codec import encode
    from .covering import covered
    from .names import importable
    from .spelling import spell

    data = spell(encode(graph), reserved=_BESIDE, name=importable)
    return with_escapes(covered(data) if to_show else data)


def writer_of(form: str) -> Callable[[Any], str]:
    """Return the function that writes plain data in a form."""
    if form == "yaml":
        from .yaml_text import write as write_yaml

        return write_yaml
    if form == "toml":
        from .toml_text import write as write_toml

        return write_toml
    if form == "json":
        from .json_text import write as write_json

        return write_json
    raise OverrideError(f"There is no form {form!r}; there are yaml, toml and json.")


def part_of(graph: Any, section: str) -> Any:
    """Return the part of a graph that a key names.

    Raises:
        OverrideError: It has no such part.
    """
    from nemo_run.config.graph.node import is_node
    from nemo_run.config.overrides.grammar import Item, parse_key

    here, walked = graph, ""
    for step in parse_key(section):
        try:
            if isinstance(step, Item):
                here = here[step.key]
            else:
                here = getattr(here, step) if is_node(here) else here[step]
        except (LookupError, AttributeError, TypeError) as error:
            raise OverrideError(
                f"{section!r} cannot be written: {walked or 'the configuration'} has no "
                f"{str(step)!r}. {error}"
            ) from error
        walked = f"{walked}.{step}" if walked else str(step)
    return here


def with_escapes(data: Any) -> Any:
    """Return plain data in which every ``${`` stands for itself; sharing is kept."""
    return _escaped(data, {})


def _escaped(data: Any, made: dict[int, Any]) -> Any:
    from .interpolation import escaped

    if type(data) is str:
        return escaped(data) if "${" in data else data
    if type(data) not in (dict, list):
        return data
    if id(data) not in made:
        if type(data) is list:
            made[id(data)] = [_escaped(item, made) for item in data]
        else:
            made[id(data)] = {key: _escaped(item, made) for key, item in data.items()}
    return made[id(data)]
