"""A small training that can be stopped and goes on: DistributedDataParallel, under torchrun.

``torchrun --nproc-per-node=2 train.py --steps 200``

It stops at the next step when a signal or a file asks it to, and goes on from its newest
checkpoint. However often it is stopped, or killed, the last loss is the same, bit by bit. It
imports nothing of NeMo Run; what it is told, it reads from the environment.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

FOLDER = Path(os.environ.get("NEMORUN_JOB_DIR", "."))


class Stop:
    """Whether somebody wants the training to end before it is done."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def ignore(self) -> None:
        """Let nobody stop what is done; Python forgets our answers before its process is gone."""
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    def anywhere(self) -> bool:
        """Return the same on all ranks, so that they stop at the same step."""
        file = os.environ.get("NEMORUN_STOP_FILE", "")
        here = self.asked or bool(file and Path(file).exists())
        asked = torch.tensor(float(here))
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return bool(asked)


def save(folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Write a checkpoint; it has its name only once it is whole."""
    states = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(torch.get_rng_state(), states)
    if dist.get_rank() != 0:
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:06}.pt"
    content = {
        "step": step,
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": states,
    }
    with path.with_suffix(".part").open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".part").replace(path)
    for old in sorted(folder.glob("step-*.pt"))[:-2]:
        old.unlink()


def load(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Read the newest checkpoint and return its step; 0 where there is none."""
    newest = max(folder.glob("step-*.pt"), default=None)
    if newest is None:
        return 0
    content = torch.load(newest, weights_only=True)
    model.load_state_dict(content["model"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"][dist.get_rank()])
    return int(content["step"])


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the data of a step and rank: points and the angle they lie at."""
    random = torch.Generator().manual_seed(step * dist.get_world_size() + dist.get_rank())
    points = torch.randn(64, 2, generator=random)
    return points, torch.atan2(points[:, 1:], points[:, :1])


def train(steps: int, every: int, pace: float) -> None:
    """Train up to ``steps``, with a checkpoint each ``every`` steps, ``pace`` seconds a step."""
    stop = Stop()
    torch.manual_seed(dist.get_rank())
    net = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1))
    model = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    folder = FOLDER / "checkpoints"
    first = load(folder, model, optimizer)
    say(f"attempt {os.environ.get('NEMORUN_ATTEMPT', '1')}: starts at step {first}", after())
    for step in range(first, steps):
        points, angles = batch(step)
        loss = nn.functional.mse_loss(model(points), angles)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        time.sleep(pace)
        stopped = stop.anywhere()
        if stopped or (step + 1) % every == 0 or step + 1 == steps:
            save(folder, step + 1, model, optimizer)
        if stopped and step + 1 < steps:
            say(f"asked to stop: step {step + 1} is saved")
            break
    else:
        finish(steps, model)
    stop.ignore()


def finish(steps: int, model: nn.Module) -> None:
    """Measure the trained model, and say that it is done."""
    model.eval()
    with torch.no_grad():
        points, angles = batch(-1 % (1 << 31))
        loss = nn.functional.mse_loss(model(points), angles)
        dist.all_reduce(loss)
    value = loss.item() / dist.get_world_size()
    say(f"done: step {steps}, loss {value!r}")
    if dist.get_rank() == 0:
        (FOLDER / "loss.txt").write_text(f"{value.hex()}\n")
        # So that ending just after a signal is not taken for having been stopped.
        if "NEMORUN_FINISHED_FILE" in os.environ:
            Path(os.environ["NEMORUN_FINISHED_FILE"]).touch()


def after() -> str:
    """Return how the attempt before this one ended, in words."""
    end = os.environ.get("NEMORUN_PREVIOUS_END", "")
    return f"after {end}" if end else ""


def say(*words: str) -> None:
    """Print on the first rank only."""
    if dist.get_rank() == 0:
        print(*filter(None, words), flush=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=200)
    arguments.add_argument("--every", type=int, default=20, help="steps between checkpoints")
    arguments.add_argument("--pace", type=float, default=0.0, help="seconds that a step takes")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    train(given.steps, given.every, given.pace)
    dist.barrier()  # nobody leaves while another one still talks to it
    dist.destroy_process_group()
