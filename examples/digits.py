"""Train on handwritten digits with three learning rates at once, and compare them.

    python examples/digits.py

The data set comes with scikit-learn, so nothing is downloaded. Each learning rate is a job of
one experiment and runs in its own process; closing the terminal does not stop them.
"""

from __future__ import annotations

import nemo_run as run

LEARNING_RATES = (0.01, 0.1, 1.0)


def train(
    learning_rate: float, epochs: int = 300, hidden_units: int = 64, seed: int = 0
) -> dict[str, float]:
    """Train a small network on 8 x 8 pixel digits.

    Args:
        learning_rate: Step size of stochastic gradient descent.
        epochs: Passes over the 1,347 training pictures.
        hidden_units: Width of the hidden layer.
        seed: Makes the run repeatable.

    Returns:
        The share of the 450 held-out pictures that were recognised, and the training loss.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    pictures, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        pictures / 16.0, labels, test_size=0.25, random_state=seed, stratify=labels
    )
    model = MLPClassifier(
        (hidden_units,), solver="sgd", learning_rate_init=learning_rate, random_state=seed
    )
    for epoch in range(1, epochs + 1):
        model.partial_fit(train_x, train_y, classes=range(10))
        if epoch % 50 == 0:
            accuracy = model.score(test_x, test_y)
            print(f"epoch {epoch:3d}  loss {model.loss_:.4f}  accuracy {accuracy:.3f}")
    return {"accuracy": float(model.score(test_x, test_y)), "loss": float(model.loss_)}


def print_results(experiment: run.Experiment, results: dict[str, dict[str, float]]) -> None:
    """Print what each job returned, best first, and what can be typed next."""
    print(f"\n{'job':<12}{'accuracy':>10}{'loss':>10}")
    for job, result in sorted(results.items(), key=lambda row: -row[1]["accuracy"]):
        print(f"{job:<12}{result['accuracy']:>10.3f}{result['loss']:>10.4f}")
    best = max(results, key=lambda job: results[job]["accuracy"])
    print("\nLook again, now or in a month:")
    print("  nemo-run experiment list")
    print(f"  nemo-run experiment show {experiment.id}")
    print(f"  nemo-run experiment logs {experiment.id} {best}")


if __name__ == "__main__":
    # Three jobs share this machine: one thread each keeps them from getting in each other's way.
    executor = run.LocalExecutor(env_vars={"OMP_NUM_THREADS": "1"})
    with run.Experiment("digits", executor, enable_goodbye_message=False) as experiment:
        for learning_rate in LEARNING_RATES:
            task = run.Partial(train, learning_rate=learning_rate)
            experiment.add(task, name=f"lr-{learning_rate}", tail_logs=True)
        results = experiment.run()
    print_results(experiment, dict(results))
