"""A small network learns to tell two half moons apart, in plain Python.

    python moons.py --help
    python moons.py model=wide optimizer.lr=0.3 --yes

Every typed value of `train`, however deep, can be set from the command line, seen, saved to a file
and swept. Nothing in here knows about that but the last line.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal

import nemo_run as run


@dataclass
class Model:
    """A network with one hidden layer.

    Attributes:
        width: How many units the hidden layer has.
        activation: What each of them applies.
    """

    width: int = 8
    activation: Literal["tanh", "relu"] = "tanh"


@dataclass
class Optimizer:
    """Stochastic gradient descent.

    Attributes:
        lr: The size of a step.
        decay: How much smaller the steps get with each pass.
    """

    lr: float = 0.1
    decay: float = 0.0


@dataclass
class Data:
    """Points on two half moons that reach into each other.

    Attributes:
        points: How many there are.
        noise: How far they lie from where they belong.
    """

    points: int = 200
    noise: float = 0.2


def train(
    model: Model, optimizer: Optimizer, data: Data, epochs: int = 20, seed: int = 0
) -> dict[str, float]:
    """Train a network and say how well it does on points that it has not seen.

    Args:
        model: What is trained.
        optimizer: How its weights are changed.
        data: What it learns from.
        epochs: How often it sees every point.
        seed: Makes the run repeatable.
    """
    chance = random.Random(seed)
    seen, unseen = half_moons(data, chance), half_moons(data, chance)
    network = Network(model, chance)
    for epoch in range(1, epochs + 1):
        lr = optimizer.lr / (1 + optimizer.decay * epoch)
        loss = sum(network.learn(point, label, lr) for point, label in seen) / len(seen)
        if epoch % max(1, epochs // 4) == 0:
            print(f"epoch {epoch:3d}  loss {loss:.3f}  accuracy {network.accuracy(unseen):.3f}")
    return {"accuracy": round(network.accuracy(unseen), 3), "loss": round(loss, 3)}


@run.cli.factory
def wide(width: int = 32) -> run.Config[Model]:
    """A wider network."""
    return run.Config(Model, width=width)


@run.cli.factory
def noisy(points: int = 400) -> run.Config[Data]:
    """Moons that are hard to tell apart."""
    return run.Config(Data, points=points, noise=0.35)


@run.cli.factory(target=train)
def quick() -> run.Partial[train]:
    """All of it in a moment."""
    return run.Partial(
        train,
        model=run.Config(Model, width=4),
        optimizer=run.Config(Optimizer),
        data=run.Config(Data, points=60),
        epochs=5,
    )


def usual() -> run.Partial[train]:
    """What `train` begins with where nothing else is said."""
    return run.Partial(
        train,
        model=run.Config(Model),
        optimizer=run.Config(Optimizer),
        data=run.Config(Data),
    )


Point = tuple[float, float]


def half_moons(data: Data, chance: random.Random) -> list[tuple[Point, int]]:
    """Return points and which of the moons each belongs to."""
    found = []
    for number in range(data.points):
        angle, label = math.pi * chance.random(), number % 2
        x, y = math.cos(angle), math.sin(angle)
        if label:
            x, y = 1 - x, 0.5 - y
        found.append(((chance.gauss(x, data.noise), chance.gauss(y, data.noise)), label))
    return found


class Network:
    """Two inputs, one hidden layer, one output."""

    def __init__(self, model: Model, chance: random.Random) -> None:
        self.relu = model.activation == "relu"
        self.hidden = [[chance.gauss(0, 1) for _ in range(3)] for _ in range(model.width)]
        self.output = [chance.gauss(0, 1) / model.width for _ in range(model.width + 1)]

    def values(self, point: Point) -> list[float]:
        """Return what the hidden units say of a point."""
        sums = (a * point[0] + b * point[1] + c for a, b, c in self.hidden)
        return [max(0.0, s) if self.relu else math.tanh(s) for s in sums]

    def probability(self, values: list[float]) -> float:
        """Return how likely the point is on the second moon."""
        total = self.output[-1] + sum(w * v for w, v in zip(self.output, values, strict=False))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))

    def learn(self, point: Point, label: int, lr: float) -> float:
        """Take one step for one point, and return how wrong the network was."""
        values = self.values(point)
        probability = self.probability(values)
        error = lr * (probability - label)
        for unit, value in enumerate(values):
            slope = float(value > 0) if self.relu else 1 - value * value
            back = error * self.output[unit] * slope
            self.output[unit] -= error * value
            weights = self.hidden[unit]
            weights[0] -= back * point[0]
            weights[1] -= back * point[1]
            weights[2] -= back
        self.output[-1] -= error
        return -math.log(max(1e-9, probability if label else 1 - probability))

    def accuracy(self, points: list[tuple[Point, int]]) -> float:
        """Return the share of the points that it puts on the right moon."""
        right = sum((self.probability(self.values(p)) > 0.5) == bool(label) for p, label in points)
        return right / len(points)


if __name__ == "__main__":
    run.cli.main(train, default_factory=usual, default_executor=run.Config(run.LocalExecutor))
