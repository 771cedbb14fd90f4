"""Functions as commands: words, defaults, simple commands, classes of ones own."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

import nemo_run as run
from nemo_run.cli.flow.command import run_as_program


@pytest.fixture
def call(capsys, monkeypatch):
    """Run a function as a program in this process, and return its code and its output."""
    monkeypatch.setattr(sys, "argv", ["program.py"])

    def start(fn, *words: str, defaults=None, **options):
        entry = fn if isinstance(fn, run.cli.Entrypoint) else run.cli.Entrypoint(fn, **options)
        code = run_as_program(entry, words, defaults or {})
        seen = capsys.readouterr()
        return code, seen.out + seen.err

    return start


def show(*args, **kwargs):
    print(args, kwargs)


def numbers(n: int = 1, runner: int = 0, run: int = 0, *rest: int, text: str = "", **more: float):
    print(n, runner, run, rest, repr(text), more)


def test_words_without_a_key_are_bound_in_order(call):
    assert call(numbers, "4", "5", "6", "7", "8", "--yes")[1] == "4 5 6 (7, 8) '' {}\n"


def test_parameters_that_begin_with_run_are_the_functions_own(call):
    assert call(numbers, "runner=1", "run=2", "--yes")[1] == "1 1 2 () '' {}\n"


def test_operators_are_carried_out_in_their_order(call):
    assert call(numbers, "n+=1", "n+=2", "n*=10", "--yes")[1] == "40 0 0 () '' {}\n"


def test_further_keywords_are_read_by_their_annotation(call):
    assert (
        call(numbers, "lr=1e-3", "decay=2", "-y")[1] == "1 0 0 () '' {'lr': 0.001, 'decay': 2.0}\n"
    )


@pytest.mark.parametrize(
    "text", ["", "a=b", "%s", "a|b", "#", "x\ny", "\\", "'", '"x"', "é", "--yes"]
)
def test_a_text_keeps_every_byte(call, text):
    assert call(numbers, f"text={text}", "--yes")[1] == f"1 0 0 () {text!r} {{}}\n"


def test_what_stands_behind_two_dashes_is_no_option(call):
    assert call(numbers, "--yes", "--", "-5")[1] == "-5 0 0 () '' {}\n"


def sized(n: int = 1, text: str = ""):
    print(n, repr(text))


def small() -> run.Partial:
    return run.Partial(sized, n=7, text="small")


def large(factor: int = 1) -> run.Partial:
    return run.Partial(sized, n=100 * factor)


def test_a_default_factory_is_where_the_command_begins(call):
    entry = run.cli.Entrypoint(sized, default_factory=small)
    assert call(entry, "--yes")[1] == "7 'small'\n"
    assert call(entry, "n*=2", "--yes")[1] == "14 'small'\n"
    assert small in run.cli.list_factories(sized)


def test_a_factory_is_chosen_by_the_option_or_the_first_word(call):
    run.cli.factory(large, sized)
    entry = run.cli.Entrypoint(sized, default_factory=small)
    assert call(entry, "--factory", "large", "text=x", "-y")[1] == "100 'x'\n"
    assert call(entry, "large(factor=2)", "-y")[1] == "200 ''\n"
    assert call(entry, "large", "9", "-y")[1] == "9 ''\n"


def test_the_defaults_of_options_hold_where_the_options_are_not_given(call, tmp_path):
    file = tmp_path / "n.yaml"
    file.write_text("n: 3\nrunner: 3\n")
    defaults = {"skip_confirmation": True, "yaml": str(file)}
    assert call(numbers, "runner=4", defaults=defaults)[1] == "3 4 0 () '' {}\n"
    assert call(numbers, defaults={"dryrun": True})[1] == "Partial[numbers]\n"


def test_environment_variables_of_an_entrypoint_are_set_before_its_values_are_read(
    call, tmp_path, monkeypatch
):
    monkeypatch.delenv("TEAM", raising=False)
    file = tmp_path / "t.yaml"
    file.write_text("text: ${oc.env:TEAM}\n")
    out = call(numbers, "-c", str(file), "--yes", env={"TEAM": "red"})[1]
    monkeypatch.delenv("TEAM")
    assert out == "1 0 0 () 'red' {}\n"


def test_a_simple_command_calls_the_function_at_once(call):
    code, out = call(numbers, "n=2", "text=x", enable_executor=False)
    assert (code, out) == (0, "2 0 0 () 'x' {}\n")
    code, out = call(numbers, "n=x", enable_executor=False)
    assert (code, out.count("\n")) == (2, 1)
    code, out = call(numbers, "n=2", "--dryrun", enable_executor=False)
    assert code == 2


@dataclass(kw_only=True)
class Tagged(run.Plugin):
    tag: str = "a"


class Loud(run.cli.Entrypoint):
    def _execute_simple(self, args, console):
        console.print("LOUD", self.fn.__name__, str(list(args)), markup=False)


def test_a_class_of_ones_own_gets_the_words_as_they_are(call):
    entry = Loud(numbers, enable_executor=False)
    assert call(entry, "n=1", "--size=3", "-x")[1] == "LOUD numbers ['n=1', '--size=3', '-x']\n"


def failing():
    return {}["key"]


def test_an_error_in_a_simple_command_is_its_traceback(call):
    code, out = call(failing, enable_executor=False)
    assert code == 1
    assert out.splitlines()[-1] == "KeyError: 'key'"
    assert out.count("File ") == 1


def test_a_class_is_a_command_too(call):
    class Trainer:
        def __init__(self, steps: int):
            print("trained", steps)

    assert call(Trainer, "steps=2", "--yes")[1] == "trained 2\n"


def test_a_decorated_function_stays_what_it_was_and_is_listed():
    @run.cli.entrypoint(namespace="tools.math", name="twice", help="Doubles.")
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == 8
    entry = double.cli_entrypoint
    assert entry(5) == 10
    assert entry.path == "tools.math.twice"
    assert run.cli.list_entrypoints("tools")["math"]["twice"] is entry
    assert run.cli.list_entrypoints("tools.math.twice") == {}
    assert run.cli.list_entrypoints("tools.math.twice.more") == {}
    assert entry.parse_partial(["n=3"]).n == 3
    assert entry.parse_partial([], n=4).n == 4
    assert entry.configure(n=5).n == 5


def test_without_a_namespace_it_is_that_of_the_module():
    @run.cli.entrypoint
    def alone():
        pass

    assert alone.cli_entrypoint.path == f"{__name__}.alone"


def test_the_help_of_an_entrypoint_is_printed(capsys):
    run.cli.Entrypoint(numbers, help_str="About numbers.").help()
    out = capsys.readouterr().out
    assert "About numbers." in out
    assert "runner" in out


def test_a_context_runs_functions_with_words(capsys):
    context = run.cli.RunContext(skip_confirmation=True)
    context.cli_execute(numbers, ["n=3", "run.name=x"])
    assert capsys.readouterr().out == "3 0 0 () '' {}\n"
    assert context.name == "x"
    assert context.parse_fn(numbers, ["n=4"], runner=2).runner == 2
    assert context.parse_args(["n=4", "run.dryrun=true"]) == ["n=4"]
    assert context.dryrun
    assert context.parse_executor("local", "ntasks_per_node=2").ntasks_per_node == 2
    assert context.parse_plugin(f"{__name__}.Tagged", "tag=b") == [Tagged(tag="b")]
    assert "tail_logs" in run.cli.RunContext.get_help()
    assert context.to_config().name == "x"


def test_tracebacks_are_shown_through_rich_where_that_is_asked_for(call):
    code, out = call(failing, "--yes", "--rich-exceptions", "--rich-show-locals")
    assert code == 1
    assert "╭" in out
    assert "KeyError" in out


def test_fields_of_the_run_name_files_to_write(call, tmp_path):
    file = tmp_path / "n.toml"
    code, out = call(numbers, "n=3", f"run.to_toml={file}")
    assert (code, out) == (0, f"Written: {file}\n")
    assert "n = 3" in file.read_text()


@pytest.mark.parametrize("name", run.cli.__all__)
def test_no_module_takes_the_place_of_a_public_name(name):
    from importlib.util import find_spec

    assert find_spec(f"nemo_run.cli.{name}") is None
    assert getattr(run.cli, name).__name__ == name
