"""What people write in files: read by annotation, layered, and refused with file and line."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from codec_values import Color, train
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_run.config import factories
from nemo_run.config.files.layers import (
    factory_of,
    overrides_of,
    read_file_value,
    run_overrides_of,
    task_of,
)
from nemo_run.config.files.load import load
from nemo_run.config.graph.build import build
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.exceptions import OverrideError


@dataclasses.dataclass
class Optim:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)


class Net:
    def __init__(self, width: int = 4, kind: Color = Color.RED, root: Path | None = None) -> None:
        self.width, self.kind, self.root = width, kind, root

    class Block:
        def __init__(self, n: int) -> None:
            self.n = n


def small_net(width: int = 1) -> Config[Net]:
    return Config(Net, width=width)


factories.register(small_net, Net, name="small_net")


def fit(
    net: Net,
    optim: Optim = Optim(),
    steps: int = 10,
    nets: list[Net] | None = None,
    options: dict[str, Any] = {"kept": True},
    day: dt.date | None = None,
    limit: dt.timedelta | None = None,
    name: str | None = None,
    free: Any = None,
) -> None: ...


class Files:
    """Writes files, and gives what a command makes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str | bytes) -> str:
        file = self.folder / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(file)

    def task(self, *texts: str, words: str = "", form: str = "yaml", function: Any = fit) -> Any:
        files = [self.write(f"{n}.{form}", text) for n, text in enumerate(texts)]
        changes = [change for file in files for change in overrides_of(load(file), function)]
        return apply(Partial(function), [*changes, *map(parse_override, words.split())])

    def refused(self, text: str | bytes, form: str = "yaml", function: Any = fit) -> str:
        """The sentence, without the folder."""
        with pytest.raises(OverrideError) as caught:
            loaded = load(self.write(f"f.{form}", text))
            apply(Partial(function), [*overrides_of(loaded, function), *run_overrides_of(loaded)])
        return str(caught.value).replace(f"{self.folder}/", "")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# --- Values ------------------------------------------------------------------------------------


def test_plain_values_are_read_by_the_annotation(files: Files) -> None:
    task = files.task(
        """
        net: {width: 8, kind: BLUE, root: ~/data}
        optim:
          betas: [0.8, 0.9]
        steps: 1e3
        day: 2026-01-31
        limit: 1h30m
        name: 007
        """
    )
    assert task.net == Config(Net, width=8, kind=Color.BLUE, root=Path.home() / "data")
    assert task.optim == Config(Optim, betas=(0.8, 0.9))
    assert (task.steps, task.name) == (1000, "007")
    assert (task.day, task.limit) == (dt.date(2026, 1, 31), dt.timedelta(minutes=90))


def test_the_same_file_in_toml_and_json(files: Files) -> None:
    expected = Partial(fit, net=Config(Net, width=8, kind=Color.BLUE), nets=[Config(Net, width=1)])
    toml = (
        '[net]\nwidth = 8\nkind = "BLUE"\n\n[[nets]]\n_target_ = "test_files_loading.Net"\nwidth=1'
    )
    json = '{"$schema": "x.json", "net": {"width": 8, "kind": "BLUE"}, "nets": [{"width": 1}]}'
    assert files.task(toml, form="toml") == expected
    assert files.task(json, form="json") == expected


def test_what_a_person_puts_into_an_object_is_read_by_its_annotations_too(files: Files) -> None:
    task = files.task(
        """
        net:
          _target_: test_files_loading.Net
          _args_: ["12"]
          kind: BLUE
        """
    )
    assert task.net == Config(Net, 12, kind=Color.BLUE)


def test_a_task_that_is_spelled_is_read_by_the_annotations_like_its_arguments_alone(
    files: Files,
) -> None:
    arguments = """
        net: {_target_: test_files_loading.Net, width: 8, kind: BLUE, root: ~/data}
        optim: {_target_: test_files_loading.Optim, betas: [0.8, 1], lr: 1e-3}
        nets:
        - _target_: test_files_loading.Net
          root: relative
        limit: 90
        steps: 1e3
        """
    alone = files.task(arguments)
    whole = files.task(f"        _target_: test_files_loading.fit{arguments}")
    assert whole == alone
    assert whole.net.root == Path.home() / "data"
    assert whole.nets[0].root == Path("relative")
    assert whole.optim == Config(Optim, betas=(0.8, 1.0), lr=0.001)
    assert type(whole.optim.betas[1]) is float
    assert (whole.limit, whole.steps) == (dt.timedelta(seconds=90), 1000)


def test_in_an_object_that_is_spelled_what_says_its_type_keeps_it(files: Files) -> None:
    task = files.task(
        """
        _target_: test_files_loading.fit
        optim:
          _target_: test_files_loading.Optim
          lr: 1
        nets: {_type_: tuple, items: [{_target_: test_files_loading.Net, width: true}]}
        name: "007"
        """
    )
    assert type(task.optim.lr) is int  # as it was exported
    assert task.nets == (Config(Net, width=True),)
    assert task.name == "007"


def test_names_that_no_one_takes_are_refused_on_their_line(files: Files) -> None:
    spelled = "_target_: test_files_loading.fit\nnet:\n  _target_: test_files_loading.Net\n"
    assert files.refused(f"{spelled}  # wide\n  widht: 4\n") == (
        "f.yaml:5: net: Net has no parameter 'widht'. Did you mean 'width'? "
        "Its parameters: width, kind, root."
    )
    assert files.refused(f"{spelled}stpes: 4\n").startswith(
        "f.yaml:4: stpes: fit has no parameter 'stpes'. Did you mean 'steps'?"
    )
    assert files.refused(f"{spelled}  kind: BLUE\n  width: wide\n").startswith(
        "f.yaml:5: net: width: 'wide' is no int."
    )
    deep = "nets:\n- _target_: test_files_loading.Net\n- _target_: test_files_loading.Nett\n"
    assert files.refused(deep).startswith("f.yaml:3: nets: [1]: test_files_loading.Nett cannot")


def test_a_later_file_changes_what_it_names_and_leaves_the_rest(files: Files) -> None:
    task = files.task(
        "net: {width: 8, kind: BLUE}\noptions: {a: 1, deep: {x: 1, list: [1, 2]}}",
        "net: {width: 16}\noptions: {deep: {list: [3]}}\nsteps: 5",
        words="steps=6 options.a=2",
    )
    assert task.net == Config(Net, width=16, kind=Color.BLUE)
    assert task.options == {"kept": True, "a": 2, "deep": {"x": 1, "list": [3]}}
    assert task.steps == 6


def test_an_object_that_is_spelled_replaces_what_was_there(files: Files) -> None:
    task = files.task("net: {width: 8}", "net: {_target_: test_files_loading.Net, kind: BLUE}")
    assert task.net == Config(Net, kind=Color.BLUE)


def test_operators_stand_behind_the_key(files: Files) -> None:
    task = files.task(
        '"steps*=": 2\n"options|=": {more: 1}\nnet: {"width+=": 1}', "'options=': {only: 1}"
    )
    assert (task.steps, task.net.width, task.options) == (20, 5, {"only": 1})


def test_a_dot_in_the_first_key_is_a_way_into_an_argument(files: Files) -> None:
    task = files.task('net.width: 9\noptions: {"a.b": 1}\nnets: [{width: 1}]\n"nets[0].width": 2')
    assert (task.net.width, task.nets[0].width) == (9, 2)
    assert task.options == {"kept": True, "a.b": 1}


def test_factories_are_named_by_factory(files: Files) -> None:
    task = files.task(
        """
        net: {_factory_: small_net(width=3), kind: BLUE}
        nets: [{_factory_: small_net}, {width: 7}]
        """
    )
    assert task.net == Config(Net, width=3, kind=Color.BLUE)
    assert task.nets == [Config(Net, width=1), Config(Net, width=7)]


def test_a_text_where_none_can_be_is_read_as_on_the_command_line(files: Files) -> None:
    task = files.task("net: small_net(width=3)\nnets: [small_net, 'Net(width=7)']\nname: small_net")
    assert task.net == Config(Net, width=3)
    assert task.nets == [Config(Net, width=1), Config(Net, width=7)]
    assert task.name == "small_net"


def test_the_factory_of_the_task_and_how_it_runs_stand_apart(files: Files) -> None:
    text = "_factory_: small(steps=3)\nsteps: 4\nrun:\n  executor: slurm\n  executor.nodes: 2\n"
    loaded = load(files.write("f.yaml", text))
    assert factory_of(loaded).text == "small(steps=3)"
    assert [(o.key, o.data) for o in overrides_of(loaded)] == [("steps", 4)]
    found = [(o.key, o.steps, o.data, o.line) for o in run_overrides_of(loaded)]
    assert found == [
        ("run.executor", ("executor",), "slurm", 4),
        ("run.executor.nodes", ("executor", "nodes"), 2, 5),
    ]


def test_every_value_knows_its_line(files: Files) -> None:
    text = (
        "steps: 3\nnet:\n  width: 8\n  kind: BLUE\noptim:\n  _target_: test_files_loading.Optim\n"
    )
    task = files.task(text + "  lr: 0.5\n")
    assert task.__argument_history__["steps"][-1].where() == f"file {files.folder}/0.yaml:1"
    assert task.net.__argument_history__["kind"][-1].where().endswith("0.yaml:4")
    assert task.optim.__argument_history__["lr"][-1].where().endswith("0.yaml:7")


@pytest.mark.parametrize(
    ("form", "text", "lines"),
    [
        (
            "yaml",
            "a: 1\n\nb:\n  c: 2\n  d: [1,\n   {e: 2}]\n",
            {"a": 1, "b": 3, "b.c": 4, "b.d": 5},
        ),
        (
            "toml",
            'a = """\n[no]\n"""\nb.c = [\n  1, # ]\n]\n\n["b x".d]\ne = 1\n[[f]]\ng=1\n[[f]]\ng=2',
            {"a": 1, "b.c": 4, "['b x'].d": 8, "['b x'].d.e": 9, "f[0].g": 11, "f[1].g": 13},
        ),
        (
            "json",
            '{"a": "{\\"x\\": [1,\\n",\n "b": {"c": [\n 1,\n {"d": 2}]},\n "e": [] }',
            {"a": 1, "b": 2, "b.c[0]": 2, "b.c[1]": 3, "b.c[1].d": 4, "e": 5},
        ),
    ],
)
def test_lines_are_those_an_editor_shows(
    files: Files, form: str, text: str, lines: dict[str, int]
) -> None:
    from nemo_run.config.overrides.grammar import Item, parse_key

    loaded = load(files.write(f"f.{form}", text))
    for key, line in lines.items():
        path = tuple(s.key if isinstance(s, Item) else s for s in parse_key(key))
        assert loaded.line(path) == line, key


def test_an_aliased_object_is_one_object(files: Files) -> None:
    text = "net: &n {_target_: test_files_loading.Net, width: 3}\nfree: *n\nnets: [*n]"
    task = files.task(text)
    assert task.net is task.free
    assert task.nets[0] is task.net
    assert files.task(text).net is not task.net


def test_merge_keys_of_yaml(files: Files) -> None:
    text = "options: {base: &b {x: 1, y: {z: 2}}, mine: {<<: *b, x: 3}}"
    assert files.task(text).options["mine"] == {"x": 3, "y": {"z": 2}}


def test_texts_that_yaml_takes_for_something_else(files: Files) -> None:
    task = files.task("free: [010, 1:30, 0o17, 1_000, 1e3, 0x1F, .5, 2024-01-02, ~, 12e03, 1.]")
    expected = ["010", "1:30", 15, 1000, 1000.0, 31, 0.5, dt.date(2024, 1, 2), None, 12000.0, 1.0]
    assert [(type(v), v) for v in task.free] == [(type(v), v) for v in expected]


# --- ${…} --------------------------------------------------------------------------------------


def test_a_key_that_yaml_takes_for_a_truth_is_a_name(files: Files) -> None:
    source = load(files.write("a.yaml", "run: {yes: true}\non: 1\nno: no\ntrue: 2\n"))
    assert source.data == {"run": {"yes": True}, "on": 1, "no": False, True: 2}


def test_references_give_the_value_itself_or_its_text(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA", "/data")
    monkeypatch.setenv("COUNT", "3")
    task = files.task(
        r"""
        net: {width: '${steps}'}
        steps: 7
        name: '${oc.env:DATA}/run-${steps}-${free.list[1]}-\${steps}-\\${steps}'
        free:
          list: [1, '${..deep.x}']
          deep: {x: 2, same: '${.x}'}
          copy: ${free.deep}
          none: ${oc.env:NOWHERE,null}
          other: ${oc.env:NOWHERE, a b}
          nested: ${oc.env:NOWHERE,${steps}}
          count: ${oc.decode:${oc.env:COUNT}}
          back: ${free.list[-1]}
        """
    )
    assert (task.net.width, task.steps) == (7, 7)
    assert task.name == "/data/run-7-2-${steps}-\\7"
    assert task.free == {
        "list": [1, 2], "deep": {"x": 2, "same": 2}, "copy": {"x": 2, "same": 2}, "none": None,
        "other": "a b", "nested": 7, "count": 3, "back": 2,
    }  # fmt: skip


def test_a_value_from_the_environment_is_not_looked_into(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEXT", "${steps} \\${")
    assert files.task("name: ${oc.env:TEXT}\nfree: ['${name}']").free == ["${steps} \\${"]


def test_references_of_toml_and_json(files: Files) -> None:
    assert files.task('steps = 3\nname = "n${steps}"', form="toml").name == "n3"
    assert files.task('{"steps": 3, "name": "n${steps}"}', form="json").name == "n3"


# --- Hydra -------------------------------------------------------------------------------------


def test_a_class_inside_of_a_class_is_found_by_dots(files: Files) -> None:
    task = files.task("free: {_target_: test_files_loading.Net.Block, n: 2}")
    assert build(task.free).n == 2


# --- key=@file ---------------------------------------------------------------------------------


def test_a_file_for_one_argument(files: Files) -> None:
    file = files.write("net.yaml", "net:\n  _target_: test_files_loading.Net\n  width: 5\n")
    for word in (f"net=@{file}", f"net=@{file}:net"):
        assert apply(Partial(fit), [parse_override(word)]).net == Config(Net, width=5)
    lists = files.write("list.json", '[{"width": 1}, {"width": 2}]')
    task = apply(Partial(fit), [parse_override(f"nets=@{lists}")])
    assert [net.width for net in task.nets] == [1, 2]


def test_reading_imports_nothing_that_a_file_names(tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')\n")
    (tmp_path / "f.yaml").write_text(
        "_target_: trap.task\nnet: {_target_: trap.Net, _args_: [1]}\n"
        "kind: {_type_: enum, class: 'trap:Kind', name: A}\nf: {_target_: trap.f, _call_: false}\n"
    )
    program = (
        "from nemo_run.config.files.load import load\n"
        "from nemo_run.config.files.layers import overrides_of, task_of\n"
        "loaded = load('f.yaml')\n"
        "overrides_of(loaded)\nprint(task_of(loaded).__target__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("trap.task\n", 0), done.stderr


# --- What is wrong -----------------------------------------------------------------------------

WRONG = {
    "empty": "  \n\n",
    "comments alone": "# nothing\n",
    "a list": "- 1\n- 2\n",
    "a text": "hello\n",
    "not UTF-8": b"steps: 1\nname: caf\xe9\n",
    "a key twice": "steps: 1\nnet: {width: 1}\nsteps: 2\n",
    "a key twice, deep": "net:\n  width: 1\n  kind: RED\n  width: 2\n",
    "a tab": "net:\n\twidth: 1\n",
    "an open bracket": "net: {width: 1\nsteps: 2\n",
    "a tag of Python": "name: !!python/object/apply:os.system ['echo hacked']\n",
    "a tag of nobody": "name: !secret x\n",
    "a circle of anchors": "options: &a\n  x: *a\n",
    "an unknown key": "net: {width: 1}\nstpes: 3\n",
    "an unknown key, deep": "net:\n  widht: 1\n",
    "a value that does not fit": "steps: 1\noptim:\n  lr: fast\n",
    "a number, as YAML has it, for a text": "steps: 1\nname: 7\n",
    "no such reference": "steps: 1\nname: ${stepz}\n",
    "a reference without end": "name: ${steps\n",
    "a reference to itself": "name: ${free.x}\nfree: {x: '${name}'}\n",
    "a reference to what is around it": "free:\n  x: ${free}\n",
    "a variable that is not set": "name: ${oc.env:NO_SUCH_VARIABLE_9}\n",
    "an old name of the environment": "name: ${env:HOME}\n",
    "a resolver of others": "name: ${hydra:job.name}\n",
    "a mapping in a text": "free: {x: 1}\nname: a${free}b\n",
    "another function": "_target_: codec_values.train\nlr: 1\n",
    "a function itself": "_target_: test_files_loading.fit\n_call_: false\n",
    "Hydra's defaults": "# x\ndefaults:\n  - model: gpt\n  - _self_\n",
    "an object without a name": "net: {_target_: 3}\n",
    "an object with half a name": "net: {_target_: ..Net}\n",
    "an object of a missing module": "net: {_target_: no_such_module.Net}\n",
    "an object with a wrong value": "net:\n  _target_: test_files_loading.Net\n  width: wide\n",
    "a factory of nobody": "net: {_factory_: big_net}\n",
    "a factory that is no text": "net: {_factory_: 3}\n",
    "a factory in a list with arguments beside it": "nets: [{_factory_: small_net, width: 1}]\n",
    "a factory of nobody, for anything": "free: [{_factory_: smal_net}]\n",
    "a type without its parts": "free: [1, {_type_: path}]\n",
    "a number with an exponent for a text": "name: 1e3\n",
    "a type that nobody knows": "free: {_type_: quaternion, value: 3}\n",
    "a value alone": "_type_: dict\nentries: [[steps, 1]]\n",
    "a script": "_type_: script\nfields: {inline: echo}\n",
    "an object for how it runs": "run: {_target_: a.b}\n",
    "a number in how it runs": "run: {.nan: 1}\n",
    "an operator that does not fit": "'steps|=': [1]\n",
    "a number as key": "1: 2\n",
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_a_sentence_with_file_and_line(
    files: Files, case: str, error_snapshot: Any
) -> None:
    error_snapshot(f"files: {case}", files.refused(WRONG[case]))


WRONG_TOML = {
    "a key twice": "a = 1\na = 2\n",
    "no value": "a = 1\nb =\n",
    "the same as nothing": 'steps = 1\nnet = {_same_as_ = "nett"}\n',
    "the same as itself": 'net = {_same_as_ = "free"}\nfree = {_same_as_ = "net"}\n',
}
WRONG_JSON = {
    "a key twice": '{"steps": 1,\n "net": {},\n "steps": 2}',
    "a colon that lacks": '{"steps": 1,\n"net" {}}',
    "a comment": '{"steps": 1} // one',
}


@pytest.mark.parametrize(
    ("form", "case"),
    [*(("toml", case) for case in WRONG_TOML), *(("json", case) for case in WRONG_JSON)],
)
def test_the_other_forms_are_refused_as_well(
    files: Files, form: str, case: str, error_snapshot: Any
) -> None:
    text = {"toml": WRONG_TOML, "json": WRONG_JSON}[form][case]
    error_snapshot(f"files: {form}: {case}", files.refused(text, form))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("misisng.yaml", "missing file"),
        ("f.yml2", "unknown form"),
        ("f.yaml:nett", "missing section"),
        ("f.yaml:net.list[7]", "missing item of a section"),
        ("folder.yaml", "a folder"),
    ],
)
def test_a_file_that_is_not_there_is_answered_with_the_nearest(
    files: Files, name: str, case: str, error_snapshot: Any
) -> None:
    files.write("missing.yaml", "a: 1")
    files.write("f.yaml", "net: {list: [1]}\nother: 1")
    (files.folder / "folder.yaml").mkdir()
    with pytest.raises(OverrideError) as caught:
        load(f"{files.folder}/{name}")
    error_snapshot(f"files: {case}", str(caught.value))


BOMBS = {
    "aliases": "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")
    ),
    "merge keys": "a: &a {x: 1}\n" + "".join(
        f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}\n"
        for a, b in zip("abcdefghijklmno", "bcdefghijklmnop")
    ),
    "references": "a: [x, x]\n" + "".join(
        f"{b}: [{', '.join([f'${{{a}}}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")
    ),
    "texts": "a: xxxxxxxxxx\n" + "".join(
        f"{b}: {f'${{{a}}}' * 20}\n" for a, b in zip("abcdefgh", "bcdefghi")
    ),
    "depth": "a: " + "[" * 100_000,
    "depth that Python can read": "a: " + "[" * 300 + "]" * 300,
    "a long way": "".join(f"k{n}: ${{k{n + 1}}}\n" for n in range(2000)) + "k2000: 1\n",
    "depth by references": "".join(f"k{n}: ['${{k{n + 1}}}']\n" for n in range(140)) + "k140: "
    + "[" * 100 + "]" * 100,
    "an endless number": "a: 1" + "0" * 100_000,
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_file_does_not_become_a_large_one(files: Files, bomb: str) -> None:
    file = files.write("f.yaml", BOMBS[bomb])
    if bomb == "merge keys":
        assert load(file).data["p"] == {"x": 1}
        return
    with pytest.raises(OverrideError) as caught:
        load(file)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
def test_no_text_at_all_is_a_mistake_of_ours(
    form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    files = Files(tmp_path_factory.mktemp("files"))

    @settings(max_examples=150, deadline=None)
    @given(st.lists(PIECES[form] | st.sampled_from(COMMON), max_size=25).map("".join))
    def is_read_or_refused(text: str) -> None:
        with contextlib.suppress(OverrideError):
            loaded = load(files.write(f"f.{form}", text))
            run_overrides_of(loaded)
            apply(Partial(fit), overrides_of(loaded, fit))

    is_read_or_refused()


COMMON = [
    "net", "steps", "name", "free", "options", "nets", "width", "run", "defaults", "_target_",
    "_args_", "_partial_", "_call_", "_type_", "_factory_", "_same_as_", "_arguments_", "entries",
    "items", "fields", "value", "test_files_loading.Net", "small_net", "dict", "path", "tuple",
    "1", "-1.5", "1e3", "true", "null", "nan", "${", "}", "${name}", "${oc.env:HOME}", "\\", "$",
    "\n", "\n  ", " ", ", ",
]  # fmt: skip
PIECES = {
    "yaml": st.sampled_from(
        [": ", "- ", "[", "]", "{", "}", "&a ", "*a", "<<: ", "'", '"', "|", "? ", "!!set ", "# "]
    ),
    "json": st.sampled_from(['": ', '"', '{"', "[", "]", "{}", '", "', "}", "\\u12", "Infinity"]),
    "toml": st.sampled_from([" = ", "[", "]", "\n[[", "]]\n", '"', "'", '"""', ".", "2026-01-01"]),
}


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
def test_what_is_just_not_too_deep_is_read_and_used(files: Files, form: str) -> None:
    deep = "[" * 140 + "]" * 140
    text = {"yaml": f"free: {deep}", "json": f'{{"free": {deep}}}', "toml": f"free = {deep}"}[form]
    assert str(files.task(text, form=form).free) == deep


def test_a_windows_path_is_no_section() -> None:
    from nemo_run.config.files.load import split_section

    assert split_section(r"C:\x\f.yaml") == (r"C:\x\f.yaml", "")
    assert split_section(r"C:\x\f.yaml:a.b") == (r"C:\x\f.yaml", "a.b")
    assert split_section("f.yaml:a.yaml") == ("f.yaml", "a.yaml")
    assert split_section("odd:name.json") == ("odd:name.json", "")


def test_a_task_of_a_script_is_that_of_its_function(files: Files) -> None:
    loaded = load(files.write("f.yaml", "_target_: __main__.fit\nsteps: 3\n"))
    assert apply(Partial(fit), overrides_of(loaded, fit)).steps == 3
    assert task_of(loaded).__target__.module == "__main__"
    assert task_of(load(files.write("g.yaml", "steps: 3"))) is None
    assert read_file_value(f"@{files.folder}/g.yaml", "steps") == 3
    with pytest.raises(OverrideError, match=r"codec_values\.train"):
        overrides_of(loaded, train)
