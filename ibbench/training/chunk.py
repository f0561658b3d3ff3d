"""How many molecules are predicted at a time, where predictions need not be rounded as those of a training."""

import torch

from ibbench.budget.cost import count_saved_bytes
from ibbench.data.layout import Padding
from ibbench.options.model import ModelOptions
from ibbench.training.replicas import PREDICTION_BATCH

# Most memory for the activations of all replicas together: on a CPU about what its caches hold, by measurements of all
# standard models with one replica and with three.
_BYTES = {"cpu": 2**26, "cuda": 2**29}


def choose_chunk(padding: Padding, options: ModelOptions, num_replicas: int, device: torch.device) -> int:
    """Return the number of molecules to predict at a time, so that their activations fit the caches or the memory.

    Args:
        padding: the sizes that the molecules are padded to, with one token if the model reads no tokens.
        options: the model with its width.
        num_replicas: number of replicas that predict together.
        device: the device to predict on.
    """
    each = count_saved_bytes(padding, options) * num_replicas
    return min(PREDICTION_BATCH, max(1, _BYTES[device.type] // each))
