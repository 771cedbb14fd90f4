"""Commands that installed packages bring, and programs made of commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOYS = """
    import nemo_run as run

    @run.cli.entrypoint(namespace="toy", skip_confirmation=True)
    def pretrain(n: int = 1):
        '''Pretrain a toy.'''
        print("pretrain", n)

    @run.cli.entrypoint(namespace="toy.data.text", skip_confirmation=True)
    def clean(n: int = 1):
        print("clean", n)

    @run.cli.entrypoint(name="loose", skip_confirmation=True)
    def without_namespace(n: int = 1):
        print("loose", n)

    @run.cli.entrypoint(namespace="elsewhere", skip_confirmation=True)
    def stray(n: int = 1):
        print("stray", n)
"""


@pytest.fixture
def installed(folder):
    """Install packages: a module each, and its entry points."""

    def install(name: str, points: str, text: str) -> None:
        folder.write(f"site/{name}.py", text)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        folder.write(f"site/{name}-1.0.dist-info/METADATA", metadata)
        folder.write(
            f"site/{name}-1.0.dist-info/entry_points.txt",
            f"[console_scripts]\nx = {name}:x\n\n[nemo_run.cli]\n{points}\n\n[other]\ny = z\n",
        )

    return install


@pytest.fixture
def nemo(folder, program):
    return lambda *words: folder.run(*program, *words, PYTHONPATH=str(folder.path / "site"))


@pytest.fixture
def toys(installed, nemo):
    installed("toys", "toy = toys", TOYS)
    return nemo


@pytest.mark.parametrize(
    ("words", "out"),
    [
        (["toy", "pretrain", "n=3"], "pretrain 3\n"),
        (["toy", "data", "text", "clean", "n=4"], "clean 4\n"),
        (["toy", "loose"], "loose 1\n"),
        (["toy", "elsewhere", "stray"], "stray 1\n"),
    ],
)
def test_each_command_stands_below_the_groups_of_its_namespace(toys, words, out):
    done = toys(*words)
    assert (done.code, done.out) == (0, out), done.err


def test_the_packages_are_listed_without_being_imported(installed, nemo):
    installed("toys", "toy = toys\ntoo = toys:nothing", "raise SystemExit('imported')")
    listed = nemo("--help")
    assert listed.code == 0, listed.err
    assert "Commands of installed packages:" in listed.out
    assert "Commands of the package toys." in listed.out
    assert nemo("experiment", "list").code == 0


def test_unknown_commands_at_every_level_name_the_nearest_and_all(toys, error_snapshot):
    for words, case in (
        (["tou", "pretrain"], "packages: unknown package"),
        (["toy", "pretrian"], "packages: unknown command"),
        (["toy", "data", "txt"], "packages: unknown group"),
    ):
        done = toys(*words)
        assert (done.code, done.out) == (2, "")
        error_snapshot(case, done.err)


def test_the_program_by_its_absolute_path_answers_the_same(toys, folder, program):
    by_name = toys("toy", "pretrian")
    path = str(Path(program[0]).absolute())
    by_path = folder.run(path, *program[1:], "toy", "pretrian", PYTHONPATH="site")
    assert (by_path.code, by_path.err) == (2, by_name.err)
    by_path = folder.run(path, *program[1:], "toy", "data", "text", "clean", PYTHONPATH="site")
    assert by_path.out == "clean 1\n"


def test_a_broken_package_is_named_with_its_traceback_and_the_others_work(installed, toys):
    installed("broken", "broke = broken", "import nothing_of_the_kind\n")
    done = toys("broke", "train")
    assert done.code == 2
    # Its own lines, and none of ours.
    *_, code, error, last = done.err.splitlines()
    assert (code.strip(), done.err.count("  File ")) == ("import nothing_of_the_kind", 1)
    assert error == "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    assert re.fullmatch(
        r"error: The commands 'broke' of the package broken cannot be loaded \(broken, "
        r"\S+broken.py:1\): ModuleNotFoundError: No module named 'nothing_of_the_kind'",
        last,
    )
    thorough = toys("--verbose", "broke", "train")
    assert (thorough.code, thorough.err.count("Traceback")) == (2, 2)  # one is the cause
    assert thorough.err.count("  File ") > 1
    assert toys("toy", "pretrain").out == "pretrain 1\n"
    assert "broke" in toys("--help").out
    assert toys("experiment", "list").code == 0


def test_an_entry_point_may_be_a_function_or_a_command_of_click(installed, nemo):
    installed(
        "alone",
        "alone = alone:train\nown = alone:command",
        """
        import click
        import nemo_run as run

        @run.cli.entrypoint(skip_confirmation=True)
        def train(n: int):
            print("alone", n)

        @click.command()
        @click.option("--size", type=int)
        def command(size):
            print("size", size)
        """,
    )
    assert nemo("alone", "n=2").out == "alone 2\n"
    assert nemo("own", "--size", "3").out == "size 3\n"


def test_two_packages_may_share_a_name(installed, toys):
    installed(
        "more",
        "toy = more",
        """
        import nemo_run as run

        @run.cli.entrypoint(namespace="toy", skip_confirmation=True)
        def finetune():
            print("finetune")
        """,
    )
    assert toys("toy", "finetune").out == "finetune\n"
    assert toys("toy", "pretrain").out == "pretrain 1\n"


def test_the_help_of_a_group_lists_its_commands_with_their_first_lines(toys):
    listed = toys("toy", "--help")
    assert listed.code == 0
    assert "Pretrain a toy." in listed.out
    assert "Commands of data." in listed.out
    assert toys("toy").code == 2


def test_a_program_is_made_of_the_commands_it_imports(folder):
    folder.write("toys.py", TOYS)
    folder.write(
        "tool.py",
        """
        import sys
        import nemo_run as run
        import toys

        app = run.cli.create_cli()
        if sys.argv[-1] == "quietly":
            print("code", app(["toy", "pretrian"], standalone_mode=False))
        else:
            app()
        """,
    )
    assert folder.python("tool.py", "toy", "pretrain", "n=2").out == "pretrain 2\n"
    assert folder.python("tool.py", "loose").out == "loose 1\n"
    listed = folder.python("tool.py", "--help")
    assert listed.out.startswith("Usage: tool.py [OPTIONS] COMMAND")
    assert "Commands of this program:" in listed.out
    wrong = folder.python("tool.py", "toy", "pretrian")
    assert wrong.code == 2
    assert "Did you mean 'pretrain'?" in wrong.err
    assert folder.python("tool.py", "quietly").out == "code 2\n"
    assert folder.python("tool.py", "experiment", "list").code == 0


def test_a_package_in_a_zip_is_found_though_it_is_not_listed(installed, folder, program):
    import zipfile

    installed("toys", "toy = toys", TOYS)
    packed = folder.path / "packed.zip"
    with zipfile.ZipFile(packed, "w") as file:
        for path in sorted((folder.path / "site").rglob("*")):
            file.write(path, path.relative_to(folder.path / "site"))
    done = folder.run(*program, "toy", "pretrain", PYTHONPATH=str(packed))
    assert done.out == "pretrain 1\n", done.err


def test_a_function_of_a_package_runs_in_a_job(toys):
    done = toys("toy", "pretrain", "n=5", "run.executor=local")
    assert done.code == 0, done.err
    assert "pretrain 5" in done.out


def test_a_python_program_lists_the_entrypoints_of_packages(installed, folder):
    installed("toys", "toy = toys", TOYS)
    installed("broken", "broke = broken", "import nothing_of_the_kind\n")
    folder.write(
        "lister.py",
        """
        import warnings
        import nemo_run as run

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = run.cli.list_entrypoints("toy")
        print(sorted(found), [str(w.message)[:42] for w in caught])
        run.LazyEntrypoint("toy pretrain", overwrites=["n=7"]).resolve()
        print(run.LazyEntrypoint("toy pretrain", overwrites=["n=7"]).resolve().n)
        """,
    )
    done = folder.python("lister.py", PYTHONPATH=str(folder.path / "site"))
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "['data', 'pretrain'] [\"The commands 'broke' of the package broken\"]",
        "7",
    ]
