"""Annotations of parameters that are configured even when they are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar

from .node import Config, Partial

T = TypeVar("T")

if TYPE_CHECKING:
    OptionalDefaultConfig = Annotated[Optional[T], "Config"]
    OptionalDefaultPartial = Annotated[Optional[T], "Partial"]
else:

    class OptionalDefaultConfig:
        """``model: OptionalDefaultConfig[Model] = None`` is ``Config(Model)`` when omitted."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Annotated[Optional[item], Config[item]]

    class OptionalDefaultPartial:
        """``train: OptionalDefaultPartial[fit] = None`` is ``Partial(fit)`` when omitted."""

        def __class_getitem__(cls, item: Any) -> Any:
            return Annotated[Optional[item], Partial[item]]
