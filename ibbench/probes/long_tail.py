"""How much a test molecule's prediction owes to the one molecule that is most like it."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ibbench.errors import InputError
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.memorisation import check_seeds, seed_errors
from ibbench.probes.subject.modes import fingerprint_similarity
from ibbench.probes.subject.subject import Subject
from ibbench.record.predictions import Floats

INFLUENCE = "influence of the most similar molecule: MAE without it less MAE with it"
SHARE = "share of the test molecules"
_BANDS = {"similarity below 0.3": (0.0, 0.3), "similarity 0.3 to 0.5": (0.3, 0.5), "similarity from 0.5 on": (0.5, 1.1)}
_FEWEST = 2  # seeds that have, and that lack, a molecule: one of them is left out in turn


@register("long_tail")
class LongTail(Probe):
    """Influence of the most similar molecule on the errors of test molecules, by how similar the two are.

    The influence of a train molecule i on a test molecule j is the mean absolute error on j of networks that were not
    trained on i, less that of networks that were (Feldman & Zhang 2020, arXiv:2008.03703, equation 2, with errors in
    the place of wrong classes). Each seed draws its own train molecules from the pool, so the seeds of a study are what
    is compared, as in `memorisation`. In a long tail of rare molecules, one that was learned by heart helps those few
    that are like it, and nobody else.

    A single influence takes thousands of networks to tell from chance. So the mean is told over the test molecules of a
    band of similarities; i is the molecule most similar to j (by the Tanimoto similarity of Morgan fingerprints) of
    those of the pool that at least two seeds have and two lack.

    All seeds are needed for one influence, so that figures of single seeds would not be independent. What is told of a
    seed is its pseudo-value of the jackknife (Tukey 1958), S times the figure of all S seeds less S - 1 times that of
    the others: their mean is the figure, and Student's t over them its interval.
    """

    summary = "how much a test molecule owes to the one molecule that is most like it"
    needs = "forward"
    moments = ("trained",)
    headline = INFLUENCE
    signed = frozenset({INFLUENCE})
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the test molecules, with the networks of all seeds.

        Raises:
            InputError: there are fewer than four seeds, no molecule that two of them have and two lack, or labels are
                altered.
        """
        check_seeds(subject, "long_tail")
        (target,), (unit,) = subject.targets, subject.units
        seeds, split = subject.point.config.seeds, subject.point.split.of_target(target)
        pool = split.train_pool
        inside = np.stack([np.isin(pool.numpy(), split.train_subset(seed).numpy()) for seed in seeds])
        known = np.flatnonzero((inside.sum(0) >= _FEWEST) & ((~inside).sum(0) >= _FEWEST))
        if not len(known):
            raise InputError(
                "`--probe long_tail` needs molecules that at least two seeds have and two lack: expected more seeds, "
                "or a larger data.train_size"
            )
        similar = _similarity(subject, pool[torch.from_numpy(known)])
        nearest, closeness = known[similar.argmax(1)], similar.max(1)
        values = pseudo_values(
            seed_errors(subject, target, subject.test_index), inside[:, nearest], seeds.index(subject.seed)
        )
        for part, (low, high) in _BANDS.items():
            band = (closeness >= low) & (closeness < high)
            if band.any():
                yield Finding(SHARE, part, 100 * float(band.mean()), "%", target)
                yield Finding(INFLUENCE, part, float(values[band].mean()), unit, target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with what the most similar molecule takes off the error."""
        return (
            f"{who}, {part} ({figures[SHARE].text} of test molecules): the most similar molecule takes "
            f"{figures[INFLUENCE].text} off the MAE if it was trained on"
        )


def influences(errors: Floats, has: NDArray[np.bool_]) -> Floats:
    """Return the mean error of the networks without a molecule, less that of those with it, for each test molecule.

    Args:
        errors: absolute errors of each seed on each test molecule, `[S, t]`.
        has: whether each seed was trained on the molecule that is most similar to it, bool `[S, t]`; each is had by a
            seed, and lacked by one.

    Returns:
        The influences, `[t]`, in the unit of the errors.
    """
    with_it, without = ((errors * where).sum(0) / where.sum(0) for where in (has, ~has))
    found: Floats = without - with_it
    return found


def pseudo_values(errors: Floats, has: NDArray[np.bool_], row: int) -> Floats:
    """Return the pseudo-values of the jackknife for the seed in one row, `[t]`, in the unit of the errors.

    The arguments are those of `influences`; each molecule is had by two seeds, and lacked by two.
    """
    others = np.arange(len(errors)) != row
    count = len(errors)
    return count * influences(errors, has) - (count - 1) * influences(errors[others], has[others])


def _similarity(subject: Subject, index: torch.Tensor) -> Floats:
    """Return the similarity of each test molecule to each of some molecules, `[t, m]`."""
    test, smiles = subject.test_index.tolist(), subject.point.dataset.smiles
    alike = fingerprint_similarity([smiles[place] for place in [*test, *index.tolist()]])
    return alike[: len(test), len(test) :]
