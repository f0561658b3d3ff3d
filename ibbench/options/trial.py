"""Trials: the hyper-parameters that each seed draws for itself, and how many of them each stage of the search trains.

A seed is the whole procedure. The hyper-parameters that it draws follow from the seed alone, so that all models are
offered the same ones, and the variance of tuning is part of the variance over seeds.
"""

from typing import NamedTuple

import numpy as np

from ibbench.options.config import Config

TUNED = ("optimizer.lr", "optimizer.weight_decay", "model.dropout")
_DIGITS = 3  # significant digits of a drawn number: more change nothing, and make records hard to read
_STREAM = 7_213  # keeps these draws independent of the others that are made with the same seed


class Trial(NamedTuple):
    """The hyper-parameters that a replica is trained with.

    Attributes:
        lr: learning rate.
        weight_decay: weight decay of the optimizer.
        dropout: probability of dropout.
    """

    lr: float
    weight_decay: float
    dropout: float


class Stage(NamedTuple):
    """One stage of successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943).

    Attributes:
        trials: number of trials that are trained per replica.
        share: length of this stage's trainings as a share of the last stage's steps; each stage trains from the start,
            with a schedule of its own.
    """

    trials: int
    share: float


def list_stages(config: Config) -> list[Stage]:
    """List the stages of a run, of which the last trains one trial per replica for all steps."""
    trials = config.tuning.trials if config.tuning else (1,)
    return [Stage(number, 0.5 ** (len(trials) - 1 - stage)) for stage, number in enumerate(trials)]


def draw_trials(config: Config, seed: int) -> list[Trial]:
    """Return the trials of one seed: as many draws as the first stage trains, or the config's values if that is one.

    The learning rate is stratified: its range is cut on a logarithmic scale into as many equal parts as there are
    trials, and one trial is drawn from each part. Weight decay is uniform on a logarithmic scale, dropout is uniform.

    Args:
        config: the options of the run, with the number of trials and the ranges to draw from.
        seed: the seed of the replica.
    """
    tuning = config.tuning
    if tuning is None or tuning.trials[0] == 1:
        return [Trial(config.optimizer.lr, config.optimizer.weight_decay, config.model.dropout)]
    assert tuning.lr and tuning.weight_decay and tuning.dropout  # it is checked when they are read
    number = tuning.trials[0]
    uniform = np.random.default_rng([_STREAM, seed]).random((number, 3))
    rate = (np.arange(number) + uniform[:, 0]) / number
    return [
        Trial(
            _between(tuning.lr, at_rate, logarithmic=True),
            _between(tuning.weight_decay, at_decay, logarithmic=True),
            _between(tuning.dropout, at_dropout, logarithmic=False),
        )
        for at_rate, (_, at_decay, at_dropout) in zip(rate, uniform, strict=True)
    ]


def _between(bounds: tuple[float, float], share: float, logarithmic: bool) -> float:
    low, high = bounds
    value = low * (high / low) ** share if logarithmic else low + (high - low) * share
    return min(max(float(f"{value:.{_DIGITS}g}"), low), high)
