"""The lines that a command prints before it starts: its points, which of them are done, and what the others cost."""

from pathlib import Path

from ibbench.budget.cost import count_parameters, count_training_flops
from ibbench.options.trial import list_stages
from ibbench.record.agenda import Planned, config_key, swept_part
from ibbench.record.intact import find_damage, read_done
from ibbench.run.plan import Point
from ibbench.run.sight import tell_unseen
from ibbench.sweep.warnings import list_warnings
from ibbench.terminal import mention, say
from ibbench.training.device import choose_device, describe_device
from ibbench.training.length import count_molecules, measure_length


def list_planned(points: list[Point], overrides: list[list[str]]) -> list[Planned]:
    """Return what `ibbench status` needs to know about each point before it has a record.

    Args:
        points: the planned points.
        overrides: the overrides that were given for each point.
    """
    return [_plan(point, text) for point, text in zip(points, swept_part(overrides), strict=True)]


def _plan(point: Point, text: str) -> Planned:
    molecules = count_molecules(point.resolved, point.split.train_size)
    flops = count_training_flops(point.dataset.molecules.padding, point.resolved.model) * float(molecules)
    flops *= point.config.passes_per_step
    return Planned(
        run=point.run,
        point=text or point.config.model.name,
        key=config_key(point.config),
        steps=measure_length(point.resolved.trainer, point.split.train_size).steps,
        stages=len(list_stages(point.config)),
        molecule_steps=molecules,
        flops=flops,
        targets=tuple(point.config.targets),
        train_size=point.split.train_size,
    )


def is_to_do(point: Point) -> bool:
    """Whether a point is not done yet, or is to be trained again.

    Raises:
        InputError: its record cannot be read but is not damaged, such as one of a newer version.
    """
    return point.config.rerun or not read_done(point.folder)


def announce(
    study: Path, points: list[Point], planned: list[Planned], with_cost: bool = False, here: bool = True
) -> None:
    """Print one line per point, after what is odd about the data.

    Args:
        study: the folder of the study.
        points: the planned points, at least one.
        planned: the entries of `list_planned` for these points.
        with_cost: whether to add the cost of each point, and the cost of all points that are not done.
        here: whether the points are trained on this machine, so that its device can be named.
    """
    first = points[0]
    mention(f"Study {study}: {len(points)} runs, {len(first.dataset):,} molecules, split {first.split.fingerprint}")
    for sentence in (*list_warnings(points), *tell_unseen(points)):
        mention(sentence)
    if here and any(map(is_to_do, points)):
        devices = [choose_device(point.config.device) for point in points]
        on_gpu = dict.fromkeys(describe_device(device) for device in devices if device.type != "cpu")
        if on_gpu:  # for the CPU, `cores.py` prints a line of its own
            mention(f"Trains on {' and '.join(on_gpu)}")
    left = []
    for point, entry in zip(points, planned, strict=True):
        to_do = is_to_do(point)
        left += [entry] if to_do else []
        replicas = point.config.num_replicas
        width, hidden = point.resolved.model.sizes
        parameters = count_parameters(point.dataset.molecules.padding, point.resolved.model)
        cost = f", {describe_cost([entry])}" if with_cost else ""
        if not point.config.rerun and (damage := find_damage(point.folder)):
            say(f"  {damage.path} is not readable: {damage.reason}. Its run is to be trained again.")
        mention(
            f"  {point.run}: {f'{entry.point}, ' if with_cost else ''}width {width}, hidden {hidden}, "
            f"{parameters:,} parameters, {replicas} replicas on {point.split.train_size:,} molecules{cost}, "
            f"{'to do' if to_do else 'done'}"
        )
    if with_cost:
        mention(f"To do: {len(left)} of {len(points)} runs, {describe_cost(left)}. Nothing was started.")


def describe_cost(planned: list[Planned]) -> str:
    """Say what trainings cost together: molecule-steps (how often any molecule is trained on), and TFLOP."""
    steps, flops = sum(one.molecule_steps for one in planned), sum(one.flops for one in planned)
    return f"{steps:,} molecule-steps, {flops / 1e12:.3g} TFLOP"
