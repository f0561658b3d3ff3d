"""The budget in seconds: the width at which a model trains at a given pace on this machine."""

import functools
import hashlib
import json
import math
import time
from pathlib import Path

import torch

from ibbench.budget.width import bracket
from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.options.config import Config
from ibbench.options.model import ModelOptions
from ibbench.record.folder import MATCHED
from ibbench.terminal import mention
from ibbench.training.device import describe_device, free_memory
from ibbench.training.loop import prepare
from ibbench.training.packs import bytes_per_replica, list_replicas
from ibbench.training.step import Step
from ibbench.training.task import loss_of

_GRAIN = 8  # only multiples of this are tried as widths
_NEAR = 1.5  # the pace must lie within this factor of the budget
_WARM_UP, _STEPS, _REPEATS = 2, 4, 5
_USUAL = {"output"}  # what models predict, where that is a value per molecule
_WIDEST = 1 << 11  # a wider model takes longer per step than any budget at which models can be trained to the end
_LONGEST_SECONDS = 120.0  # for one model; a search that takes longer is given up


def fit_to_seconds(config: Config, dataset: DataSet, split: Split, device: torch.device, study: Path) -> ModelOptions:
    """Choose the width at which training takes `budget.value` seconds per molecule and replica.

    The hidden width inside a block is twice the width. The measured width is kept in the study's folder `matched/`, so
    that the same command gives the same width again; a second timing could give another one.

    Args:
        config: config of the run, with `budget.match=seconds`.
        dataset: the molecules.
        split: the division of that data set.
        device: the device to train on.
        study: the folder of the study.

    Raises:
        InputError: no width comes near that pace, the search takes too long, or there are fewer train molecules than a
            batch holds.
    """
    assert config.budget
    path = study / MATCHED / f"{config.model.name}-{_digest(config, dataset, device)}.json"
    width = _read_width(path)
    if width is None:
        if split.train_size < config.trainer.batch_size:
            raise InputError("budget.match=seconds times whole batches: expected data.train_size >= trainer.batch_size")
        width = _measure_width(config, dataset, split, device)
        write_atomically(path, json.dumps({"width": width, "device": describe_device(device)}) + "\n")
    return _sized(config, width).model


def _digest(config: Config, dataset: DataSet, device: torch.device) -> str:
    """Return a hash of all that the time of a step depends on, so that runs which differ otherwise share a width."""
    facts = {
        # Without what the models predict where it is what all models predicted, so that widths are found again.
        "model": config.model.model_dump(mode="json", exclude=_USUAL if config.model.output == "molecule" else None),
        "padding": list(dataset.molecules.padding),
        "replicas": config.num_replicas,
        "batch_size": config.trainer.batch_size,
        "options": [config.budget and config.budget.value, config.precision, config.loss, config.optimizer.name],
        "augmentation": config.data.augmentation,
        "device": describe_device(device),
    }
    if config.trainer.subspace is not None:
        facts["subspace"] = config.trainer.subspace
    if dataset.layout == "qm9":  # so that widths are found again that were measured when there was no other layout
        facts["padding"] = dataset.molecules.padding[:2]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]


def _read_width(path: Path) -> int | None:
    try:
        width = json.loads(path.read_text())["width"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not readable: {error!r}. Remove it, and the width is measured anew") from None
    return int(width)


def _sized(config: Config, width: int) -> Config:
    model = config.model.model_copy(update={"width": width, "hidden": 2 * width})
    return config.model_copy(update={"model": model, "budget": None})


def _measure_width(config: Config, dataset: DataSet, split: Split, device: torch.device) -> int:
    assert config.budget
    goal = config.budget.value
    most = free_memory(device) / 2 / config.num_replicas
    deadline = time.perf_counter() + _LONGEST_SECONDS
    name = config.model.name
    mention(
        f"measuring the width at which {name} trains at {goal:.3g} seconds a molecule, {_LONGEST_SECONDS:.0f} s at most"
    )

    @functools.cache
    def seconds(width: int) -> float:
        """Measure the seconds per molecule that training takes at a width."""
        sized = _sized(config, width)
        if bytes_per_replica(sized, dataset.molecules.padding) > most:
            return math.inf
        if time.perf_counter() > deadline:
            raise InputError(
                f"`budget.value={goal:.3g}` seconds a molecule: the width of {name} was not found in "
                f"{_LONGEST_SECONDS:.0f} s. Choose a smaller budget"
            )
        return seconds_per_molecule(sized, dataset, split, device, enough=2 * goal)

    def nearest() -> int:
        return min(bracket(seconds, goal, _GRAIN, _WIDEST), key=lambda size: abs(math.log(seconds(size) / goal)))

    width = nearest()
    if not 1 / _NEAR < seconds(width) / goal < _NEAR:
        # The machine may have been busy with something else during a timing, which led the search astray.
        seconds.cache_clear()
        width = nearest()
    if not 1 / _NEAR < seconds(width) / goal < _NEAR:
        other = "larger" if seconds(width) > goal else "smaller"
        raise InputError(
            f"`budget.value={goal:.3g}` seconds a molecule cannot be met by {name} with depth {config.model.depth}: "
            f"width {width} takes {seconds(width):.3g}. Choose a {other} budget"
        )
    return width


def seconds_per_molecule(
    config: Config, dataset: DataSet, split: Split, device: torch.device, enough: float = math.inf
) -> float:
    """Time training steps, not compiled, of all replicas of a run.

    Args:
        config: config of the run, with a width.
        dataset: the molecules.
        split: the division of that data set.
        device: the device to train on.
        enough: seconds per molecule; the timing ends early if a few steps are slower than that, and once more: one
            slow timing may be a pause of the machine.

    Returns:
        Seconds per molecule and replica: the median of several timings, or the least of two slow ones.
    """
    task, state = prepare(config, dataset, split, device, list_replicas(config))
    step, size = Step(state.models, loss_of(task, config.loss), compiled=False), config.trainer.batch_size
    batch = torch.arange(size, device=device).expand(len(task.replicas), size)
    spent: list[float] = []
    slow: list[float] = []
    for repeat in range(_WARM_UP + _REPEATS):
        started = time.perf_counter()
        for number in range(_STEPS):
            state.models.train(number)
            step(*task.train_batch(batch, number))
            state.optimizer.step(1.0)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        pace = (time.perf_counter() - started) / (_STEPS * batch.numel())
        if repeat >= 1 and pace > enough:  # the very first steps are slow for other reasons
            slow.append(pace)
            if len(slow) > 1:
                return min(slow)
        if repeat >= _WARM_UP:
            spent.append(pace)
    return sorted(spent)[_REPEATS // 2]
