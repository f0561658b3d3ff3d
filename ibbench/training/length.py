"""How long a training is, in steps: all of them, and those between two validations."""

import math
from typing import NamedTuple

from ibbench.options.config import Config
from ibbench.options.groups import TrainerOptions
from ibbench.options.trial import list_stages

_VALIDATIONS = 20  # of a training whose length is given in steps, unless trainer.validate_every says otherwise


class Length(NamedTuple):
    """How long a training is.

    Attributes:
        steps: all of them.
        interval: steps from one validation to the next; the last may be fewer.
        batches: steps that a pass over the train subset takes.
        train_size: molecules of the train subset.
        batch_size: molecules of a step; the last of a pass may have fewer.
    """

    steps: int
    interval: int
    batches: int
    train_size: int
    batch_size: int

    @property
    def molecules(self) -> int:
        """How many molecules a replica is trained on, each counted as often as it is."""
        passes, rest = divmod(self.steps, self.batches)
        return passes * self.train_size + rest * self.batch_size

    def passes(self, steps: int) -> float:
        """Return how many passes over the train subset some steps are, a whole number where they are whole."""
        whole, rest = divmod(steps, self.batches)
        return whole if not rest else steps / self.batches


def measure_length(trainer: TrainerOptions, train_size: int, share: float = 1.0) -> Length:
    """Work out how long a training is.

    Args:
        trainer: its options.
        train_size: molecules of the train subset.
        share: the share of the steps that the options say; the result has at least one step.
    """
    batches = math.ceil(train_size / trainer.batch_size)
    steps = trainer.steps or (trainer.epochs or 0) * batches
    steps = max(1, round(steps * share))
    interval = trainer.validate_every or (batches if trainer.epochs else math.ceil(steps / _VALIDATIONS))
    return Length(steps, interval, batches, train_size, min(trainer.batch_size, train_size))


def count_molecules(config: Config, train_size: int) -> int:
    """Return how many molecules a run trains on, in all stages, trials and replicas, each as often as it does."""
    stages = list_stages(config)
    each = sum(stage.trials * measure_length(config.trainer, train_size, stage.share).molecules for stage in stages)
    return each * config.num_replicas
