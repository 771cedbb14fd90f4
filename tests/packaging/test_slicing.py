"""The part of a program that some of its names need: what stays, what goes, and where it was."""

from __future__ import annotations

from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_run.exceptions import ConfigError
from nemo_run.packaging.slicing import Program, slice_program


def sliced(text: str, *names: str, running: int | None = None, notebook: bool = False) -> str:
    return slice_program(
        Program(dedent(text), "train.py", running, notebook=notebook), list(names or ["train"])
    )


def kept(text: str, *names: str, running: int | None = None, notebook: bool = False) -> list[str]:
    return [x for x in sliced(text, *names, running=running, notebook=notebook).split("\n") if x]


def test_lines_and_columns_stay_where_they_were() -> None:
    text = dedent(
        """\
        # A comment
        print("a"); X = 1; print("b")
        print(
            "long"
        ); Y = 2

        é = "é"; Z = 3; print("c")  # said
        def train(): return X + Y + Z
        train()
        """
    )
    assert sliced(text).split("\n") == [
        "# A comment",
        "0         ; X = 1; 0         ",
        "",
        "",
        "0; Y = 2",
        "",
        # Two letters have two bytes, and columns count bytes.
        "0        ; Z = 3; 0           # said",
        "def train(): return X + Y + Z",
        "",
        "",
    ]


def test_what_a_function_needs_is_found_through_everything_it_uses() -> None:
    text = """\
        A = 1
        B = A + 1
        UNUSED = 2
        def deco(f): return f if B else None
        DEFAULT = 3
        class Base:
            size = B
        HINT = int
        class Child(Base):
            other = DEFAULT
            def method(self): return LATE
        LATE = 4
        make = lambda: Child()
        LIMITS: list[int] = [n for n in range(DEFAULT)]
        COUNT: int
        @deco
        def train(x: HINT = DEFAULT, *, y=lambda: A):
            def inner(): return LIMITS, make()
            return inner()
        """
    dropped = set(dedent(text).rstrip().split("\n")) - set(kept(text))
    assert dropped == {"UNUSED = 2", "COUNT: int"}


def test_names_that_only_look_global_are_not_needed() -> None:
    text = """\
        x = open("data")
        y = open("data")
        z = open("data")
        class Model:
            z = 1
            w = z
        def train(x):
            y = [y for y in x]
            return y
        """
    assert not any("open" in line for line in kept(text, "train", "Model"))


def test_later_changes_of_a_needed_name_are_kept_in_order() -> None:
    text = """\
        TABLE = {}
        OTHER = []
        TABLE["a"] = 1
        TABLE.update(b=2)
        OTHER.append(1)
        for i in range(3):
            TABLE[i] = i
        with open("x") as f:
            OTHER += f.readlines()
        TOTAL = 0
        TOTAL += len(TABLE)
        if TOTAL > 3:
            TOTAL = 3
        del OTHER
        def train(): return TABLE, TOTAL
        """
    assert not any("OTHER" in line for line in kept(text))
    namespace: dict = {}
    exec(sliced(text), namespace)
    assert namespace["train"]() == ({"a": 1, "b": 2, 0: 0, 1: 1, 2: 2}, 3)


def test_functions_that_set_globals_are_called_again() -> None:
    text = """\
        def setup(n):
            global SIZE
            SIZE = n
        SIZE = 1
        setup(2)
        print(SIZE)
        def train(): return SIZE
        """
    namespace: dict = {}
    exec(sliced(text), namespace)
    assert namespace["train"]() == 2


def test_imports_settings_and_definitions_stay_and_the_rest_goes() -> None:
    text = '''\
        """About."""
        from __future__ import annotations
        import os, sys
        import logging.config
        import numpy as np
        import torch
        import other
        from typing import TYPE_CHECKING
        sys.path.insert(0, os.path.dirname(__file__))
        sys.path += ["b"]
        os.environ["A"] = "1"
        os.environ.setdefault("B", "2")
        from local import thing
        if TYPE_CHECKING:
            from heavy import Heavy
        try:
            import fast
        except ImportError:
            fast = None
        logging.basicConfig(level="INFO")
        logging.getLogger("x").setLevel("INFO")
        torch.backends.cudnn.benchmark = True
        torch.manual_seed(1)
        np.random.seed(0)
        def register(fn): return fn
        @register
        def found_by_name(): ...
        def train(x: Heavy): ...
        '''
    gone = """\
        other.launch()
        print("hello")
        data = other.load()
        assert data
        other.train_all(data)
        raise SystemExit
        """
    assert kept(dedent(text) + dedent(gone)) == dedent(text).rstrip().split("\n")


def test_this_library_is_only_kept_where_the_function_needs_it() -> None:
    text = """\
        import nemo_run as run
        from nemo_run import cli
        def train(): ...
        def recipe() -> run.Partial: return run.Partial(train)
        @cli.entrypoint
        def main(): ...
        def wrapped(): return run.Config(train)
        """
    assert kept(text) == ["def train(): ...", "def wrapped(): return run.Config(train)"]
    assert "import nemo_run as run" in kept(text, "wrapped")
    assert "from nemo_run import cli" in kept(text, "main")


def test_what_nobody_needs_brings_nothing_else_along() -> None:
    text = """\
        import other
        data = other.load()
        app = other.App()
        TABLE = {}
        def register(fn):
            TABLE[fn.__name__] = fn
            return fn
        @register
        def one(): ...
        @app.command()
        def cli(): ...
        def evaluate(data=data): ...
        class Settings:
            data = data
        try:
            import slow
            slow.start()
        except ImportError:
            slow = None
        def train(name): return TABLE[name]
        def fit(): return slow
        """
    lines = kept(text)
    assert "TABLE = {}" in lines
    assert "def one(): ..." in lines
    assert not any("app" in x or "data" in x or "slow.start" in x for x in lines)
    assert "    slow.start()" in kept(text, "fit")
    assert "TABLE = {}" not in kept(text, "fit")


LAUNCHES = [
    "exp = run.Experiment('x'); exp.add(run.Partial(train)); exp.run()",
    "run.run(run.Partial(train))",
    "with Experiment('x') as exp: exp.run()",
    "main()",
    "import sys; sys.exit(main())",
    "App().start()",
    "app = App(); app.start()",
    "run.cli.main(train)",
    "for lr in (1, 2): run.run(run.Partial(train, lr))",
    "if True: main()",
    "try: main()\nexcept Exception: pass",
    "e.Experiment('x').run()",
]


@pytest.mark.parametrize("launch", LAUNCHES)
def test_statements_that_launch_are_never_kept(launch: str) -> None:
    text = (
        "import nemo_run as run\nfrom nemo_run.run.experiment import Experiment\n"
        "import nemo_run.run.experiment as e\n"
        "def train(lr=1): ...\n"
        "def main():\n    from nemo_run import run as go\n    go(train)\n"
        "class App:\n    def start(self): main()\n" + launch
    )
    namespace: dict = {"__name__": "__main__"}
    exec(sliced(text), namespace)  # would need an experiment if it launched
    after = "".join(sliced(text).split("\n")[9:])
    assert not any(call in after for call in ("run(", "main(", "start(", "Experiment("))


@pytest.mark.parametrize(
    "guard",
    [
        'if __name__ == "__main__":',
        "if '__main__' == __name__:",
        'if __name__ in ("__main__", "x"):',
        'if __name__ == "__main__" and True:',
    ],
)
def test_the_main_block_goes(guard: str) -> None:
    assert kept(f"def train(): ...\n{guard}\n    import x\n    train()\n") == ["def train(): ..."]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("import nemo_run as run\nres = run.run(1)\ndef train(): return res\n", 2, "launches"),
        (
            """import nemo_run as run
def go(): return run.run(1)
res = go()
def helper(): return res
def train(): return helper()
""",
            3,
            "launches",
        ),
        ("name = input('?')\ndef train(): return name\n", 1, "asks the user or the notebook"),
        (
            "def train(): return args\nif __name__ == '__main__':\n    args = 1\n",
            2,
            "stands in the main block, which a job does not run",
        ),
        (
            "if __name__ == '__main__':\n    def train(): ...\n",
            1,
            "stands in the main block, which a job does not run",
        ),
    ],
)
def test_needing_what_cannot_be_repeated_is_an_error_with_the_line(
    text: str, line: int, reason: str
) -> None:
    with pytest.raises(ConfigError) as error:
        sliced(text)
    shown = text.split("\n")[line - 1].strip()
    assert f"the statement that makes it {reason}: train.py:{line}: {shown}" in str(error.value)
    assert str(error.value).endswith("in a statement of its own at the top level.")


def test_the_way_out_names_the_value_that_the_function_reads() -> None:
    text = """\
        import nemo_run as run
        first = run.Experiment("x")
        best = first.results()
        def helper(): return best
        def train(): return helper()
        """
    with pytest.raises(ConfigError, match="Give 'best' to the function as an argument") as error:
        sliced(text)
    assert "(train → helper → best → first)" in str(error.value)


def test_what_only_the_main_block_sets_anew_keeps_its_first_value() -> None:
    text = "level = 1\ndef train(): return level\nif __name__ == '__main__':\n    level = 2\n"
    assert kept(text) == ["level = 1", "def train(): return level"]


def test_of_what_stands_below_the_launch_only_definitions_exist() -> None:
    text = """\
        x = 1
        def train(): return x, helper()
        launch(train)
        x = 2
        def helper(): ...
        """
    assert kept(text, running=3) == [
        "x = 1",
        "def train(): return x, helper()",
        "def helper(): ...",
    ]


def test_a_definition_that_needs_the_launch_is_left_out_unless_it_is_needed() -> None:
    text = (
        "import nemo_run as run\nresult = run.run(1)\ndef report(x=result): ...\ndef train(): ...\n"
    )
    assert kept(text) == ["def train(): ..."]
    with pytest.raises(ConfigError, match="report → result"):
        sliced(text, "report")


def test_in_a_notebook_only_the_last_definition_and_what_it_needs_stay() -> None:
    text = """\
        import os
        import math
        def train(): return missing
        def other(): ...
        x = 1
        x = x + 1
        def train(): return math.pi * x
        """
    assert kept(text, notebook=True) == [
        "import math",
        "x = 1",
        "x = x + 1",
        "def train(): return math.pi * x",
    ]


def test_a_missing_name_is_an_error_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"'train' is not defined.*Did you mean 'trains'\?"):
        sliced("def trains(): ...\n")


def test_a_class_and_its_methods_are_found_by_the_class() -> None:
    assert kept("A = 1\nclass M:\n    def f(self): return A\n", "M")[0] == "A = 1"


@given(
    st.lists(
        st.sampled_from(
            ["a = 1", "b = a", "print(a)", "c = [\n 1,\n]", "a += 1", "b.x = 1", "import os", '"é"']
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from(["; ", "\n", "\n\n"]), min_size=12, max_size=12),
)
@settings(deadline=None, max_examples=100)
def test_what_is_kept_stands_where_it_stood(parts: list[str], separators: list[str]) -> None:
    body = "".join(part + separator for part, separator in zip(parts, separators, strict=False))
    text = f"a = b = c = 0\n{body}\ndef train(): return b\n"
    made = sliced(text)
    assert len(made.split("\n")) == len(text.split("\n"))
    for old, new in zip(text.encode().split(b"\n"), made.encode().split(b"\n"), strict=True):
        blanks = b" 0"
        assert all(n == o or n in blanks for o, n in zip(old, new, strict=False))
        assert len(new) <= len(old)


def test_this_library_beside_other_imports() -> None:
    text = (
        "import nemo_run as run, json\n"
        "import os, nemo_run\n\n\n"
        "def f():\n    return json.dumps(1), os.sep\n"
    )
    sliced = slice_program(Program(text, "x.py"), ["f"])
    assert "nemo_run" not in sliced
    names: dict[str, object] = {}
    exec(sliced, names)
    assert names["f"]() == ("1", "/")
    uses = text + "\n\ndef g():\n    return run.__name__\n"
    assert "nemo_run as run, json" in slice_program(Program(uses, "x.py"), ["g"])
