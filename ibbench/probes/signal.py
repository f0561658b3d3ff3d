"""Whether signals pass the layers: sizes of states and gradients, and what states can still tell apart, by layer."""

import math
import re
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ibbench.models.layers.blocks import ACTIVATIONS
from ibbench.models.registry import Model
from ibbench.probes import Finding, Mean, Probe, register
from ibbench.probes.subject.ridge import decompose, fit, with_constant
from ibbench.probes.subject.states import EMBEDDING, mask_of_parts, name_of_layer, pool
from ibbench.probes.subject.subject import Subject

READOUT = "readout"
SIZE, GRADIENT, RANK = "size of states", "size of gradients", "effective rank"
SPREAD, DEAD, LINEAR = "spread between parts / size", "dead units", "R² of a linear readout"
_DEAD = 1e-6  # a unit is dead if its standard deviation is at most this share of the largest of the same activation


@register("signal")
class Signal(Probe):
    """Sizes of states and gradients by layer, and how much of their variety the states keep.

    Sizes are root mean squares: of states, over atoms (or tokens) and features; of gradients of predictions, over
    molecules and the weights of a layer. Sizes that grow or fall by a constant factor per layer explode or vanish
    (Glorot & Bengio 2010). The effective rank of the states is the exponential of the entropy of their normalised
    singular values (Roy & Vetterli 2007); it is 1 if all states are multiples of one state. The spread between the
    parts of a molecule is the size of their differences from the mean of the parts, over the size of states: attention
    without residual steps contracts it to 0 (Dong et al. 2021, arXiv:2103.03404). A unit is dead if its output is the
    same for all parts of all molecules.

    The R² of a linear readout is that of a ridge regression of the labels on the sum of states, where each label is
    predicted from all others (the probe `kernel` has the formula). It may be below 0. The layer after which it no
    longer improves says how deep the network is for this target.
    """

    summary = "whether states and gradients keep their size through the layers, and what states can still tell apart"
    needs = "jacobian"
    moments = ("init", "trained")
    headline = SIZE
    logarithmic = True

    def measure(self, subject: Subject) -> Iterator[Finding]:
        """Measure at the train molecules."""
        options = subject.point.resolved.model
        of_network = subject.targets[0] if subject.moment == "trained" else ""
        for depth in range(options.depth + 1):
            part = name_of_layer(depth)
            model, molecules = subject.module(depth), subject.inputs(subject.train_index)
            with torch.no_grad():
                states = model.states(molecules)
            mask = mask_of_parts(model, molecules)
            yield Finding(SIZE, part, size_of(_rows(states, mask)), "", of_network)
            yield Finding(RANK, part, effective_rank(_rows(states, mask)), "", of_network)
            if mask is not None:
                yield Finding(SPREAD, part, spread_between(states[:, : mask.shape[1]], mask), "", of_network)
            pooled = pool(states, mask)
            for target, labels in zip(subject.targets, subject.labels, strict=True):
                yield Finding(LINEAR, part, linear_r2(pooled, labels), "", target)
        for part, gradients in gradients_by_layer(subject.named_gradients()).items():
            yield Finding(GRADIENT, part, size_of(gradients), "", of_network)
        for part, share in dead_units(subject.module(), subject).items():
            yield Finding(DEAD, part, share, "", of_network)

    def tell(self, who: str, part: str, figures: Mapping[str, Mean]) -> str:
        """Return a sentence if units of a layer are dead; sizes are shown by the table and the picture."""
        dead = figures.get(DEAD)
        return f"{who}: in {part} {dead.text} of the units are dead" if dead and dead.value else ""


def _rows(states: Tensor, mask: Tensor | None) -> Tensor:
    """Return the states of all parts as rows, `[n, W]`; a node behind the atoms, such as a token, is left out."""
    return states if mask is None else states[:, : mask.shape[1]][mask]


def size_of(values: Tensor) -> float:
    """Return the root mean square of all entries of a tensor of any shape."""
    return float(values.double().square().mean().sqrt())


def effective_rank(rows: Tensor) -> float:
    """Return the exponential of the entropy of the normalised singular values of rows `[n, W]`.

    Source: Roy & Vetterli 2007.
    """
    values = torch.linalg.svdvals(rows.double())
    share = values / values.sum().clamp(min=torch.finfo(values.dtype).tiny)
    return math.exp(float(-torch.special.xlogy(share, share).sum()))


def spread_between(states: Tensor, mask: Tensor) -> float:
    """Return the root mean square of the parts' differences from the mean of their molecule, over that of states.

    Args:
        states: states of the parts, `[B, N, W]`.
        mask: true where there is a part, `[B, N]`.
    """
    there = mask[..., None]
    mean = (states * there).sum(1, keepdim=True) / there.sum(1, keepdim=True)
    return size_of((states - mean)[mask]) / max(size_of(states[mask]), torch.finfo(torch.float64).tiny)


def linear_r2(features: Tensor, labels: np.ndarray) -> float:
    """Return the share of the labels' variance that a ridge regression explains, each label predicted from all others.

    Args:
        features: the W features of each molecule, `[n, W]`.
        labels: normalised labels, `[n]`.

    Returns:
        At most 1; below 0 if predictions are worse than the mean label, and 0 if all features are constant.
    """
    wide = features.double()
    scaled = (wide - wide.mean(0)) / wide.std(0).clamp(min=1e-12 * float(wide.abs().max()) or 1.0)
    kernel = (scaled @ scaled.T / wide.shape[1]).cpu().numpy()
    if not kernel.any():
        return 0.0
    residuals = fit(decompose(with_constant(kernel)), labels - labels.mean()).residuals
    return 1 - float(np.square(residuals).mean() / labels.var())


def gradients_by_layer(gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join the gradients of all weights of a layer, `[n, weights]`, by the name of the layer.

    Args:
        gradients: gradients of predictions, `[n, ...]`, by the name of the weights, which has the layer's number.
    """
    found: dict[str, list[Tensor]] = {}
    for name, gradient in gradients.items():
        part = _layer_of(name)
        if part:
            found.setdefault(part, []).append(gradient)
    return {part: torch.cat(parts, dim=1) for part, parts in found.items()}


def _layer_of(name: str) -> str:
    parts = name.split(".")
    if "embed" in parts:
        return EMBEDDING
    if "readout" in parts:  # also that of a branch
        return READOUT
    number = re.search(r"\.(\d+)\.", name)
    return f"layer {int(number[1]) + 1}" if number else ""


@torch.no_grad()
def dead_units(model: Model, subject: Subject) -> dict[str, float]:
    """Return the share of dead units, from 0 to 1, by layer: their output is the same for all parts of all molecules.

    The molecules are the train molecules that are looked at.
    """
    molecules = subject.inputs(subject.train_index)
    mask = mask_of_parts(model, molecules)
    counts: dict[str, list[int]] = {}

    def note(part: str, output: Tensor) -> None:
        rows = _rows(output, mask if output.dim() > 2 else None)  # outputs of the readout have a row per molecule
        spread = rows.flatten(0, -2).double().std(0)
        dead = int((spread <= _DEAD * spread.max()).sum())
        counts.setdefault(part, []).extend([dead, len(spread)])

    kinds: tuple[type[nn.Module], ...] = tuple(ACTIVATIONS.values())
    handles = []
    for name, module in model.named_modules():
        part = _layer_of(f"{name}.")
        if part and isinstance(module, kinds):
            handles.append(module.register_forward_hook(lambda *given, part=part: note(part, given[-1])))
    model(molecules)
    for handle in handles:
        handle.remove()
    return {part: sum(found[::2]) / sum(found[1::2]) for part, found in counts.items()}
