"""How many replicas train at once: the replicas of a run are split into packs, each trained as one batched model."""

import math
from itertools import pairwise

import torch

from ibbench.budget.cost import count_parameters, count_saved_bytes
from ibbench.data.layout import Padding
from ibbench.options.config import Config
from ibbench.options.trial import list_stages
from ibbench.training.device import free_memory
from ibbench.training.replicas import PREDICTION_BATCH, Replica

_SHARE = 0.5  # the share of free memory that is planned with; fragments, temporaries and other programs need the rest
_OF_SUBSPACE = 8  # further ones: weights at the start, signs, two halves of an order, and room to multiply
_COPIES = 6  # tensors as large as the weights: weights, gradient, two moments of Adam, the best so far, and a new best


def list_replicas(config: Config) -> list[Replica]:
    """List the replicas of a run, target by target."""
    return [Replica(target, seed) for target in config.targets for seed in config.seeds]


def split_into_packs(replicas: list[Replica], most: int) -> list[list[Replica]]:
    """Split replicas, in their order, into as few packs of at most `most` as possible, as even as possible.

    The first pack is one of the largest, so that its size, given as `most`, makes the same packs again.
    """
    count = math.ceil(len(replicas) / most)
    bounds = [-(-len(replicas) * number // count) for number in range(count + 1)]
    return [replicas[start:end] for start, end in pairwise(bounds)]


def choose_pack_size(config: Config, padding: Padding, device: torch.device) -> int:
    """Return how many replicas train at once: as configured, or with `auto` all that fit into half the free memory.

    Larger packs were faster in every measurement on a CPU (`ibbench speed --sweep`), since the replicas share the
    overhead of each operation. So only memory limits their size. The number of cores does not, because the size of
    packs decides how sums are rounded.

    Args:
        config: the run, resolved.
        padding: the size that molecules are padded to.
        device: the device to train on, whose free memory counts.
    """
    given = config.trainer.replicas_per_pack
    if given != "auto":
        return given
    return max(1, int(_SHARE * free_memory(device) / bytes_per_replica(config, padding)))


def count_fitting(bytes_of_pack: float) -> int:
    """Return how many packs of one size can train at a time on the CPU: those that fit into half of the free memory."""
    return max(1, int(_SHARE * free_memory(torch.device("cpu")) / bytes_of_pack))


def bytes_per_replica(config: Config, padding: Padding) -> int:
    """Predict the bytes that one more replica takes, with all its trials that train side by side.

    They are twice what the backward pass of a batch needs, or half of what that of a prediction's batch would need if
    this is more, and the copies of the weights.
    """
    saved = count_saved_bytes(padding, config.model)
    activations = max(2 * saved * config.trainer.batch_size, saved * PREDICTION_BATCH // 2)
    copies = _COPIES + (config.trainer.average is not None) + _OF_SUBSPACE * (config.trainer.subspace is not None)
    each = activations + copies * 4 * count_parameters(padding, config.model)
    return list_stages(config)[0].trials * each
