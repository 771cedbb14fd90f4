"""Trees, diffs and pictures."""

from __future__ import annotations

import functools
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from dataclasses import dataclass, field
from typing import Any

import pytest

import nemo_run as run
from nemo_run.config.graph.reference import Reference
from nemo_run.config.show.diff import Change
from nemo_run.config.show.printing import tree
from nemo_run.exceptions import ConfigError


@dataclass
class Optim:
    lr: float = 0.1
    betas: tuple = (0.9, 0.95)


@dataclass
class Other:
    lr: float = 0.1


@dataclass
class Model:
    layers: list = field(default_factory=list)
    optim: Any = None
    name: str = "m"


def recipe():
    tok = run.Config(Optim, lr=1)
    return run.Partial(
        Model, layers=[run.Config(Optim, 2), tok], optim=run.Config(Optim, betas=(0, 1)), name=tok
    )


def test_repr_is_what_python_writes():
    assert (
        repr(recipe()) == "<Partial[Model(layers=[<Config[Optim(lr=2)]>, <Config[Optim(lr=1)]>], "
        "optim=<Config[Optim(betas=(0, 1))]>, name=<Config[Optim(lr=1)]>)]>"
    )


def test_a_printed_configuration_is_a_tree():
    cfg = recipe()
    cfg.optim.lr = "a\nb"
    assert str(cfg) == (
        "Partial[Model]\n"
        "├─ layers = list\n"
        "│  ├─ [0] = Config[Optim]\n"
        "│  │  └─ lr = 2\n"
        "│  └─ [1] = Config[Optim]\n"
        "│     └─ lr = 1\n"
        "├─ optim = Config[Optim]\n"
        "│  ├─ lr = 'a\\nb'\n"
        "│  └─ betas = (0, 1)\n"
        "└─ name = Config[Optim]  (the same as layers[1])"
    )


def test_the_tree_can_show_defaults_and_keeps_its_width():
    shown = tree(run.Config(Optim, lr=1), defaults=True)
    assert "└─ betas = (0.9, 0.95)  (default)" in shown
    long = run.Config(Optim, lr="x" * 500)
    assert max(map(len, tree(long, width=60).splitlines())) == 60
    assert max(map(len, str(long).splitlines())) == 100


def test_text_is_the_same_on_every_run_and_whatever_a_value_says_of_itself():
    class Odd:
        def __repr__(self):
            raise RuntimeError("no")

    cfg = run.Config(Model, optim=[object(), {"b", "a"}], name=Odd(), layers=[len, Optim])
    assert "<object object>" in tree(cfg)
    assert "{'a', 'b'}" in tree(cfg)
    assert "Odd, whose repr fails with RuntimeError" in tree(cfg)
    assert "layers = [len, Optim]" in tree(cfg)


def test_printing_what_was_read_from_a_file_imports_nothing():
    cfg = run.Config._restore(Reference("no_such_module", "Model"), {"a": 1, "b": [2]})
    assert str(cfg) == "Config[Model]\n├─ a = 1\n└─ b = [2]"
    assert repr(cfg) == "<Config[Model(a=1, b=[2])]>"
    assert tree(cfg, defaults=True, history=True) == str(cfg)
    other = run.Config._restore(Reference("no_such_module", "Model"), {"a": 2})
    assert str(cfg.diff(other)) == "~ a: 2 → 1\n+ b = [2]"


def test_a_diff_tells_every_difference_with_its_path():
    old, new = recipe(), recipe()
    assert not new.diff(old)
    assert str(new.diff(old)) == "no differences"
    new.optim.lr = 3
    new.layers.insert(0, run.Config(Other))
    del new.optim.betas
    difference = new.diff(old)
    assert difference.text.splitlines() == [
        "+ layers[0] = <Config[Other()]>",
        "~ optim.lr: 0.1 → 3",
        "~ optim.betas: (0, 1) → (0.9, 0.95)",
    ]
    assert difference.changes[1] == Change("optim.lr", "changed", "0.1", "3")
    assert len(difference) == 3
    assert repr(difference) == str(difference)


def test_a_diff_is_empty_exactly_when_the_configurations_are_equal():
    old = recipe()
    for change in (
        lambda c: setattr(c, "name", run.Config(Optim, lr=1)),  # no longer shared
        lambda c: setattr(c, "optim", run.Config(Other)),
        lambda c: setattr(c, "optim", run.Partial(Optim, betas=(0, 1))),
        lambda c: setattr(c, "layers", {"k": 1}),
        lambda c: setattr(c, "layers", []),
        lambda c: c.layers.reverse(),
        lambda c: setattr(c, "optim", None),
        lambda c: setattr(c.optim, "lr", 0.1),  # its default
    ):
        new = recipe()
        change(new)
        assert bool(new.diff(old)) is (new != old)
        assert bool(old.diff(new)) is (new != old)


def test_another_target_is_one_change_and_common_arguments_are_compared():
    old, new = run.Config(Optim, lr=1), run.Config(Other, lr=2)
    assert new.diff(old).text == "~ (root): Config[Optim] → Config[Other]\n~ lr: 1 → 2"


def test_a_diff_can_be_seen_in_the_tree_trimmed_or_whole():
    old, new = recipe(), recipe()
    new.optim.lr = 3
    assert new.diff(old).tree == (
        "  Partial[Model]\n  └─ optim = Config[Optim]\n~    └─ lr = 0.1 → 3"
    )
    whole = new.diff(old, trim=False).tree
    assert "  │  └─ betas = (0, 1)" in whole or "  │  ├─ betas = (0, 1)" in whole
    assert "layers = list" in whole


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)
    return [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]


def test_notebooks_get_a_picture_with_every_node_and_value():
    svg = recipe()._repr_svg_()
    shown = texts(svg)
    assert shown.count("Config[Optim]") == 3, "a shared node is one card"
    assert "Partial[Model]" in shown
    assert "lr = 2" in shown
    assert "layers[0]" in shown
    assert svg.count("<polyline") == 4, "one line for each use of a node"


def test_the_picture_of_a_diff_marks_what_differs():
    old, new = recipe(), recipe()
    new.layers.append(run.Config(Other, 9))
    new.optim.lr = 5
    svg = new.diff(old)._repr_svg_()
    assert "lr = 0.1 → 5" in texts(svg)
    for colour in ("#c8ecd0", "#fbe7b2"):
        assert colour in svg


def test_any_text_makes_a_legal_picture():
    cfg = run.Config(Model, name="<&>\"'\x00\x1b\ud800é→…" + "long" * 50, optim="日本")
    assert any("<&>" in text for text in texts(cfg._repr_svg_()))
    assert cfg.visualize().png.startswith(b"\x89PNG")


def decoded(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and rows of an 8-bit palette PNG; checks every chunk."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, {}
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        name, body = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        assert struct.unpack(">I", png[place + 8 + size : place + 12 + size])[0] == zlib.crc32(
            name + body
        )
        chunks[name], place = body, place + 12 + size
    width, height, depth, kind, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, kind) == (8, 3)
    return width, height, zlib.decompress(chunks[b"IDAT"])


def test_save_config_img_writes_files_that_can_be_read(tmp_path):
    cfg = recipe()
    cfg.save_config_img(str(tmp_path / "a.png"))
    cfg.save_config_img(str(tmp_path / "a.svg"))
    cfg.save_config_img(str(tmp_path))
    cfg.save_config_img(str(tmp_path / "new"))
    width, height, rows = decoded((tmp_path / "a.png").read_bytes())
    assert len(rows) == (width + 1) * height
    assert set(rows[:: width + 1]) == {0}, "each row begins with its filter"
    assert len(set(rows)) > 4, "something was drawn"
    assert (tmp_path / "config.png").read_bytes() == (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "new" / "config.png").is_file()
    ET.fromstring((tmp_path / "a.svg").read_text())
    assert cfg.diff(recipe()).save(str(tmp_path / "d.png")) == str(tmp_path / "d.png")


def test_another_kind_of_picture_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.svg or \.png, and .*'\.jpg'"):
        recipe().save_config_img(str(tmp_path / "a.jpg"))
    assert list(tmp_path.glob("*.jpg")) == []


def test_pictures_need_no_other_program_nor_package(tmp_path):
    code = (
        "import sys, nemo_run as run\n"
        "def f(x): ...\n"
        "cfg = run.Config(f, run.Config(f, 1))\n"
        "cfg.save_config_img('a.png'); print(cfg.visualize(rankdir='LR').svg[:4])\n"
        "print(cfg.diff(cfg.clone(), trim=True, rankdir='LR'))\n"
        "print([m for m in ('graphviz', 'PIL', 'matplotlib', 'fiddle') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PATH": "", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "<svg\nno differences\n[]\n", done.stderr
    assert (tmp_path / "a.png").stat().st_size > 100


def test_rendering_has_no_side_effects():
    cfg = recipe()
    copied = cfg.clone()
    first = [repr(cfg), str(cfg), cfg._repr_svg_(), tree(cfg, history=True, defaults=True)]
    for _ in range(2):
        assert [
            repr(cfg),
            str(cfg),
            cfg._repr_svg_(),
            tree(cfg, history=True, defaults=True),
        ] == first
    assert cfg == copied
    assert cfg.__arguments__.keys() == copied.__arguments__.keys()


def test_a_long_list_is_cut_where_it_is_shown_and_compared_whole():
    cfg, other = run.Config(Model, list(range(1000))), run.Config(Model, list(range(1000)))
    other.layers[700] = "x"
    assert str(cfg).count("\n") == 1
    assert tree(cfg, width=1000).endswith("28, 29, … 970 more]")
    assert str(other.diff(cfg)) == "~ layers[700]: 700 → 'x'"
    assert len(cfg._repr_svg_()) < 3000


def test_targets_without_a_name_are_shown_without_addresses():
    assert "0x" not in str(run.Config(functools.partial(Model, name=1)))
    assert str(run.Config(functools.partial(Model))) == "Config[partial(Model)]"
