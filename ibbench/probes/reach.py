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

MOLECULES = 32  # that derivatives are taken of: every feature of every part is a pass backwards
WHOLE = "whole model"
SHARE, MEAN, FARTHEST = "share of influence", "mean distance", "farthest"
MIXING, CONTENT = "mixing / of all pairs", "change with content"
ATTENTION, ENTROPY = "share of attention", "entropy of attention / of equal weights"


@register("reach")
class Reach(Probe):
    """Influence of parts of a molecule on the states of others, by the distance between them, at test molecules.

    The influence of j on i is the sum of the absolute derivatives of the last state of i by the features of j (Xu et
    al. 2018, arXiv:1806.03536); parts are atoms, or tokens for models that read the SMILES, and distances are bonds on
    the shortest path, or places in the string. Its share is of all that i depends on, mean over i. Mixing is the size
    of the second derivative of the prediction by the features of two parts, over that of the mean pair of different
    ones (Di Giovanni et al. 2023, arXiv:2306.03589): a model through which distant parts cannot act together has little
    of it there. Change with content is half the sum over j of the absolute change of the shares of i when the features
    of a molecule's parts are dealt out anew among them and its structure stays: 0 where weights are fixed and functions
    linear. Shares of attention, and its entropy, are means over layers, heads and atoms.

    A derivative says what a small change would do, not what a large one does. `mlp` has no states of atoms: of it only
    mixing is known.
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
        """Tell how far the states see, and what content changes."""
        if part != WHOLE or MEAN not in figures:
            return ""
        far, mean, change = (figures[name].text for name in (FARTHEST, MEAN, CONTENT))
        return f"{who}: a state depends on what is up to {far} away, {mean} in the mean; content moves {change} of it"


def shares_of(found: Tensor, mask: Tensor) -> Tensor:
    """Return each influence `[B, P, P]` as a share of all that a part depends on; 0 for parts that are not there."""
    there = found * mask[..., None] * mask[..., None, :]
    return there / there.sum(-1, keepdim=True).clamp(min=torch.finfo(found.dtype).tiny)


def mean_distance(found: Tensor, distances: Tensor, mask: Tensor) -> float:
    """Return the mean over parts of the distance of what they depend on, weighed by influence."""
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
