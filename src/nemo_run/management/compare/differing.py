"""What an :class:`Experiment` can say of how it differs from another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config import ConfigurableMixin

if TYPE_CHECKING:
    from nemo_run.config.show.diff import Diff
    from nemo_run.management.store.record import Record

    from .comparison import Comparison


class Differing(ConfigurableMixin):
    """Gives an experiment its ``diff``."""

    _record: Record | None

    def diff(self, old: Any, trim: bool = True, **_options: Any) -> Comparison | Diff:  # type: ignore[override]
        """Return what differs between ``old`` and this experiment.

        Args:
            old: An experiment, its id or title, or a record. Of one that was not started only the
                configuration is compared.
            trim: Of configurations, keep only what differs in the tree and the picture.

        Raises:
            NotFoundError: There is no such experiment.
        """
        from nemo_run.management.store import find
        from nemo_run.management.store.record import Record

        other = find(old) if isinstance(old, str) else old
        theirs = other if isinstance(other, Record) else getattr(other, "_record", None)
        if self._record is not None and theirs is not None:
            from .comparing import compare

            return compare(theirs, self._record)
        if isinstance(other, Record):
            from nemo_run.management.experiment import Experiment

            other = Experiment.of_record(other)
        return super().diff(other, trim=trim)
