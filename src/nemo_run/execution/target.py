"""Where the processes of a job find things: on this machine, or on another."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONTAINER = "/nemo_run"
# As a whole path, or the beginning of one: neither "/nemo_runner" nor "/data/nemo_run".
_PATHS = re.compile(r"(?<![\w./~-])/nemo_run(?![\w.-])")


@dataclass(frozen=True)
class Target:
    """The place of one job, as its engine and its processes see it.

    Attributes:
        directory: The job's folder, as the engine sees it; absolute.
        inside: The same folder as its processes see it: ``/nemo_run`` in a container.
        store: The folder that keeps the code sent there; empty where none can be.
        python: The interpreter of Python tasks; empty for the one that launches.
        here: Whether files and programs of this machine are those of the job.
        container: Whether the processes run in a container, with files of its own.
        in_code: Whether processes start in the code folder, though no code travels.
    """

    directory: str
    inside: str
    store: str = ""
    python: str = ""
    here: bool = True
    container: bool = False
    in_code: bool = False

    @property
    def code(self) -> str:
        """The folder of the code, as processes see it."""
        return f"{self.inside}/code"

    def localized(self, text: str) -> str:
        """Return a user's text with the paths below ``/nemo_run`` as they are at this place.

        Programs name ``/nemo_run/code``, ``/nemo_run/configs`` and ``/nemo_run/scripts``, which
        exist in a container only.

        Args:
            text: An argument, the value of a variable or the body of a script.
        """
        if self.inside == _CONTAINER or _CONTAINER not in text:
            return text
        return _PATHS.sub(lambda _: self.inside, text)
