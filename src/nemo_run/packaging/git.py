"""git as a program: the repositories of users, which are only read, and our own store."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# git rev-parse --local-env-vars, but for what configures git: they name another repository where a
# hook or an alias of the user started this process.
_OTHER_REPOSITORY = {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_DEFAULT_HASH",
    "GIT_ATTR_SOURCE",
}
_PATHSPECS = {f"GIT_{how}_PATHSPECS" for how in ("LITERAL", "GLOB", "NOGLOB", "ICASE")}
_OURS = {
    "LC_ALL": "C",  # messages are recognised by their English text
    "GIT_OPTIONAL_LOCKS": "0",  # the user's index is not refreshed on disk: git(1)
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
}


class GitError(PackagingError):
    """git ended with an error.

    Attributes:
        said: What it wrote to standard error.
    """

    def __init__(self, message: str, said: str = "") -> None:
        super().__init__(message)
        self.said = said


@dataclass(frozen=True)
class Git:
    """git in one repository.

    Attributes:
        where: The options that name the repository.
        variables: The whole environment that it runs in.
    """

    where: tuple[str | bytes, ...]
    variables: Mapping[str, str]

    def run(self, *arguments: str | bytes, input: bytes | None = None) -> bytes:  # noqa: A002
        """Return what a command of git writes to standard output.

        Args:
            arguments: The command and its arguments.
            input: What it reads from standard input; nothing by default.

        Raises:
            GitError: It failed; the message is git's own.
            PackagingError: There is no git here.
        """
        return self.tell(*arguments, input=input)[0]

    def tell(self, *arguments: str | bytes, input: bytes | None = None) -> tuple[bytes, str]:  # noqa: A002
        """Return the same, and what it wrote to standard error."""
        process = self.start(*arguments)
        out, err = process.communicate(input or b"")
        said = os.fsdecode(err)
        if process.returncode:
            raise GitError(sentence(said, os.fsdecode(arguments[0])), said)
        return out, said

    def start(self, *arguments: str | bytes, stderr: int = subprocess.PIPE) -> Process:
        """Return a running command, its streams in pipes."""
        try:
            return subprocess.Popen(
                ["git", *self.where, *arguments],
                env=dict(self.variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
        except FileNotFoundError:
            raise PackagingError(
                "Code travels by means of git, and there is no program 'git' on the PATH "
                f"({self.variables.get('PATH', '')}). Install git, or give packager=run.Packager() "
                "to send no code."
            ) from None


if TYPE_CHECKING:
    Process = subprocess.Popen[bytes]


def of_user(folder: str | bytes) -> Git:
    """Return git in a folder of the user's, with the user's configuration; only for reading.

    Args:
        folder: Any folder of a working tree, or of a bare repository.
    """
    left_out = _OTHER_REPOSITORY | _PATHSPECS
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    # A file system monitor is a program of the user's that git would start and leave running.
    return Git(("-C", folder, "-c", "core.fsmonitor=false"), {**kept, **_OURS})


def of_store(git_dir: str) -> Git:
    """Return git in a repository of ours; what the user configured for git is not asked.

    Args:
        git_dir: The bare repository.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    nothing = dict.fromkeys(("GIT_CONFIG_GLOBAL", "HOME", "XDG_CONFIG_HOME"), os.devnull)
    # Nothing is ever fetched: the settings of a store that somebody else wrote could have git do
    # that by a program of theirs (a promisor remote with core.sshCommand).
    alone = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    ours = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_DEFAULT_HASH": "sha1", **alone}
    return Git(("--git-dir", git_dir), {**kept, **_OURS, **nothing, **ours})


def files_with(git: Git, tree: str, lines: Iterable[bytes]) -> list[str]:
    """Return the paths of a tree's files that hold one of some pieces of text, as they stand.

    Args:
        git: A repository that has the tree.
        tree: Its id.
        lines: The pieces, each without a newline. No argument of a program shows them.

    Raises:
        GitError: It could not be searched.
    """
    # -f - takes the patterns from standard input (git-grep(1)).
    words = ("grep", "--name-only", "--text", "--fixed-strings", "--full-name", "-z", "-f", "-")
    process = git.start(*words, tree)
    out, err = process.communicate(b"\n".join(lines))
    if process.returncode > 1:
        said = os.fsdecode(err)
        raise GitError(sentence(said, "grep"), said)
    return [os.fsdecode(name.partition(b":")[2]) for name in out.split(b"\0") if name]


def sentence(said: str, command: str) -> str:
    """Return what git wrote to standard error on one line.

    Args:
        said: All of it.
        command: The command of git, for when it wrote nothing.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = " ".join(lines).removeprefix("fatal: ").removeprefix("error: ")
    if "dubious ownership" in text:
        text = text.replace("To add an exception", ". If you trust its owner, add an exception")
        text = text.replace(" . ", ". ")
    return f"git says: {text or f'nothing, and git {command} failed'}"
