"""fiddle's tools on our nodes: traversal, selectors, diffs, text, pictures, generated code."""

from __future__ import annotations

import dataclasses
import re

import pytest

import nemo_run as run

fdl = pytest.importorskip("fiddle")

from fiddle import daglish, diffing, graphviz, printing, selectors  # noqa: E402


class Rate(fdl.Tag):
    """A learning rate."""


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.1
    name: str = "adam"


@dataclasses.dataclass
class Adam(Optimizer):
    beta: float = 0.9


@dataclasses.dataclass
class Model:
    width: int
    optimizer: object = None
    layers: object = ()


def recipe() -> run.Config:
    shared = run.Config(Optimizer, lr=0.2)
    layers = [fdl.Config(Model, 2, optimizer=shared), {"head": run.Partial(Model, 3)}]
    return run.Config(Model, width=1, optimizer=shared, layers=layers)


def paths(root: object, **options: object) -> list[str]:
    return [daglish.path_str(path) for _, path in daglish.iterate(root, **options)]


def test_iterate_walks_through_ours_and_theirs():
    found = paths(recipe(), memoized=False)
    assert ".optimizer.lr" in found
    assert ".layers[0].optimizer.lr" in found
    assert ".layers[1]['head'].width" in found
    assert paths(recipe()).count(".optimizer.lr") == 1


def test_a_traversal_gives_our_classes_back():
    def doubled(value, state):
        return value * 2 if isinstance(value, int) else state.map_children(value)

    cfg = recipe()
    done = daglish.MemoizedTraversal.run(doubled, cfg)
    assert type(done) is run.Config
    assert done.width == 2
    assert done.layers[0].width == 4
    assert type(done.layers[1]["head"]) is run.Partial
    assert done.optimizer is done.layers[0].optimizer
    assert cfg.width == 1


def test_traversers_are_found_for_our_classes():
    for cls in (run.Config, run.Partial):
        assert daglish.is_traversable_type(cls)
        traverser = daglish.find_node_traverser(cls)
        values, metadata = traverser.flatten(cls(Model, width=4))
        assert tuple(values) == (4,)
        assert isinstance(
            metadata,
            fdl.BuildableTraverserMetadata if hasattr(fdl, "BuildableTraverserMetadata") else tuple,
        )
        assert traverser.path_elements(cls(Model, width=4)) == (daglish.Attr("width"),)
        assert traverser.unflatten((5,), metadata) == cls(Model, width=5)


def test_paths_can_be_followed_into_ours():
    path = (daglish.Attr("layers"), daglish.Index(1), daglish.Key("head"), daglish.Attr("width"))
    assert daglish.follow_path(recipe(), path) == 3


def test_select_by_callable():
    cfg = recipe()
    selectors.select(cfg, Optimizer).set(lr=9.0)
    assert cfg.optimizer.lr == 9.0
    assert sorted(node.width for node in selectors.select(cfg, Model)) == [1, 2, 3]
    selectors.select(cfg, Optimizer).replace(run.Config(Adam, beta=0.5))
    assert cfg.optimizer == run.Config(Adam, beta=0.5)
    assert set(selectors.select(cfg, Optimizer).get("beta")) == {0.5}


def test_select_by_subclass():
    cfg = run.Config(Model, 1, run.Config(Adam))
    assert len(list(selectors.select(cfg, Optimizer))) == 1
    assert not list(selectors.select(cfg, Optimizer, match_subclasses=False))


def test_select_by_tag():
    cfg = run.Config(Model, 1, run.Config(Optimizer))
    fdl.add_tag(cfg.optimizer, "lr", Rate)
    selectors.select(cfg, tag=Rate).replace(4.0)
    assert list(selectors.select(cfg, tag=Rate)) == [4.0]


def test_a_diff_between_two_of_ours_can_be_applied():
    old, new = recipe(), recipe()
    new.width = 7
    new.optimizer.lr = 0.3
    del new.layers[1]["head"]
    found = diffing.build_diff(old, new)
    targets = {daglish.path_str(change.target) for change in found.changes}
    assert targets == {".width", ".optimizer.lr", ".layers[1]['head']"}
    diffing.apply_diff(found, old)
    assert old == new


def test_a_diff_sees_another_callable():
    old, new = run.Config(Model, 1, run.Config(Optimizer)), run.Config(Model, 1, run.Config(Adam))
    found = diffing.build_diff(old, new)
    diffing.apply_diff(found, old)
    assert old == new
    assert fdl.get_callable(old.optimizer) is Adam


def test_a_diff_between_equal_graphs_is_empty():
    found = diffing.build_diff(recipe(), recipe())
    assert not found.changes
    assert "no objects aligned" not in str(diffing.align_heuristically(recipe(), recipe()))


def test_flattened_text():
    text = printing.as_str_flattened(recipe())
    assert "width: int = 1" in text.splitlines()
    assert re.search(r"^optimizer\.lr: \w+ = 0\.2$", text, re.MULTILINE)
    assert "layers[1]['head'].width: int = 3" in text
    assert "optimizer.name: str = <[unset; default: 'adam']>" in text
    assert printing.as_dict_flattened(recipe())["layers[0].optimizer.lr"] == 0.2


def test_flattened_text_shows_tags():
    cfg = run.Config(Optimizer, 0.5)
    fdl.add_tag(cfg, "lr", Rate)
    assert f"#{__name__}.Rate" in printing.as_str_flattened(cfg)


def test_history_of_each_leaf():
    cfg = recipe()
    cfg.width = 10
    text = printing.history_per_leaf_parameter(cfg)
    assert re.search(rf"width = 10 @ {re.escape(__file__)}:\d+\S*\n  - previously: 1 @ ", text)
    assert re.search(r"optimizer\.lr = 0\.2 @ ", text)
    assert re.search(r"layers\[1\]\['head'\]\.width = 3 @ ", text)


def test_history_of_defaults_and_deletions():
    cfg = run.Config(Model, width=1, layers=[1])
    cfg.layers.append(2)
    del cfg.layers
    cfg.optimizer = run.Config(Optimizer)
    cfg.optimizer.lr = 5.0
    text = printing.history_per_leaf_parameter(run.Config(Model, width=1, optimizer=cfg))
    assert re.search(r"optimizer\.layers = deleted @ .*\n  - previously: \[1\] @ ", text)
    assert re.search(r"optimizer\.optimizer\.lr = 5\.0 @ ", text)
    assert "optimizer.optimizer.name = <[unset]>" in text


def test_graphviz_renders_ours():
    pytest.importorskip("graphviz")
    source = graphviz.render(recipe()).source
    assert "Model" in source
    assert "Config" in source
    new = recipe()
    new.width = 7
    assert "Optimizer" in graphviz.render_diff(old=recipe(), new=new).source


def test_visualize_tools():
    visualize = pytest.importorskip("fiddle.experimental.visualize")
    trimmed = visualize.with_defaults_trimmed(run.Config(Model, 1, run.Config(Optimizer, lr=0.1)))
    assert trimmed.optimizer.__arguments__ == {}
    assert visualize.structure(recipe()) is not None


def test_generated_code_builds_the_same():
    pytest.importorskip("libcst")
    from fiddle.codegen import codegen

    cfg = run.Config(Model, width=4, optimizer=run.Config(Optimizer, lr=0.5))
    names: dict = {}
    code = "\n".join(codegen.codegen_dot_syntax(cfg).lines())
    exec(compile(code, "generated", "exec"), names)
    made = names["build_config"]()
    assert fdl.build(made) == fdl.build(cfg)


def test_generated_auto_config_code_builds_the_same():
    pytest.importorskip("libcst")
    from fiddle._src.codegen import new_codegen

    cfg = run.Config(Model, width=4, optimizer=run.Config(Optimizer, lr=0.5))
    names: dict = {}
    code = new_codegen.new_codegen(cfg)
    exec(compile(code, "generated", "exec"), names)
    made = names["config_fixture"]()
    assert fdl.build(made) == fdl.build(cfg)


def test_types_are_checked_by_fiddles_own_check():
    check_types = pytest.importorskip("fiddle._src.validation.check_types")
    errors = check_types.get_type_errors(run.Config(Model, width="wide"))
    assert any("width" in str(error) for error in errors)


def test_values_that_fiddle_finds_fault_with_are_named_with_their_line():
    checks = pytest.importorskip("fiddle._src.validation.no_custom_objects")
    (error,) = checks.get_config_errors(run.Config(Model, 1, optimizer=object()))
    assert ".optimizer" in error
    assert "test_fiddle_tools.py:" in error


def test_history_names_the_programs_line_when_we_set_fiddles_arguments():
    cfg = run.Config(Model, 1, fdl.Config(Optimizer))
    cfg.broadcast(lr=0.3)
    run.config.set_value(cfg, "optimizer.name", "sgd")
    for name in ("lr", "name"):
        entry = cfg.optimizer.__argument_history__[name][-1]
        assert entry.location.filename == __file__
