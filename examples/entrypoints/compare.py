"""Several trainings and a report as one experiment.

    nemo-run run compare.py:compare widths=4,32 --yes

Through `ctx` it learns what the command line says about the run: where, whether to wait.
"""

from __future__ import annotations

from moons import Data, Model, Optimizer, train

import nemo_run as run


def usual() -> run.Partial[compare]:
    """What `compare` begins with."""
    return run.Partial(
        compare, widths=[4, 16], data=run.Config(Data), optimizer=run.Config(Optimizer)
    )


@run.cli.entrypoint(type="experiment", default_factory=usual)
def compare(
    ctx: run.cli.RunContext,
    widths: list[int],
    data: Data,
    optimizer: Optimizer,
    epochs: int = 20,
) -> None:
    """Train networks of several widths on the same points, then report.

    Args:
        ctx: What the command line says about the run.
        widths: One network is trained for each.
        data: What they learn from.
        optimizer: How their weights are changed.
        epochs: How often each sees every point.
    """
    with run.Experiment(ctx.name or "compare", executor=ctx.executor) as experiment:
        names = []
        for width in widths:
            model = run.Config(Model, width=width)
            task = run.Partial(train, model, optimizer, data, epochs=epochs)
            names.append(experiment.add(task, name=f"width-{width}", plugins=ctx.plugins))
        report = run.Script(inline='echo "trained: $*"', args=names)
        experiment.add(report, name="report", dependencies=names, tail_logs=True)
        results = ctx.launch(experiment)
    if not (ctx.dryrun or ctx.detach):
        for name in names:
            print(f"{name:<10} accuracy {results[name]['accuracy']:.3f}")
