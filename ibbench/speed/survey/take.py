"""Takes one measurement of a survey, in the process that is given it."""

import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibbench.options.compose import compose_config
from ibbench.run.plan import Point, plan
from ibbench.speed.columns import AGREEMENT_COLUMNS
from ibbench.speed.survey.measurement import Measurement
from ibbench.training.checkpoint import Checkpoints
from ibbench.training.device import choose_device, one_thread, peak_memory_mb, reset_peak_memory, set_precision
from ibbench.training.loop import prepare, train
from ibbench.training.optim import clip_gradients
from ibbench.training.packs import bytes_per_replica, list_replicas
from ibbench.training.replicas import PREDICTION_BATCH
from ibbench.training.sam import sharpness_aware
from ibbench.training.state import State
from ibbench.training.step import Step, compiled_as
from ibbench.training.task import Task, loss_of, predict

_WARM_UP = 4  # steps; a CUDA graph is compiled in the first, warmed up in the second and recorded in the third
_BLOCK = {"cpu": 4, "cuda": 16}  # steps between two looks at the clock, which on a GPU waits for them
_PACKS = (2, 8)  # replicas, whose difference in memory is that of the others
# How far numbers may lie apart: predictions of the same weights, relative to the deviation of the target; and errors
# of weights that were trained apart, whose rounding has grown since, relative to the error.
_PREDICTIONS_APART, _ERRORS_APART = 1e-3, 1e-2
_CPU = torch.device("cpu")
Row = dict[str, Any]


def take(measurement: Measurement) -> list[Row]:
    """Take a measurement.

    Returns:
        Its rows, as JSON types, with the columns of its kind: see `TABLES` in `ibbench.speed.survey.tables`.
    """
    takers: dict[str, Callable[[Measurement, Point, torch.device], list[Row]]] = {
        "agreement": _compare_with_cpu, "resume": _compare_with_resumed, "rate": _time, "peer": _time_peer,
        "memory": _weigh, "error": _train_to_error,
    }  # fmt: skip
    point = plan(compose_config(measurement.overrides))
    device = choose_device(point.resolved.device)
    set_precision(point.resolved.precision)
    with one_thread(device):
        return takers[measurement.kind](measurement, point, device)


def _compare_with_cpu(measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    """Predict with untrained weights, and train, on the device and, not compiled, on the CPU."""
    eager = point.resolved.model_copy(
        update={"trainer": point.resolved.trainer.model_copy(update={"compile": False}), "device": "cpu"}
    )
    sides = []
    for side, config in ((_CPU, eager), (device, point.resolved)):
        task, state = prepare(config, point.dataset, point.split, side, list_replicas(config))
        predicted = _predict_validation(task, state)
        for _ in train(task, state, config):
            pass
        sides.append((task, predicted, state.best_mae))
    (task, predicted, errors), (_, predicted_there, errors_there) = sides
    deviation = task.truth.values(task.split.validation).std()
    apart = float((predicted_there - predicted).abs().max() / deviation)
    return [_agreement(measurement, point, "cpu", apart, _largest_change(errors_there, errors))]


def _compare_with_resumed(measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    """Train with an interruption in the middle of an epoch, saved and read again, and without one."""
    config = point.resolved
    replicas = list_replicas(config)
    sides = []
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), 0, {})
        for interrupted in (False, True):
            task, state = prepare(config, point.dataset, point.split, device, replicas)
            if interrupted:
                first = next(train(task, state, config, pause=lambda: True))  # after one step
                checkpoints.save(first)
                task, state = prepare(config, point.dataset, point.split, device, replicas)
                if checkpoints.load(state) or state.step != 1:
                    raise RuntimeError("the state that was saved could not be read again")
            for _ in train(task, state, config):
                pass
            sides.append((_predict_validation(task, state), state.best_mae, task))
    (predicted, errors, task), (predicted_there, errors_there, _) = sides
    deviation = task.truth.values(task.split.validation).std()
    apart = float((predicted_there - predicted).abs().max() / deviation)
    return [_agreement(measurement, point, "uninterrupted", apart, _largest_change(errors_there, errors))]


def _agreement(measurement: Measurement, point: Point, with_what: str, predictions: float, errors: float) -> Row:
    agrees = predictions <= _PREDICTIONS_APART and errors <= _ERRORS_APART
    values = (point.config.model.name, with_what, measurement.way, predictions, errors, agrees)
    return dict(zip(AGREEMENT_COLUMNS, values, strict=True))


def _predict_validation(task: Task, state: State) -> Tensor:
    return predict(task, state.models, task.split.validation)


def _largest_change(errors: Tensor, reference: Tensor) -> float:
    return float(((errors - reference).abs() / reference).max())


def _time(measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    config = point.resolved
    task, state = prepare(config, point.dataset, point.split, device, list_replicas(config))
    steps = _steps(point, task, state)
    started = time.perf_counter()
    steps(_WARM_UP)
    begun = time.perf_counter() - started
    rates = _rates(steps, len(task.replicas) * config.trainer.batch_size, measurement, device)
    return [_rate(measurement, point, "ours", len(task.replicas), rates, begun)]


def _time_peer(measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    from ibbench.speed.contestants import Peer  # needs PyTorch Geometric

    peer = Peer(point, measurement.way != "eager", device)
    started = time.perf_counter()
    peer.train(_WARM_UP)
    begun = time.perf_counter() - started
    rates = _rates(peer.train, peer.molecules_per_step("train"), measurement, device)
    return [_rate(measurement, point, "peer", 1, rates, begun)]


def _steps(point: Point, task: Task, state: State) -> Callable[[int], object]:
    """Return a function that takes some training steps, as the training loop does, and waits for the device."""
    config, models = point.resolved, state.models
    step = Step(models, loss_of(task, config.loss), compiled_as(config), config.trainer.symmetry_penalty)
    differentiate = sharpness_aware(step, models, config.optimizer)
    parameters = list(models.parameters.values())
    size, replicas = config.trainer.batch_size, len(task.replicas)
    order = torch.stack([torch.randperm(task.subsets.shape[1]) for _ in range(replicas)]).to(models.device)
    batches = cycle([batch for batch in order.split(size, dim=1) if batch.shape[1] == size])
    taken = 0

    def take_steps(count: int) -> None:
        """Take so many steps, and wait until the device has done them."""
        nonlocal taken
        for _ in range(count):
            models.train(taken)
            state.loss_sum += differentiate(*task.train_batch(next(batches), taken)) * size
            if config.trainer.clip_norm is not None:
                clip_gradients(parameters, config.trainer.clip_norm)
            state.optimizer.step(1.0)
            taken += 1
        state.loss_sum.cpu()

    return take_steps


def _rates(
    steps: Callable[[int], object], molecules: int, measurement: Measurement, device: torch.device
) -> list[float]:
    """Return molecules per second of several timings, each of which goes on for some seconds."""
    rates, block = [], _BLOCK[device.type]
    for _ in range(measurement.repeats):
        count, started = 0, time.perf_counter()
        while (spent := time.perf_counter() - started) < measurement.seconds or not count:
            steps(block)
            count += block
        rates.append(count * molecules / spent)
    return rates


def _rate(measurement: Measurement, point: Point, who: str, replicas: int, rates: Sequence[float], begun: float) -> Row:
    return {
        "model": point.config.model.name,
        "who": who,
        "replicas": replicas,
        "batch_size": point.config.trainer.batch_size,
        "way": measurement.way,
        "molecules_per_second": float(np.median(rates)),
        "low": min(rates),
        "high": max(rates),
        "begin_seconds": begun,
    }


def _weigh(_measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    """Measure what replicas take, from the peaks of a small and of a larger pack."""
    peaks = []
    for count in _PACKS:
        config = point.resolved.model_copy(update={"seeds": tuple(range(count))})
        reset_peak_memory(device)
        task, state = prepare(config, point.dataset, point.split, device, list_replicas(config))
        _steps(point, task, state)(_WARM_UP)
        predict(task, state.models, point.split.validation[: 2 * PREDICTION_BATCH])
        peaks.append(peak_memory_mb(device))
        del task, state
        gc.collect()
    measured = (peaks[1] - peaks[0]) / (_PACKS[1] - _PACKS[0])
    predicted = bytes_per_replica(point.resolved, point.dataset.molecules.padding) / 1e6
    return [
        {
            "model": point.config.model.name,
            "batch_size": point.config.trainer.batch_size,
            "predicted_mb": predicted,
            "measured_mb": measured,
            "ratio": measured / predicted,
        }
    ]


def _train_to_error(_measurement: Measurement, point: Point, device: torch.device) -> list[Row]:
    config = point.resolved
    task, state = prepare(config, point.dataset, point.split, device, list_replicas(config))
    for _ in train(task, state, config):
        pass
    rate = state.step * len(task.replicas) * config.trainer.batch_size / state.train_seconds
    target = point.dataset.targets[point.dataset.column(config.targets[0])]
    shared = {"model": config.model.name, "precision": config.precision, "target": target.name, "unit": target.unit}
    return [
        shared | {"seed": seed, "error": float(error), "molecules_per_second": rate}
        for (_, seed), error in zip(task.replicas, state.best_mae, strict=True)
    ]
