"""An entrypoint such as programs have, for the cost of its help."""

from __future__ import annotations

from dataclasses import dataclass

import nemo_run as run


@dataclass
class Model:
    """A network.

    Attributes:
        width: Units of each layer.
        depth: How many layers.
    """

    width: int = 128
    depth: int = 4


@run.cli.factory
@run.autoconvert
def small() -> Model:
    """A small one."""
    return Model(width=16)


def train(model: Model, learning_rate: float = 1e-3, epochs: int = 10, seed: int | None = None):
    """Train a model.

    Args:
        model: What is trained.
        learning_rate: Step size.
        epochs: How often the data is seen.
        seed: Of the random numbers.
    """
    print(model, learning_rate, epochs, seed)


if __name__ == "__main__":
    run.cli.main(train)
