"""The average of a replica's weights over its latest steps."""

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def average_in(average: dict[str, Tensor], current: dict[str, Tensor], steps: int, length: int) -> None:
    """Move an average towards the current weights, in place.

    It is an exponential moving average (Polyak & Juditsky 1992) with a decay of 1 - 1 / `length` that begins as the
    plain mean of all weights so far: the newest weights count 1 / `steps`, and never less than 1 / `length`.

    Args:
        average: name -> `[R, ...]`, the average after `steps - 1` steps; its values do not matter if `steps` is 1.
        current: name -> `[R, ...]`, the weights after `steps` steps.
        steps: the number of steps that are done, at least 1.
        length: the number of steps that the average is taken over.
    """
    move = get_ema_multi_avg_fn(1 - 1 / min(steps, length))
    names = [name for name in average if average[name].is_floating_point()]
    move([average[name] for name in names], [current[name] for name in names], steps)
