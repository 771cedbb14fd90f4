"""Plugins: edits of a task and its executor together, made before anything is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.config import ConfigurableMixin
from nemo_run.exceptions import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.execution import Executor


@dataclass(kw_only=True)
class Plugin(ConfigurableMixin):
    """Base of plugins: override :meth:`setup`, and :meth:`on_event` to be told what happens.

    A plugin is given to :meth:`Experiment.add` or :func:`nemo_run.run`. It sees the job's own
    copies, so the caller's task and executor stay as they are.

    Attributes:
        experiment_id: The experiment that it was added to; set before :meth:`setup`.
    """

    experiment_id: str = field(init=False, default="")

    def assign(self, experiment_id: str) -> None:
        """Learn which experiment this is; called before :meth:`setup`."""
        self.experiment_id = experiment_id

    def setup(self, task: Any, executor: Executor) -> None:
        """Change ``task`` and ``executor`` in place; called once for each task of a job.

        Args:
            task: The job's own copy of the task: a ``Partial``, ``Config`` or ``Script``.
            executor: The job's own copy of the executor.
        """

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Hear of an event of the experiment, as it stands in the journal.

        Called in the process that waits for the experiment, while it waits.

        Args:
            event: ``event`` names its kind, ``job`` the job where it concerns one.
        """


def checked_plugins(given: Any) -> list[Plugin]:
    """Return the plugins that were given: none, one, or several.

    Raises:
        TypeError: One of them is no plugin.
    """
    if given is None or isinstance(given, Plugin):
        return [] if given is None else [given]
    if isinstance(given, type | str) or not hasattr(given, "__iter__"):
        raise _no_plugin("plugins", given)
    listed = list(given)
    for index, one in enumerate(listed):
        if not isinstance(one, Plugin):
            raise _no_plugin(f"plugins[{index}]", one)
    return listed


def _no_plugin(where: str, given: Any) -> TypeError:
    if isinstance(given, type) and issubclass(given, Plugin):
        name = given.__name__
        return TypeError(f"{where} is the class {name}; give an object: {name}().")
    return TypeError(
        f"{where} is {shown(given)}, a {type(given).__name__}; it must be an object of a class "
        "that derives from run.Plugin."
    )
