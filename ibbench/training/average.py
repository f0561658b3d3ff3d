"""The average of a replica's weights over its latest steps."""

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


@torch.no_grad()
def average_in(average: dict[str, Tensor], current: dict[str, Tensor], steps: int, length: int) -> None:
    """Move an average towards the current weights, in place.

    An exponential moving average (Polyak & Juditsky 1992; its decay is 1 - 1 / `length`) that begins as the plain mean
    of what there is: the newest weights count 1 / `steps`, and never less than 1 / `length`.

    Args:
        average: name -> `[R, ...]`, the average after `steps - 1` steps; not looked at after the first.
        current: name -> `[R, ...]`, the weights after `steps` steps.
        steps: how many steps are done, at least 1.
        length: how many steps the average is over.
    """
    move = get_ema_multi_avg_fn(1 - 1 / min(steps, length))
    names = [name for name in average if average[name].is_floating_point()]
    move([average[name] for name in names], [current[name] for name in names], steps)
