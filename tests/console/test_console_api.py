"""The reference's console names: a console that costs nothing until used, and tame logging."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

import nemo_run as run
from nemo_run.console import api


def in_a_fresh_process(program: str) -> str:
    """What ``program`` prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_console_is_made_when_it_is_first_used():
    program = (
        "import sys\n"
        "from nemo_run.console import api\n"
        "print('rich' in sys.modules)\n"
        "from nemo_run.console.api import CONSOLE\n"
        "CONSOLE.print('[bold]hello')\n"
        "print(api.CONSOLE is CONSOLE)\n"
    )
    assert in_a_fresh_process(program) == "False\nhello\nTrue\n"


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="CONSOL'"):
        _ = api.CONSOL  # type: ignore[attr-defined]


def test_our_log_is_shown_once_and_the_programs_own_logging_is_left_alone():
    program = (
        "import logging\n"
        "from nemo_run.console.api import configure_logging, deconfigure_logging\n"
        "root = logging.getLogger()\n"
        "before = (list(root.handlers), root.level)\n"
        "configure_logging('info'); configure_logging('DEBUG')\n"
        "ours = logging.getLogger('nemo_run')\n"
        "print(len(ours.handlers), logging.getLevelName(ours.level))\n"
        "deconfigure_logging()\n"
        "print(len(ours.handlers), logging.getLevelName(ours.level))\n"
        "print((list(root.handlers), root.level) == before)\n"
    )
    assert in_a_fresh_process(program) == "1 DEBUG\n0 NOTSET\nTrue\n"


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueError, match="LOUD"):
        api.configure_logging("loud")
    assert not any(isinstance(h, api._Handler) for h in logging.getLogger("nemo_run").handlers)


def test_a_configuration_prints_as_a_tree():
    from rich.console import Console

    shown = api.CustomConfigRepr(run.Partial(sorted, reverse=True))
    console = Console(width=80)
    with console.capture() as capture:
        console.print(shown)
    assert capture.get().rstrip() == repr(shown)
    assert "reverse = True" in repr(shown)
