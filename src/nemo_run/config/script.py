"""A task that is a shell or Python script."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nemo_run.exceptions import ArgumentError, shown

from .home import RUNDIR_NAME, SCRIPTS_DIR
from .mixin import ConfigurableMixin
from .secret import Secret, Variables

_PYTHON = re.compile(r"python[0-9.]*(\.exe)?")
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
_SUFFIXES = {".py": "python", ".sh": "bash", ".bash": "bash"}
# How other interpreters take a program as text.
_INLINE_OPTION = {"perl": "-e", "ruby": "-e", "node": "-e", "Rscript": "-e"}
# The folder of the job, where it begins a path: not inside /data/nemo_run or /nemo_runs.
_RUNDIR = re.compile(rf"(?<![\w./~-])/{RUNDIR_NAME}(?![\w-])")


@dataclass
class Script(ConfigurableMixin):
    """A script file, a Python module, or a program as text.

    A command line is understood: ``Script("python train.py --lr=3e-4")`` is
    ``Script("train.py", entrypoint="python", args=["--lr=3e-4"])``. A path that ends in ``.py``
    runs with Python where no other entrypoint than the default is named.

    Args:
        path: The script file, or with ``m`` the module.
        inline: The program as text, instead of a path.
        args: Arguments of the program.
        env: Environment variables of the program.
        entrypoint: The interpreter, with options of its own if any: ``python -u``.
        m: Run ``path`` as a module: ``python -m path``.
        metadata: Anything that those who run it agreed on.

    Raises:
        ArgumentError: Path and inline are both given or both missing, or a value cannot be an
            argument or an environment variable.
    """

    path: str = ""
    inline: str = ""
    args: list[str] = field(default_factory=list)
    env: Variables = field(default_factory=dict)
    entrypoint: str = "bash"
    m: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.path = _given_text("path", self.path)
        self.inline = _given_text("inline", self.inline)
        self.entrypoint = _given_text("entrypoint", self.entrypoint)
        self.args = _checked_args(self.args)
        self.env = _checked_env(self.env)
        self.metadata = dict(self.metadata or {})
        if not self.entrypoint or not self.entrypoint.strip():
            raise ArgumentError(
                "entrypoint of Script is empty; name the interpreter, such as entrypoint='bash'."
            )
        if bool(self.path.strip()) == bool(self.inline.strip()):
            given = "both were" if self.path else "neither was"
            raise ArgumentError(
                f"Script takes a path or an inline program; {given} given. Write "
                "Script('train.sh') or Script(inline='echo hello')."
            )
        if self.path:
            self._read_path()
        if self.m and self.inline:
            raise ArgumentError("m=True runs a module; it needs path='package.module', no inline.")
        if self.m and not _is_python(self.entrypoint):
            raise ArgumentError(
                f"m=True needs a Python entrypoint, and entrypoint is {self.entrypoint!r}. "
                "Write entrypoint='python'."
            )

    def _read_path(self) -> None:
        if len(self.path.split()) > 1 and not Path(self.path).exists():
            self._read_command_line()
        if self.entrypoint == "bash" and (self.m or self.path.endswith(".py")):
            self.entrypoint = "python"

    def _read_command_line(self) -> None:
        """Take path, entrypoint and arguments from a command line given as path."""
        try:
            words = shlex.split(self.path)
        except ValueError as error:
            raise ArgumentError(self._not_a_path(f" ({error})")) from error
        first = words[0]
        if _is_python(first) or os.path.basename(first) in _SHELLS:  # noqa: PTH119
            self._read_interpreter(words)
        elif PurePosixPath(first).suffix in _SUFFIXES:
            self.path, self.args = first, [*words[1:], *self.args]
        elif shutil.which(first) or (self.entrypoint == "bash" and "/" not in first):
            raise ArgumentError(self._not_a_path())

    def _read_interpreter(self, words: list[str]) -> None:
        line = self.path
        end = 1
        while end < len(words) and words[end] in (
            "-u",
            "-O",
            "-OO",
            "-B",
            "-E",
            "-I",
            "-s",
            "-x",
            "-e",
        ):
            end += 1
        module = _is_python(words[0]) and words[end : end + 1] == ["-m"]
        rest = words[end + module :]
        operators = {"&&", "||", "|", ";", ">", ">>", "<", "&"}
        if not rest or rest[0].startswith("-") or operators & set(rest):
            raise ArgumentError(self._not_a_path())
        entrypoint = shlex.join(words[:end])
        if self.entrypoint not in ("bash", entrypoint):
            raise ArgumentError(
                f"Script({line!r}) names {entrypoint!r} to run it, and entrypoint is "
                f"{self.entrypoint!r}. Leave one of them out."
            )
        self.path, self.args = rest[0], [*rest[1:], *self.args]
        self.entrypoint, self.m = entrypoint, self.m or module

    def _not_a_path(self, why: str = "") -> str:
        return (
            f"path={self.path!r} is a command line, not a file{why}. Write "
            f"Script(inline={self.path!r}), or the file as path and its arguments as args."
        )

    def get_name(self) -> str:
        """Return a short name: the file's, or one made of the first characters of the text."""
        if self.inline:
            return re.sub(r"[^a-zA-Z0-9]", "_", self.inline.strip()[:10])
        return os.path.basename(self.path.rstrip("/"))  # noqa: PTH119

    def file_text(self, substitute_rundir_path: str | None = None) -> str:
        """Return the inline program as the text of a file that can be run.

        Args:
            substitute_rundir_path: What to write for ``/nemo_run`` where that begins a path.
        """
        text = self.inline
        if substitute_rundir_path is not None:
            place = substitute_rundir_path
            text = _RUNDIR.sub(lambda _found: place, text)
        if not text.lstrip().startswith("#!"):
            words = shlex.split(self.entrypoint)
            # env takes one word only, without -S, which old systems lack.
            text = f"#!/usr/bin/env {words[0]}\n{text}"
        return text if text.endswith("\n") else f"{text}\n"

    def to_command(
        self,
        with_entrypoint: bool = False,
        filename: str | None = None,
        is_local: bool = False,
        substitute_rundir_path: str | None = None,
    ) -> list[str]:
        """Return the command as a list of arguments, unquoted.

        Args:
            with_entrypoint: Put the interpreter in front.
            filename: Write an inline program to this file and run that.
            is_local: The file is run where it was written; otherwise from the scripts folder
                of the job.
            substitute_rundir_path: What to write for ``/nemo_run`` in the file.

        Raises:
            OSError: The file could not be written.
        """
        entrypoint = shlex.split(self.entrypoint) if with_entrypoint else []
        args = _checked_args(self.args)
        if not self.inline:
            return [*entrypoint, *(["-m"] if self.m else []), self.path, *args]
        if filename is None:
            return [*entrypoint, *self._inline_option(), *args]
        self._write(Path(filename), substitute_rundir_path)
        remote = f"/{RUNDIR_NAME}/{SCRIPTS_DIR}/{Path(filename).name}"
        return [*entrypoint, filename if is_local else remote, *args]

    def _inline_option(self) -> list[str]:
        program = os.path.basename(shlex.split(self.entrypoint)[0])  # noqa: PTH119
        words = [_INLINE_OPTION.get(program, "-c"), self.inline]
        if program in _SHELLS and self.args:
            words.append(self.get_name())  # a shell takes the next word as $0
        return words

    def _write(self, file: Path, substitute_rundir_path: str | None) -> None:
        from nemo_run.atomic import make_folder, write_text

        make_folder(file.parent)
        write_text(file, self.file_text(substitute_rundir_path), mode=0o700)


def _is_python(entrypoint: str) -> bool:
    words = shlex.split(entrypoint)
    return bool(words) and bool(_PYTHON.fullmatch(os.path.basename(words[0])))  # noqa: PTH119


def _given_text(name: str, value: Any) -> str:
    """Return a field as text; None means that nothing was given."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value or ""
    if not isinstance(text, str):
        raise ArgumentError(
            f"{name} of Script must be text, not {type(value).__name__}: {shown(value)}."
        )
    return text


def _checked_args(args: Any) -> list[str]:
    if isinstance(args, str):
        raise ArgumentError(
            f"args of Script is a list, and {args!r} is one text. Write args={shlex.split(args)!r}."
        )
    return [_text(value, f"args[{index}]") for index, value in enumerate(args or [])]


def _checked_env(env: Any) -> dict[str, Any]:
    for name in env or {}:
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise ArgumentError(
                f"env of Script has the name {shown(name)}; an environment variable needs a text "
                "without '='."
            )
    # A secret stays what it is, and becomes a text in the job only.
    return {
        name: value if isinstance(value, Secret) else _text(value, f"env[{name!r}]")
        for name, value in (env or {}).items()
    }


def _text(value: Any, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        return str(os.fspath(value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Secret):
        raise ArgumentError(
            f"{where} of Script is {value!r}; everybody on the machine can read the arguments of a "
            f"program. Give it as a variable: env={{{value.name!r}: {value!r}}}."
        )
    raise ArgumentError(
        f"{where} of Script is {shown(value)}; a program gets texts only. Write the text you mean, "
        "or leave it out."
    )
