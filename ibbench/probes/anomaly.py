"""Whether an autoencoder restores molecules from outside of its data worse, by more than their size explains."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from ibbench.data.graphs import alter_graph, hide_features
from ibbench.data.layout import ATOMIC_NUMBER
from ibbench.models.registry import get_model
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.code import Floats, components, has_code
from ibbench.probes.subject.outside import outside_molecules
from ibbench.probes.subject.subject import Subject

AUROC, EQUAL = "AUROC", "AUROC at equal size"
PCA, PCA_EQUAL = "AUROC of principal components", "AUROC of principal components at equal size"
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
        inside = subject.point.dataset.molecules.select(subject.test_index)
        outside = outside_molecules(subject.point.dataset)
        train = subject.point.dataset.molecules.atoms[subject.task.subsets[0].cpu()]
        seen = torch.isin(outside.atoms[..., ATOMIC_NUMBER], train[..., ATOMIC_NUMBER].unique())
        is_known = (seen | ~outside.mask).all(1)
        found, device = components(subject), subject.task.molecules.mask.device
        options = subject.point.resolved.model
        reads, data = get_model(options.name).reads_with(options), subject.point.config.data
        shown = hide_features(alter_graph(outside, data.graph), data.features).keep(reads).to(device)
        of_model = [subject.predictions, subject.predict(shown)]
        scores = [
            [errors.cpu().double().numpy(), found.errors(part).numpy()]
            for errors, part in zip(of_model, (inside, outside), strict=True)
        ]
        sizes = [part.mask.sum(1).numpy() for part in (inside, outside)]
        for part, chosen in ((KNOWN, is_known.numpy()), (OTHER, ~is_known.numpy())):
            if not chosen.any():
                continue
            small, large = sizes[0], sizes[1][chosen]
            for place, (name, name_equal) in enumerate(((AUROC, EQUAL), (PCA, PCA_EQUAL))):
                own, others = scores[0][place], scores[1][place][chosen]
                yield Finding(name, part, auroc(own, others), "", subject.targets[0])
                yield Finding(name_equal, part, auroc_at_equal(own, others, small, large), "", subject.targets[0])
            yield Finding(SIZE, part, auroc(small, large), "", subject.targets[0])
            yield Finding(COUNT, part, float(chosen.sum()), "", subject.targets[0])

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the AUROC, and what is left of it at equal size."""
        if not {AUROC, EQUAL, SIZE, PCA_EQUAL} <= figures.keys():
            return ""
        return (
            f"{who}: molecules from outside with {part} are told by their error with an AUROC of "
            f"{figures[AUROC].text}, by their number of atoms with {figures[SIZE].text}, and by their error at equal "
            f"size with {figures[EQUAL].text} (principal components {figures[PCA_EQUAL].text})"
        )


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
