"""The labels that train molecules are given: their true targets, or altered on purpose.

Wrong labels show what a model does with them: whether it learns random ones by heart (Zhang et al. 2017,
arXiv:1611.03530), and how its error depends on its size when labels are noisy (Nakkiran et al. 2020, arXiv:1912.02292).
"""

import torch
from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.splits import Split
from ibbench.options.data import DataOptions
from ibbench.training.replicas import Replica
from ibbench.training.task import stream
from ibbench.training.truth import Truth


def given_labels(truth: Truth, split: Split, replicas: list[Replica], data: DataOptions) -> Tensor:
    """Return the labels that the train molecules of each replica are given, float64 `[R, n]`, in the targets' units.

    With `data.labels=shuffled` each molecule gets what another one's target is beyond its free atoms (all of it, for
    targets that are no total energies): a permutation of the train subset, drawn by the seed. `data.label_noise` adds
    Gaussian noise, whose standard deviation is that fraction of the target's (beyond the free atoms) over the train
    pool. The noise of a molecule is a function of its place in the data set, the target and the seed: it is the same at
    all train sizes, and whichever replicas train together.

    Args:
        truth: the true targets of all molecules, one row per replica.
        split: the division of the data set.
        replicas: the R replicas.
        data: the options that say what is altered.
    """
    subsets = torch.stack([split.of_target(target).train_subset(seed) for target, seed in replicas])
    labels = truth.values(subsets)
    if data.labels == "shuffled":
        references = truth.references(subsets)
        order = [torch.randperm(subsets.shape[1], generator=stream("labels", seed, 0)) for _, seed in replicas]
        labels = (labels - references).gather(1, torch.stack(order)) + references
    if data.label_noise:
        pool = split.train_pool
        left = (truth.values(pool) - truth.references(pool)).unbind()
        spread = torch.stack([values[~values.isnan()].std(correction=0) for values in left])
        noise = [
            torch.randn(truth.num_molecules, generator=stream(f"noise {target}", seed, 0), dtype=torch.float64)[subset]
            for (target, seed), subset in zip(replicas, subsets, strict=True)
        ]
        labels = labels + data.label_noise * spread[:, None] * torch.stack(noise)
    return labels


def altered_labels(dataset: DataSet, split: Split, replicas: list[Replica], data: DataOptions) -> Tensor | None:
    """Return what `given_labels` does where an option alters labels; None where all have their true targets."""
    if data.labels == "true" and not data.label_noise:
        return None
    return given_labels(Truth(dataset, replicas), split, replicas, data)
