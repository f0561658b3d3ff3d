"""What a command is about to run: its points, which of them are done, and what the others will cost."""

from pathlib import Path

from ibbench.budget.cost import count_parameters, count_training_flops
from ibbench.record.agenda import Planned, config_key, swept_part
from ibbench.record.folder import read_finished
from ibbench.run.plan import Point
from ibbench.terminal import say


def list_planned(points: list[Point], overrides: list[list[str]]) -> list[Planned]:
    """Say of each point what `ibbench status` is to know of it."""
    return [_plan(point, text) for point, text in zip(points, swept_part(overrides), strict=True)]


def _plan(point: Point, text: str) -> Planned:
    epochs = point.resolved.trainer.epochs
    steps = point.split.train_size * epochs * point.config.num_replicas
    flops = count_training_flops(point.dataset.molecules.padding, point.resolved.model) * float(steps)
    return Planned(
        run=point.run,
        point=text or point.config.model.name,
        key=config_key(point.config),
        epochs=epochs,
        molecule_steps=steps,
        flops=flops,
    )


def announce(study: Path, points: list[Point], planned: list[Planned], with_cost: bool = False) -> None:
    """Print a line for each point, and with `with_cost` what those that are to do will cost."""
    first = points[0]
    say(f"Study {study}: {len(points)} runs, {len(first.dataset):,} molecules, split {first.split.fingerprint}")
    left = []
    for point, entry in zip(points, planned, strict=True):
        done = not point.config.rerun and read_finished(point.folder)
        left += [] if done else [entry]
        replicas = point.config.num_replicas
        width, hidden = point.resolved.model.sizes
        parameters = count_parameters(point.dataset.molecules.padding.num_atoms, point.resolved.model)
        cost = f", {describe_cost([entry])}" if with_cost else ""
        say(
            f"  {point.run}: {f'{entry.point}, ' if with_cost else ''}width {width}, hidden {hidden}, "
            f"{parameters:,} parameters, {replicas} replicas on {point.split.train_size:,} molecules{cost}, "
            f"{'done' if done else 'to do'}"
        )
    if with_cost:
        say(f"To do: {len(left)} of {len(points)} runs, {describe_cost(left)}. Nothing was started.")


def describe_cost(planned: list[Planned]) -> str:
    """Say what trainings cost: how often a molecule is trained on, and the floating-point operations of that."""
    steps, flops = sum(one.molecule_steps for one in planned), sum(one.flops for one in planned)
    return f"{steps:,} molecule-steps, {flops / 1e12:.3g} TFLOP"
