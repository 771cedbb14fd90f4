"""What dataclasses of this library share with configurations: comparing and showing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .graph.node import Config
    from .show.diff import Diff
    from .show.picture import Picture


class ConfigurableMixin:
    """Gives a dataclass the operations of its configuration."""

    def to_config(self) -> Config[Any]:
        """Return the Config that builds an equal object; dataclasses inside become Configs too.

        Raises:
            NotImplementedError: The class does not say by its fields what its constructor takes.
        """
        from .graph.defaults import config_of_dataclass, is_convertible

        kind = type(self)
        if not hasattr(kind, "__dataclass_fields__") or not is_convertible(kind):
            raise NotImplementedError(
                f"{kind.__qualname__} is no dataclass whose constructor takes its fields, so its "
                "configuration cannot be derived; override to_config() to return a Config."
            )
        return config_of_dataclass(self)  # type: ignore[no-any-return]

    def diff(self, old: Any, trim: bool = True, **_options: Any) -> Diff:
        """Return what differs between ``old`` and this object."""
        from .show.diff import diff

        return diff(self, old, trim=trim)

    def visualize(self, **_options: Any) -> Picture:
        """Return a picture of this object; needs no other program."""
        from .show.picture import picture_of

        return picture_of(self)

    def save_config_img(self, path_str: str, **_options: Any) -> None:
        """Write a picture: a ``.svg`` or ``.png`` file, or a folder for ``config.png``."""
        from .show.picture import picture_of

        picture_of(self).save(path_str)

    def _repr_svg_(self) -> str:
        """Return the picture that notebooks show."""
        from .show.picture import picture_of

        return picture_of(self).svg
