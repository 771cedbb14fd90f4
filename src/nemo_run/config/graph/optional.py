"""Annotations of parameters that are configured even when they are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union

from .node import Config, Partial

T = TypeVar("T")


def _optional(item: Any) -> Any:
    return Union[item, None]  # noqa: UP007  (a function cannot be joined with |)


if TYPE_CHECKING:
    OptionalDefaultConfig = Annotated[T | None, "Config"]
    OptionalDefaultPartial = Annotated[T | None, "Partial"]
else:

    class OptionalDefaultConfig:
        """``model: OptionalDefaultConfig[Model] = None`` is ``Config(Model)`` when omitted."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Annotated[_optional(item), Config[item]]

    class OptionalDefaultPartial:
        """``train: OptionalDefaultPartial[fit] = None`` is ``Partial(fit)`` when omitted."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Annotated[_optional(item), Partial[item]]
