"""How much a test molecule's prediction owes to the train molecule that is most like it."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.memorisation import check_seeds, seed_errors
from ibbench.probes.subject.modes import fingerprint_similarity
from ibbench.probes.subject.subject import Subject
from ibbench.record.predictions import Floats

INFLUENCE = "influence of the most similar train molecule, less that of any"
ANY = "influence of any train molecule"
SHARE = "share of the test molecules"
_BANDS = {"similarity below 0.3": (0.0, 0.3), "similarity 0.3 to 0.5": (0.3, 0.5), "similarity from 0.5 on": (0.5, 1.1)}


@register("long_tail")
class LongTail(Probe):
    """Influence of single train molecules on the errors of test molecules, by how similar the two are.

    The influence of a train molecule i on a test molecule j is the mean absolute error on j of networks that were not
    trained on i, less that of networks that were (Feldman & Zhang 2020, arXiv:2008.03703, equation 2, with errors in
    the place of wrong classes). Each seed draws its own train molecules from the pool, so the seeds of a study are what
    is compared, as in `memorisation`. In a long tail of rare molecules, one that was learned by heart helps those few
    that are like it, and nobody else.

    A single influence takes thousands of networks to tell from chance, so means are told: for each seed the error of
    the other seeds that lack the train molecule most similar to j (by the Tanimoto similarity of Morgan fingerprints),
    less the error of this seed, averaged over the test molecules of a band of similarities. The same averaged over all
    train molecules, in the place of the most similar one, is subtracted: it says how good this seed is on these test
    molecules whatever single molecule is missing, and is told by itself, too.
    """

    summary = "how much a test molecule owes to the train molecule that is most like it"
    needs = "forward"
    moments = ("trained",)
    headline = INFLUENCE
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the test molecules, with the networks of all seeds.

        Raises:
            InputError: there is one seed, all seeds have the same molecules, or labels are altered.
        """
        check_seeds(subject, "long_tail")
        (target,), (unit,) = subject.targets, subject.units
        seeds, split = subject.point.config.seeds, subject.point.split.of_target(subject.targets[0])
        train, test, row = subject.train_index, subject.test_index, seeds.index(subject.seed)
        errors = seed_errors(subject, target, test)
        inside = np.stack([np.isin(train.numpy(), split.train_subset(seed).numpy()) for seed in seeds])
        influence = influences(errors, inside, row)
        similar = _similarity(subject)
        nearest = similar.argmax(1)
        of_nearest, closeness = (of_all[np.arange(len(test)), nearest] for of_all in (influence, similar))
        for part, (low, high) in _BANDS.items():
            band = (closeness >= low) & (closeness < high) & ~np.isnan(of_nearest)
            if band.any():
                yield Finding(SHARE, part, 100 * float(band.mean()), "%", target)
                of_any = float(np.nanmean(influence[band]))
                yield Finding(INFLUENCE, part, float(of_nearest[band].mean()) - of_any, unit, target)
                yield Finding(ANY, part, of_any, unit, target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with what the most similar train molecule helps more than any other does."""
        return (
            f"{who}, {part}, {figures[SHARE].text} of test molecules: the most similar train molecule takes "
            f"{figures[INFLUENCE].text} more off the MAE than any does"
        )


def influences(errors: Floats, inside: NDArray[np.bool_], row: int) -> Floats:
    """Return the influence of each train molecule of one seed on each test molecule, `[t, m]`; NaN where unknown.

    Args:
        errors: absolute errors of each seed on each test molecule, `[S, t]`.
        inside: whether each seed was trained on each train molecule of the one seed, bool `[S, m]`.
        row: the place of the one seed.
    """
    lacks = ~inside
    lacks[row] = False
    counts = lacks.sum(0)
    without = np.divide(errors.T @ lacks, counts, out=np.full((errors.shape[1], len(counts)), np.nan), where=counts > 0)
    return without - errors[row][:, None]


def _similarity(subject: Subject) -> Floats:
    """Return the similarity of each test molecule to each train molecule, `[t, m]`."""
    test, train = subject.test_index.tolist(), subject.train_index.tolist()
    alike = fingerprint_similarity([subject.point.dataset.smiles[place] for place in [*test, *train]])
    return alike[: len(test), len(test) :]
