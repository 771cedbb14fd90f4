"""Recipes as training libraries write them: configurations of configurations, changed in layers.

Written for this project in the style of public programs. fiddle is mixed in where they do.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

import nemo_run as run

fdl = pytest.importorskip("fiddle")

import fiddle._src.experimental.dataclasses as fdl_dc  # noqa: E402


@dataclass
class ModelConfig:
    num_layers: int = 2
    hidden_size: int = 8
    seq_length: int = 16
    dtype: str | None = None


@dataclass
class Tokenizer:
    name: str = "bytes"


class Model:
    def __init__(
        self, config: ModelConfig | None = None, tokenizer: Tokenizer | None = None
    ) -> None:
        self.config = config or ModelConfig()
        self.tokenizer = tokenizer


@dataclass
class Overlap:
    kind: str = "ring"
    chunks: int = 1


@dataclass
class OverlapRegime:
    forward: Overlap = field(default_factory=Overlap)
    backward: Overlap = field(default_factory=lambda: Overlap("bulk"))

    def __post_init__(self) -> None:
        assert self.forward.chunks > 0


class Strategy:
    def __init__(self, tensor_parallel: int = 1, ddp: Any = "megatron", **options: Any) -> None:
        self.tensor_parallel, self.ddp, self.options = tensor_parallel, ddp, options


class Timing:
    def __init__(self, every: int = 1) -> None:
        self.every = every


class OverlapCallback:
    def __init__(self, enabled: bool = False, regime: OverlapRegime | None = None) -> None:
        self.enabled, self.regime = enabled, regime


@dataclass
class Trainer:
    devices: int = 1
    num_nodes: int = 1
    max_steps: int = 10
    strategy: Any = None
    callbacks: list | None = None
    plugins: Any = None


@dataclass
class Data:
    seq_length: int = 16
    tokenizer: Tokenizer | None = None
    paths: list = field(default_factory=list)


@dataclass
class Optim:
    lr: float = 3e-4
    betas: tuple = (0.9, 0.95)


@dataclass
class Log:
    dir: str | None = None
    name: str = "default"


def pretrain(
    model: Model, data: Data, trainer: Trainer, log: Log | None = None, optim: Optim | None = None
) -> dict[str, Any]:
    return {"model": model, "data": data, "trainer": trainer, "log": log, "optim": optim}


def model() -> run.Config[Model]:
    return run.Config(Model, config=run.Config(ModelConfig))


def trainer(
    tensor_parallel: int = 1, num_nodes: int = 1, callbacks: list[run.Config] | None = None
) -> run.Config[Trainer]:
    strategy = run.Config(Strategy, tensor_parallel=tensor_parallel, ckpt_async_save=True)
    return run.Config(
        Trainer, num_nodes=num_nodes, callbacks=callbacks, strategy=strategy, devices=2
    )


def pretrain_recipe(
    dir: str | None = None,
    name: str = "default",
    num_nodes: int = 1,
    performance_mode: bool = False,
    fn: Callable = pretrain,
) -> run.Partial:
    recipe = run.Partial(
        fn,
        model=model(),
        trainer=trainer(num_nodes=num_nodes, callbacks=[run.Config(Timing)]),
        data=run.Config(Data, seq_length=32),
        log=run.Config(Log, dir=dir, name=name),
        optim=run.Config(Optim, lr=1e-4),
    )
    return performance_optimizations(recipe) if performance_mode else recipe


def performance_optimizations(recipe: run.Partial) -> run.Partial:
    if not recipe.trainer.callbacks:
        recipe.trainer.callbacks = []
    regime = fdl.cast(
        run.Config, fdl_dc.convert_dataclasses_to_configs(OverlapRegime(), allow_post_init=True)
    )
    recipe.trainer.callbacks.append(run.Config(OverlapCallback, enabled=True, regime=regime))
    recipe.trainer.strategy.gradient_accumulation_fusion = True
    recipe.optim.betas = (0.8, 0.9)
    return recipe


def test_a_recipe_is_a_partial_of_configurations():
    recipe = pretrain_recipe(name="small", dir="/tmp/x")
    assert isinstance(recipe, run.Partial)
    assert recipe.__fn_or_cls__ == pretrain
    for name, cls in [("model", Model), ("trainer", Trainer), ("data", Data), ("optim", Optim)]:
        part = getattr(recipe, name)
        assert isinstance(part, run.Config)
        assert part.__fn_or_cls__ == cls
    assert isinstance(recipe.trainer.callbacks, list)
    assert recipe.trainer.callbacks[0].__fn_or_cls__ is Timing
    assert recipe.trainer.strategy.tensor_parallel == 1
    assert recipe.trainer.max_steps == 10, "a default shows"
    assert hasattr(recipe.trainer, "devices")
    assert not hasattr(recipe.trainer, "gpus")


def test_a_recipe_builds_with_fiddle_and_with_run():
    for build in (fdl.build, run.config.build):
        call = build(pretrain_recipe(performance_mode=True))
        assert isinstance(call, functools.partial)
        made = call()
        assert made["trainer"].callbacks[1].regime == OverlapRegime()
        assert made["trainer"].strategy.options == {
            "ckpt_async_save": True,
            "gradient_accumulation_fusion": True,
        }
        assert made["optim"] == Optim(1e-4, (0.8, 0.9))
        assert isinstance(made["model"].config, ModelConfig)


def test_a_derived_recipe_changes_nested_values():
    recipe = pretrain_recipe()
    recipe.model.config.num_layers = 1
    recipe.model.config.seq_length = recipe.data.seq_length
    recipe.trainer.strategy.ddp = run.Config(Overlap, chunks=4)
    recipe.trainer.strategy.ddp.kind = "tree"
    recipe.data.paths.append("/data/a")
    recipe.data.paths += ["/data/b"]
    recipe.trainer.plugins = run.Partial(Timing, every=3)
    made = fdl.build(recipe)()
    assert made["model"].config == ModelConfig(num_layers=1, seq_length=32)
    assert made["trainer"].strategy.ddp == Overlap("tree", 4)
    assert made["data"].paths == ["/data/a", "/data/b"]
    assert made["trainer"].plugins().every == 3


def test_two_recipes_do_not_share_what_they_change():
    first, second = pretrain_recipe(), pretrain_recipe()
    first.data.paths.append("x")
    first.trainer.callbacks.append(run.Config(Timing, 5))
    assert second.data.paths == []
    assert len(second.trainer.callbacks) == 1
    clone = copy.deepcopy(first)
    clone.data.paths.append("y")
    clone.optim.lr = 9.0
    assert first.data.paths == ["x"]
    assert first.optim.lr == 1e-4
    assert first.clone() == first != clone


def test_a_tokenizer_shared_by_model_and_data_is_one_object():
    recipe = pretrain_recipe()
    recipe.data.tokenizer = run.Config(Tokenizer)
    recipe.model.tokenizer = recipe.data.tokenizer
    recipe.data.tokenizer.name = "words"
    made = fdl.build(recipe)()
    assert made["model"].tokenizer is made["data"].tokenizer
    assert made["model"].tokenizer == Tokenizer("words")


def test_broadcast_and_walk_reach_every_level():
    recipe = pretrain_recipe()
    recipe.broadcast(seq_length=64, max_steps=3)
    assert recipe.model.config.seq_length == recipe.data.seq_length == 64
    assert recipe.trainer.max_steps == 3
    recipe.walk(devices=lambda node: node.devices * 4)
    assert recipe.trainer.devices == 8


def test_dataclass_instances_are_arguments():
    recipe = run.Partial(
        pretrain, model=run.Config(Model, ModelConfig(4)), data=Data(), trainer=Trainer(2)
    )
    assert isinstance(recipe.data, run.Config)
    recipe.data.seq_length = 128
    recipe.model.config.hidden_size = 2
    made = fdl.build(recipe)()
    assert made["data"] == Data(128)
    assert made["model"].config == ModelConfig(4, 2)


def test_a_converted_dataclass_is_edited_like_any_configuration():
    cfg = fdl.cast(
        run.Config, fdl_dc.convert_dataclasses_to_configs(OverlapRegime(), allow_post_init=True)
    )
    assert isinstance(cfg, run.Config)
    cfg.forward.chunks = 8
    cfg.backward = run.Config(Overlap, "pipe")
    assert fdl.build(cfg) == OverlapRegime(Overlap(chunks=8), Overlap("pipe"))
    assert dataclasses.asdict(fdl.build(cfg))["backward"]["kind"] == "pipe"


def test_another_function_takes_a_recipes_arguments():
    def finetune(model: Model, data: Data, trainer: Trainer, peft: Any = None, **rest: Any) -> Any:
        return peft

    recipe = pretrain_recipe(fn=finetune)
    recipe.peft = run.Config(Overlap, "lora")
    recipe.trainer.strategy.tensor_parallel = 1
    assert fdl.build(recipe)() == Overlap("lora")


def test_wrong_names_say_which_one_was_meant():
    recipe = pretrain_recipe()
    with pytest.raises(AttributeError, match=r"max_step.*max_steps"):
        recipe.trainer.max_step = 1
    with pytest.raises(TypeError, match=r"seqlength.*seq_length"):
        run.Config(Data, seqlength=1)


def test_a_recipe_runs_in_this_process():
    seen = []

    def fn(model: Model, data: Data, trainer: Trainer, **rest: Any) -> None:
        seen.append((type(model), data.seq_length))

    recipe = pretrain_recipe(fn=fn)
    run.run(recipe, direct=True)
    assert seen == [(Model, 32)]


def save(model: Model, data: Data, trainer: Trainer, path: str = "", **rest: Any) -> int:
    """A task whose job leaves something to look at."""
    import sys

    regime = trainer.callbacks[1].regime
    with open(path, "w") as file:
        file.write(f"{regime.backward.kind} {data.seq_length} {'fiddle' in sys.modules}")
    return data.seq_length


def test_a_recipe_with_fiddles_nodes_inside_runs_as_a_job(tmp_path):
    recipe = pretrain_recipe(performance_mode=True, fn=save)
    assert type(recipe.trainer.callbacks[1].regime.backward) is fdl.Config
    recipe.path = str(tmp_path / "seen")
    assert run.run(recipe, executor=run.LocalExecutor(), tail_logs=False) == 32
    seen = (tmp_path / "seen").read_text().split()
    assert seen[:2] == ["bulk", "32"]


def test_what_is_wrong_inside_fiddles_nodes_is_found_before_running():
    recipe = pretrain_recipe()
    recipe.optim = fdl.Config(Optim, betas="fast")
    recipe.model.config = fdl.Config(Strategy)
    recipe.data = fdl.Config(Model, tokenizer=fdl.Config(Overlap, chunks="many"))
    with pytest.raises(run.exceptions.CheckError) as caught:
        run.run(recipe, direct=True)
    assert "optim.betas" in str(caught.value)
    assert "data.tokenizer.chunks" in str(caught.value)


def drop_unknown(config: Any) -> None:
    """Remove arguments that the target no longer takes, at every level, as loaders do."""
    import inspect

    if isinstance(config, (fdl.Config, fdl.Partial)):
        known = inspect.signature(config.__fn_or_cls__).parameters
        for name in [name for name in config.__arguments__ if name not in known]:
            del config.__arguments__[name]
        for value in config.__arguments__.values():
            drop_unknown(value)


def test_loaders_that_edit_the_arguments_directly():
    cfg = run.Config(Model, config=fdl.Config(ModelConfig), tokenizer=run.Config(Tokenizer))
    cfg.__arguments__["old"] = 1
    cfg.tokenizer.__arguments__["older"] = 2
    drop_unknown(cfg)
    made = fdl.build(cfg)
    assert made.tokenizer == Tokenizer()
    # Both kinds of node are met by one test, as loaders of checkpoints do.
    assert isinstance(cfg.config, fdl.Config)
    assert isinstance(cfg.tokenizer, fdl.Config)
