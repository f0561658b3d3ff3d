"""Whether an autoencoder restores molecules from outside of its data worse, by more than their size explains."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ibbench.data.graphs import alter_graph, hide_features
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.data.molecules import Molecules
from ibbench.models.registry import get_model
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.code import Floats, components, has_code
from ibbench.probes.subject.outside import outside_molecules, respell
from ibbench.probes.subject.subject import Subject

AUROC, EQUAL = "AUROC", "AUROC at equal size"
PCA, PCA_EQUAL = "AUROC of principal components", "AUROC of principal components at equal size"
SPELLING, TEST = "AUROC of another spelling", "the test molecules themselves"
SIZE, COUNT = "AUROC of the number of atoms", "molecules from outside"
KNOWN, OTHER = "elements of the train molecules", "other elements"


Sizes = NDArray[np.int64]


@register("anomaly")
class Anomaly(Probe):
    """AUROC of the reconstruction error as a score of strangeness: test molecules against molecules from outside.

    The AUROC is the probability that a molecule from outside is restored worse than a test molecule: 0.5 says nothing.
    Those from outside are the organic molecules with measured melting points (`data=melting_point`) that the data set
    has not and that are no larger than its largest. Molecules with an element that no train molecule has are a part of
    their own: any sum over features gives them away.

    Larger molecules have more to restore, and QM9 has hardly any small ones, so that size alone gives a molecule away.
    Two controls say how much of the score is that: the AUROC of the number of atoms (below 0.5 where those from outside
    are smaller), and the AUROC among pairs of molecules of equal size. Principal components, as many as the code has
    numbers, are scored beside it; they read flat molecules, whatever the model reads.

    A source orders the atoms of a molecule in its own way, and a model that sees the order would notice that alone. So
    all molecules that are compared have their atoms in the order of RDKit's canonical SMILES. How strange that order is
    by itself is told by the AUROC of the test molecules spelled so against the same ones as the data set has them.
    """

    summary = "whether molecules from outside of the data are restored worse than test molecules, beside size alone"
    needs = "forward"
    moments = ("trained",)
    headline = EQUAL
    by_default = False

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure on the test molecules and on those from outside, by their elements."""
        if not has_code(subject):
            return
        dataset, index = subject.point.dataset, subject.test_index
        inside, outside = (
            respell(tuple(dataset.smiles[place] for place in index.tolist()), dataset),
            outside_molecules(dataset),
        )
        train = dataset.molecules.atoms[subject.task.subsets[0].cpu()]
        seen = torch.isin(outside.atoms[..., ATOMIC_NUMBER], train[..., ATOMIC_NUMBER].unique())
        is_known = (seen | ~outside.mask).all(1).numpy()
        found, target = components(subject), subject.targets[0]
        inner, outer = ([_score(subject, part), found.errors(part).numpy()] for part in (inside, outside))
        sizes, of_outside = (part.mask.sum(1).numpy() for part in (inside, outside))
        yield Finding(SPELLING, TEST, auroc(subject.predictions.cpu().numpy(), inner[0]), "", target)
        for part, chosen in ((KNOWN, is_known), (OTHER, ~is_known)):
            if not chosen.any():
                continue
            for names, own, others in zip(((AUROC, EQUAL), (PCA, PCA_EQUAL)), inner, outer, strict=True):
                yield Finding(names[0], part, auroc(own, others[chosen]), "", target)
                at_equal = auroc_at_equal(own, others[chosen], sizes, of_outside[chosen])
                if not np.isnan(at_equal):
                    yield Finding(names[1], part, at_equal, "", target)
            yield Finding(SIZE, part, auroc(sizes, of_outside[chosen]), "", target)
            yield Finding(COUNT, part, float(chosen.sum()), "", target)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the AUROC, and what is left of it at equal size."""
        if not {AUROC, EQUAL, SIZE, PCA_EQUAL} <= figures.keys():
            return ""
        return (
            f"{who}: molecules from outside with {part} are told by their error with an AUROC of "
            f"{figures[AUROC].text}, by their number of atoms with {figures[SIZE].text}, and by their error at equal "
            f"size with {figures[EQUAL].text} (principal components {figures[PCA_EQUAL].text})"
        )


def _score(subject: Subject, molecules: Molecules) -> Floats:
    """Return the reconstruction errors of molecules whose features are counts, `[m]`."""
    options, data = subject.point.resolved.model, subject.point.config.data
    shown = hide_features(alter_graph(molecules, data.graph), data.features)
    given = shown.keep(get_model(options.name).reads_with(options)).to(subject.task.molecules.mask.device)
    return np.asarray(subject.predict(given).cpu().double().numpy())


def auroc(inside: NDArray[np.number], outside: NDArray[np.number]) -> float:
    """Return the probability that a score of `outside` is above one of `inside`; equal ones count half."""
    ranks = stats.rankdata(np.concatenate([inside, outside]))[len(inside) :]
    return float((ranks.sum() - len(outside) * (len(outside) + 1) / 2) / (len(inside) * len(outside)))


def auroc_at_equal(
    inside: Floats, outside: Floats, of_inside: NDArray[np.int64], of_outside: NDArray[np.int64]
) -> float:
    """Return the AUROC among the pairs of molecules of equal size, or NaN if there are none.

    Args:
        inside: scores of one kind of molecules, `[m]`.
        outside: scores of the other kind, `[k]`.
        of_inside: sizes of the first, `[m]`.
        of_outside: sizes of the second, `[k]`.
    """
    total = pairs = 0.0
    for size in np.intersect1d(of_inside, of_outside):
        one, other = inside[of_inside == size], outside[of_outside == size]
        pairs += len(one) * len(other)
        total += len(one) * len(other) * auroc(one, other)
    return total / pairs if pairs else float("nan")
