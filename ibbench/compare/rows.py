"""The rows of a comparison: what each is of, and the replicas that it was made from."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.compare.cautions import Basis
from ibbench.compare.statistics import Sample
from ibbench.data.sources import find_target
from ibbench.data.targets import ITSELF, ITSELF_UNIT
from ibbench.options.words import NATS
from ibbench.record.metrics import AtomMetricsEntry
from ibbench.record.predictions import Floats
from ibbench.record.schema import ReplicaEntry, RungEntry

Flags = NDArray[np.bool_]


class Section(NamedTuple):
    """What two errors must share to be compared at all: data source, kind of hydrogens, and split of the molecules."""

    source: str
    hydrogens: str
    split: str


class Group(NamedTuple):
    """The rows that are compared with each other: those of one section, target (with its unit) and train size."""

    section: Section
    target: str
    unit: str
    train_size: int

    @property
    def is_class(self) -> bool:
        """Whether the target is a class, whose errors are log losses in nats."""
        return self.unit == NATS

    @property
    def is_restored(self) -> bool:
        """Whether the target is the molecule itself, so that predictions are errors already."""
        return self.target in ITSELF and self.unit == ITSELF_UNIT

    @property
    def chemical_accuracy(self) -> float | None:
        """The chemical accuracy of the target, in its unit; None where the data source does not define one."""
        target = find_target(self.section.source, self.target)
        return target.chemical_accuracy if target and target.unit == self.unit else None


class Key(NamedTuple):
    """One row of a table. `variant` names the options in which runs of this model differ within the study."""

    group: Group
    model: str
    variant: str
    is_baseline: bool = False

    @property
    def name(self) -> str:
        """The model, with its variant if it has one."""
        return in_full(self.model, self.variant)


def in_full(model: str, variant: str) -> str:
    """Return the name of a model, followed by its variant in brackets if it has one."""
    return f"{model} ({variant})" if variant else model


class Cost(NamedTuple):
    """What a row cost; FLOPs (of one prediction) and training seconds are None for a baseline."""

    parameters: int
    flops_per_molecule: int | None
    train_seconds: float | None


class Entry(NamedTuple):
    """All replicas of one row, with their seeds in ascending order.

    Attributes:
        key: group, model and variant of the row.
        replicas: replicas as recorded, `[S]`.
        sample: test errors of the replicas.
        cost: parameters and FLOPs of one replica, training seconds of all replicas of the row together.
        options: flat config of the (first) run that the replicas come from; empty for a baseline.
        rung: place of that run in a ladder; None if it is in none.
        rests: sizes of its train and test sets as recorded; see `basis`.
        too_low: whether each replica predicts less than the true value of each test molecule, `[S, M]`, which it does
            for all of class 1; None for a baseline of numbers, for a target of atoms, and where errors are not known.
        cliffs: whether each test molecule lies on an activity cliff, `[M]`; None where errors or marks are not known.
    """

    key: Key
    replicas: tuple[ReplicaEntry, ...]
    sample: Sample
    cost: Cost
    options: dict[str, Any]
    rung: RungEntry | None = None
    rests: Basis | None = None
    too_low: Flags | None = None
    cliffs: Flags | None = None

    @property
    def of_atoms(self) -> bool:
        """Whether the target has a value per atom: an error is then the molecule's part of the MAE over atoms."""
        return isinstance(self.replicas[0].test, AtomMetricsEntry)

    @property
    def signed_errors(self) -> Floats | None:
        """Predicted minus true value of each replica and test molecule, `[S, M]`, in the target's unit.

        None for a baseline, for a target of atoms, and where the errors of single molecules are not known.
        """
        errors = self.sample.errors
        return None if errors is None or self.too_low is None else np.where(self.too_low, -errors, errors)

    @property
    def basis(self) -> Basis:
        """The sizes of the train and test sets behind the figures.

        Where the errors of single molecules are known, their number is the number of test molecules.
        """
        basis, spread = self.rests or Basis(self.key.group.train_size), self.sample.errors
        return basis if spread is None else basis._replace(num_test=spread.shape[1])
