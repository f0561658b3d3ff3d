"""How long a training is, in steps: all of them, and those between two validations."""

import math
from typing import NamedTuple

from ibbench.options.config import Config
from ibbench.options.groups import TrainerOptions
from ibbench.options.trial import list_stages

_VALIDATIONS = 20  # how often to validate if the length is given in steps and trainer.validate_every is not set


class Length(NamedTuple):
    """How long a training is.

    Attributes:
        steps: the number of all steps.
        interval: the number of steps from one validation to the next; before the last there may be fewer.
        batches: the number of steps in one pass over the train subset.
        train_size: the number of molecules in the train subset.
        batch_size: the number of molecules in one step; the last step of a pass may have fewer.
    """

    steps: int
    interval: int
    batches: int
    train_size: int
    batch_size: int

    @property
    def molecules(self) -> int:
        """The number of molecules that a replica is trained on; a molecule counts once per pass."""
        passes, rest = divmod(self.steps, self.batches)
        return passes * self.train_size + rest * self.batch_size

    def passes(self, steps: int) -> float:
        """Return how many passes over the train subset `steps` make, as an integer if all of them are complete."""
        whole, rest = divmod(steps, self.batches)
        return whole if not rest else steps / self.batches


def measure_length(trainer: TrainerOptions, train_size: int, share: float = 1.0) -> Length:
    """Work out how long a training is.

    Args:
        trainer: the options of the training.
        train_size: the number of molecules in the train subset.
        share: the share, in (0, 1], of the steps in the options that are taken; at least one step is.
    """
    batches = math.ceil(train_size / trainer.batch_size)
    steps = trainer.steps or (trainer.epochs or 0) * batches
    steps = max(1, round(steps * share))
    interval = trainer.validate_every or (batches if trainer.epochs else math.ceil(steps / _VALIDATIONS))
    return Length(steps, interval, batches, train_size, min(trainer.batch_size, train_size))


def count_molecules(config: Config, train_size: int) -> int:
    """Return how many molecules a run trains on in all stages, trials and replicas; one counts each time it is used."""
    stages = list_stages(config)
    each = sum(stage.trials * measure_length(config.trainer, train_size, stage.share).molecules for stage in stages)
    return each * config.num_replicas
