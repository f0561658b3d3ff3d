"""Tuning: the options that a trial of a random search stands for, in place of those of the config.

A random search learns nothing from one trial for the next, so its trials are points of a sweep like any other:
they resume, run in any order and on any machine, and more of them can be trained later.
"""

from typing import Any

import numpy as np

from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.groups import TuningOptions

TUNED = ("optimizer.lr", "optimizer.weight_decay", "model.depth", "model.dropout")
_DIGITS = 3  # of a drawn number: all that matter, in a table that can be read


def draw(config: Config) -> Config:
    """Replace the options that are tuned by those of the config's trial.

    They are drawn by the RandomSampler of optuna, uniformly, the learning rate and the weight decay on a logarithmic
    scale. They follow from `tuning.seed`, `tuning.trial` and the ranges alone, so that all models, however many
    trials there are, get the same.

    Args:
        config: as composed; without `tuning` it is returned as it is.

    Raises:
        InputError: the lower end of a range is above the upper.
    """
    if config.tuning is None:
        return config
    options: dict[str, dict[str, Any]] = {}
    for name, value in _sample(config.tuning).items():
        group, _, key = name.partition(".")
        options.setdefault(group, {})[key] = value
    groups = {group: getattr(config, group).model_copy(update=values) for group, values in options.items()}
    return config.model_copy(update=groups)


def _sample(tuning: TuningOptions) -> dict[str, float | int]:
    """Draw a value for each option of `TUNED`."""
    ranges: list[tuple[float, float]] = [tuning.lr, tuning.weight_decay, tuning.depth, tuning.dropout]
    for name, (low, high) in zip(TUNED, ranges, strict=True):
        if low > high:
            key = name.partition(".")[2]
            raise InputError(
                f"`tuning.{key}=[{low},{high}]` is not possible: expected the lower end first, as in "
                f"'tuning.{key}=[{high},{low}]'"
            )
    import optuna  # a quarter of a second, for what most commands do without
    from optuna.distributions import FloatDistribution, IntDistribution

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = (
        FloatDistribution(*tuning.lr, log=True),
        FloatDistribution(*tuning.weight_decay, log=True),
        IntDistribution(*tuning.depth),
        FloatDistribution(*tuning.dropout),
    )
    # A stream for each trial: the search needs no memory of the trials before.
    seed = int(np.random.SeedSequence([tuning.seed, tuning.trial]).generate_state(1)[0])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    drawn = study.ask(dict(zip(TUNED, distributions, strict=True))).params
    return {name: _shorten(drawn[name], *bounds) for name, bounds in zip(TUNED, ranges, strict=True)}


def _shorten(value: float, low: float, high: float) -> float | int:
    """Round to a few significant digits, within the range."""
    return value if isinstance(value, int) else min(max(float(f"{value:.{_DIGITS}g}"), low), high)
