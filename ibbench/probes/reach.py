"""How far a model sees: what the states of atoms, or of tokens, depend on, and which pairs act together."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ibbench.models.registry import Model, get_model
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.attention import relative_entropy
from ibbench.probes.subject.influence import influence, mixing
from ibbench.probes.subject.subject import Subject
from ibbench.probes.subject.view import View

MOLECULES = 32  # test molecules; more would be slow, since each feature of each part takes a backward pass
WHOLE = "whole model"
SHARE, MEAN, FARTHEST = "share of influence", "mean distance", "farthest"
MIXING, CONTENT = "mixing / of all pairs", "change with content"
ATTENTION, ENTROPY = "share of attention", "entropy of attention / of equal weights"


@register("reach")
class Reach(Probe):
    """Influence of the parts of a test molecule on each other's states, by the distance between the parts.

    Parts are atoms, or tokens for models that read the SMILES. Distances are bonds on the shortest path, or places in
    the string. The influence of part j on part i is the sum of the absolute derivatives of the last state of i with
    respect to the features of j (Xu et al. 2018, arXiv:1806.03536). The share of influence of a distance is the
    influence of all parts at this distance on i over the influence of all parts on i, averaged over i.

    Mixing is the size of the second derivative of the prediction with respect to the features of two parts, over its
    mean for all pairs of different parts (Di Giovanni et al. 2023, arXiv:2306.03589). It is small at large distances
    if distant parts cannot act together on a prediction.

    Change with content is measured by permuting the features of a molecule's parts while its structure stays: half the
    sum over j of the absolute change of the shares of influence on i, averaged over i. It is 0 if weights are fixed and
    functions linear. Shares of attention, and the entropy of attention, are means over layers, heads and atoms.

    A derivative says what a small change of the features does, not what a large one does. `mlp` has no states of atoms,
    so only its mixing is measured.
    """

    summary = "how far a model sees, and whether what it looks at depends on content"
    needs = "jacobian"
    moments = ("init", "trained")
    headline = SHARE

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure on some of the test molecules."""
        target = subject.targets[0] if subject.moment == "trained" else ""
        for quantity, part, value, unit in self._figures(subject):
            yield Finding(quantity, part, value, unit, target)

    def _figures(self, subject: Subject) -> Iterator[tuple[str, str, float, str]]:
        options = subject.point.resolved.model
        index = subject.test_index[:MOLECULES]
        view = View(subject, index)
        bins = view.bins()
        if get_model(options.name).pools:
            for depth in range(1, options.depth + 1):
                found = influence(view.states(subject.module(depth)), view.features)
                yield MEAN, f"layer {depth}", mean_distance(found, view.distances, view.mask), view.unit
            shares = shares_of(found, view.mask)
            for part, pairs in bins.items():
                yield SHARE, part, _mean_row_sum(shares, pairs, view.mask), ""
            yield MEAN, WHOLE, mean_distance(found, view.distances, view.mask), view.unit
            yield FARTHEST, WHOLE, float(view.distances[(found > 0) & ~view.apart].max()), view.unit
            other = influence(view.states(subject.module(), dealt=True), view.features_dealt)
            change = (shares_of(other, view.mask) - shares).abs().sum(-1)[view.mask].mean() / 2
            yield CONTENT, WHOLE, float(change), ""
        pairs_mixed = mixing(view.predictions(subject.module()), view.features)
        everywhere = _mean_pair(pairs_mixed, view.others)
        for part, pairs in bins.items():
            if (pairs & view.others).any() and everywhere:
                yield MIXING, part, _mean_pair(pairs_mixed, pairs & view.others) / everywhere, ""
        yield from _attention(subject.module(), view, bins)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence with the largest and mean distances of influence, and its change with content."""
        if part != WHOLE or MEAN not in figures:
            return ""
        far, mean, change = (figures[name].text for name in (FARTHEST, MEAN, CONTENT))
        return f"{who}: a state depends on what is up to {far} away, {mean} in the mean; content moves {change} of it"


def shares_of(found: Tensor, mask: Tensor) -> Tensor:
    """Divide each influence by the sum over all parts that influence the same part, `[B, P, P]`.

    Args:
        found: influences, the influenced part first, `[B, P, P]`.
        mask: true where there is a part, `[B, P]`; padding gets shares of 0.
    """
    there = found * mask[..., None] * mask[..., None, :]
    return there / there.sum(-1, keepdim=True).clamp(min=torch.finfo(found.dtype).tiny)


def mean_distance(found: Tensor, distances: Tensor, mask: Tensor) -> float:
    """Return the mean distance to the parts that influence a part, weighted by influence, averaged over all parts.

    Args:
        found: influences, the influenced part first, `[B, P, P]`.
        distances: distances between parts, in bonds or tokens, `[B, P, P]`.
        mask: true where there is a part, `[B, P]`.
    """
    return float((shares_of(found, mask) * distances).sum(-1)[mask].mean())


def _mean_row_sum(shares: Tensor, pairs: Tensor, mask: Tensor) -> float:
    return float((shares * pairs).sum(-1)[mask].mean())


def _mean_pair(values: Tensor, pairs: Tensor) -> float:
    return float(values[pairs].mean())


def _attention(model: Model, view: View, bins: dict[str, Tensor]) -> Iterator[tuple[str, str, float, str]]:
    layers = view.attention(model)
    if not layers:
        return
    for part, pairs in bins.items():
        heard = [float((weights * pairs[:, None]).sum(-1).mean(1)[view.mask].mean()) for weights in layers]
        yield ATTENTION, part, sum(heard) / len(heard), ""
    entropies = [float(relative_entropy(weights, (weights > 0).any(1)).mean(1)[view.mask].mean()) for weights in layers]
    yield ENTROPY, WHOLE, sum(entropies) / len(entropies), ""
