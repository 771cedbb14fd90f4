"""The shells: the function that each is given, and the words it is answered with.

A function asks the program itself, with :data:`~nemo_run.cli.shared.settings.COMPLETE` set to
``<shell>_complete``. An answer is a line for each candidate: its kind, its text, and a line about
it, with tabs between them. The kinds are ``word``, ``part`` (more follows, so no space is put
behind it), ``file`` and ``dir``.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from nemo_run.cli.shared.settings import COMPLETE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import click

_BETWEEN = "\x1f"
"""Between the words that zsh and fish hand over."""

_BASH = """\
%(complete_func)s() {
    local kind text help current="${COMP_WORDS[COMP_CWORD]}"
    COMPREPLY=()
    while IFS=$'\\t' read -r kind text help; do
        case $kind in
            word) COMPREPLY+=("$text ") ;;
            part) COMPREPLY+=("$text") ;;
            file|dir)
                # bash 3 has no compopt.
                compopt -o filenames +o nospace 2>/dev/null
                [[ $current == [=:@]* ]] && current="${current#?}"
                while IFS= read -r text; do COMPREPLY+=("$text"); done < <(compgen -f -- "$current")
                ;;
        esac
    done < <(%(complete_var)s=bash_complete COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" \\
        COMP_WORDBREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
}
complete -o nospace -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local kind text help files=
    local -a found shown parts parts_shown
    while IFS=$'\\t' read -r kind text help; do
        case $kind in
            word) found+=("$text"); shown+=("$text${help:+  -- $help}") ;;
            part) parts+=("$text"); parts_shown+=("$text${help:+  -- $help}") ;;
            file|dir) files=1 ;;
        esac
    done < <(%(complete_var)s=zsh_complete COMP_WORDS="${(pj:\\x1f:)${(@Q)words[1,CURRENT]}}" \\
        "${(Q)words[1]}" 2>/dev/null)
    (( $#parts )) && compadd -S '' -l -d parts_shown -a parts
    (( $#found )) && compadd -l -d shown -a found
    if [[ -n $files ]]; then
        compset -P '*[=:@]'
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
function %(complete_func)s
    set -l words (commandline -opc) (commandline -ct | string collect | string unescape)
    set -lx %(complete_var)s fish_complete
    set -lx COMP_WORDS (string join \\x1f -- $words | string collect)
    for line in ($words[1] 2>/dev/null)
        set -l parts (string split -m 2 \\t -- $line)
        switch $parts[1]
            case word part
                printf '%%s\\t%%s\\n' $parts[2] "$parts[3]"
            case file dir
                set -l before (string match -r '^.*[=:@]' -- (commandline -ct))
                __fish_complete_path (string replace -r '^.*[=:@]' '' -- (commandline -ct)) \\
                    | string replace -r '^' -- "$before"
        end
    end
end
complete --no-files --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


class _Shell(ShellComplete):
    """What the shells have in common."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        """Return the candidates; of a function that ``run`` names, those of its command."""
        from nemo_run.cli.entrypoints.front import FrontGroup

        place = _place_of_run(args) if isinstance(self.cli, FrontGroup) else None
        if place is None:
            found = super().get_completions(args, incomplete)
            option, equals, _ = incomplete.partition("=")
            # click answers with the value alone, and the word begins with the option.
            return [_behind(option + equals, item) for item in found]
        command, rest = _command_named(args[place], args[place + 1 :])
        return type(self)(command, {}, args[place], COMPLETE).get_completions(rest, incomplete)

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return the line of a candidate."""
        kind = item.type if item.type != "plain" else "part" if item.partial else "word"
        help_ = " ".join((item.help or "").split())
        return "\t".join([kind, self.typed(item), help_])

    def typed(self, item: CompletionItem[str]) -> str:
        """Return the text of a candidate as the shell puts it into the line."""
        return str(item.value)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the cursor, and what is there of the one at it."""
        words = os.environ.get("COMP_WORDS", "").split(_BETWEEN)
        return words[1:-1], words[-1]


class Bash(_Shell):
    """bash, which breaks words at ``=`` and ``:`` too."""

    name = "bash"
    source_template = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """Take the line apart, as far as the cursor."""
        line = os.environ.get("COMP_LINE", "")
        point = os.environ.get("COMP_POINT", "")
        line = line[: int(point)] if point.isdecimal() else line
        words = split_arg_string(line)
        at_new = not words or (line != line.rstrip() and not line.endswith("\\ "))
        self._incomplete = "" if at_new else words[-1]
        return words[1 : None if at_new else -1], self._incomplete

    def typed(self, item: CompletionItem[str]) -> str:
        """Return what is put behind the last break, with what the shell would read escaped."""
        breaks = set(os.environ.get("COMP_WORDBREAKS", "=:")) - set(" \t\n\"'")
        ends = [index for index, char in enumerate(self._incomplete) if char in breaks]
        text = str(item.value)[ends[-1] + 1 if ends else 0 :]
        return re.sub(r"([^\w@%+=:,./~-])", r"\\\1", text)


class Zsh(_Shell):
    """zsh."""

    name = "zsh"
    source_template = _ZSH


class Fish(_Shell):
    """fish, which puts no space behind ``=`` and ``.`` by itself."""

    name = "fish"
    source_template = _FISH


SHELLS: Mapping[str, type[_Shell]] = {shell.name: shell for shell in (Bash, Zsh, Fish)}


def source_of(shell: str, program: str) -> str:
    """Return the text that makes a shell complete a program.

    Args:
        shell: One of :data:`SHELLS`.
        program: What the program is called.
    """
    import click

    return SHELLS[shell](click.Command(program), {}, program, COMPLETE).source()


def answer(command: click.Command, program: str) -> int:
    """Answer the shell that asks; nothing else is printed, whatever happens.

    Args:
        command: The command of the program.
        program: What it is called.

    Returns:
        The exit code.
    """
    import contextlib
    import sys

    shell, _, verb = os.environ.get(COMPLETE, "").partition("_")
    if shell not in SHELLS or verb not in {"complete", "source"}:
        return 1
    asked = SHELLS[shell](command, {}, program, COMPLETE)
    if verb == "source":
        print(asked.source(), end="")
        return 0
    out = sys.stdout
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - what code of others prints
        try:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                text = asked.complete()
        except (Exception, SystemExit):  # noqa: BLE001 - a prompt is no place for a traceback
            return 1
    # As bytes, for names may have characters that the encoding lacks.
    out.buffer.write(f"{text}\n".encode("utf-8", "surrogateescape") if text else b"")
    return 0


def _behind(option: str, item: CompletionItem[str]) -> CompletionItem[str]:
    if not option.startswith("-") or not option.endswith("=") or item.type != "plain":
        return item
    return CompletionItem(option + item.value, help=item.help, partial=item.partial)


def _place_of_run(args: list[str]) -> int | None:
    """Return where the target of ``nemo-run run TARGET …`` stands, if it does."""
    given = [index for index, word in enumerate(args) if not word.startswith("-")]
    return given[1] if len(given) > 1 and args[given[0]] == "run" else None


def _command_named(target: str, words: list[str]) -> tuple[click.Command, list[str]]:
    from nemo_run.cli.entrypoints.run_command import entrypoint_at

    return entrypoint_at(target, words).command(), words
