"""Pairs of models: their predictions of the same test molecules, and their states."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from ibbench.compare.order import model_order
from ibbench.errors import InputError
from ibbench.options.words import NATS
from ibbench.probes import Finding, PairProbe
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.states import pooled_states
from ibbench.probes.subject.subject import Subject
from ibbench.record.predictions import Floats, Predictor, read_predictions

OTHER_SEED = "itself, another seed"


class Side(NamedTuple):
    """One of two trained models that are compared.

    Attributes:
        truth: true values of all test molecules, in the target's unit, `[M]`.
        predictions: predictions of these molecules, in the target's unit, `[M]`.
        states: a function that returns the pooled states of the first m test molecules after the last layer, float32
            `[m, W]`; None if the run has left no weights.
        unit: the unit of the target.
        subject: a function that returns the network with its data; None if the run has left no weights.
    """

    truth: Floats
    predictions: Floats
    states: Callable[[], Tensor] | None
    unit: str
    subject: Callable[[], Subject] | None = None


class PairRow(NamedTuple):
    """A figure of a pair of models. It belongs to the row of `candidate`; the part names the other model.

    Attributes:
        candidate: the first model of the pair.
        seed: the seed of the first model.
        probe: the name of the probe.
        finding: the figure.
    """

    candidate: Candidate
    seed: int
    probe: str
    finding: Finding


def measure_pairs(candidates: Sequence[Candidate], probes: dict[str, PairProbe], limit: int) -> Iterator[PairRow]:
    """Compare all pairs of models of the same split and train size, and each model with itself at the next seed.

    Args:
        candidates: the models, with predictions that their runs have left.
        probes: the probes of pairs, by name.
        limit: the largest number of molecules whose states are compared; predictions of all test molecules are.

    Raises:
        InputError: the predictions of a run are lost.
    """
    if not probes:
        return
    candidates = sorted(candidates, key=lambda one: (model_order(one.point.config.model.name), one.variant))
    sides = [_sides_of(one, limit) for one in candidates]
    for place, (one, of_one) in enumerate(zip(candidates, sides, strict=True)):
        for (target, seed), side in of_one.items():
            pairs = [
                (other.name, of_other[target, seed])
                for other, of_other in zip(candidates[place + 1 :], sides[place + 1 :], strict=True)
                if _is_comparable(one, other) and (target, seed) in of_other
            ]
            following = [later for also, later in of_one if also == target and later > seed]
            if following:
                pairs.append((OTHER_SEED, of_one[target, min(following)]))
            for (name, other_side), (probe_name, probe) in itertools.product(pairs, probes.items()):
                for finding in probe.compare(side, other_side):
                    yield PairRow(one, seed, probe_name, finding._replace(part=f"with {name}", target=target))


def _is_comparable(one: Candidate, other: Candidate) -> bool:
    return (one.point.split.fingerprint, one.point.split.train_size) == (
        other.point.split.fingerprint, other.point.split.train_size,
    )  # fmt: skip


def _sides_of(one: Candidate, limit: int) -> dict[tuple[str, int], Side]:
    """Return predictions and states of a model, by target and seed.

    Raises:
        InputError: the predictions of its run are lost.
    """
    assert one.record is not None
    found = read_predictions(one.folder, one.record, baselines=False)
    if not found:
        raise InputError(f"{one.folder} has lost its predictions: `ibbench train` with rerun=true makes them")
    # Errors of probabilities, unlike log losses, have no unit.
    units = {entry.target: "" if entry.unit == NATS else entry.unit for entry in one.record.replicas}
    sides = {}
    for target, seed, _ in found:
        if target in one.point.config.targets and seed in one.point.config.seeds:
            subject = _subject(one, target, seed, limit) if one.run else None
            states = _states(subject) if subject else None
            sides[target, seed] = Side(*found[Predictor(target, seed)], states, units[target], subject)
    return sides


def _subject(one: Candidate, target: str, seed: int, limit: int) -> Callable[[], Subject]:
    return functools.cache(lambda: Subject(one.point, seed, [target], "trained", limit, one.run))


def _states(subject: Callable[[], Subject]) -> Callable[[], Tensor]:
    @functools.cache  # computed once for all pairs that the model is in
    def states() -> Tensor:
        return pooled_states(subject(), subject().test_index).cpu()

    return states
