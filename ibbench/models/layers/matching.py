"""The distance between two sets of vectors: each vector of one is matched with one of the other, at the least cost."""

import torch
from jaxtyping import Float
from torch import Tensor

_OPERATION = "ibbench::match"


def matched_distance(one: Float[Tensor, "*b n f"], other: Float[Tensor, "*b n f"]) -> Float[Tensor, "*b"]:
    """Return the least sum of squared distances over all ways to match two sets of N vectors, `[*batch]`.

    It is the squared Wasserstein distance between the sets, times N. It is exact, so it does not depend on the order of
    either set, and 0 only for equal sets. It can be differentiated: a small change of a vector does not change which
    match is the best, except where two are equally good. The match is found by scipy on the CPU in about N^3 steps.

    Args:
        one: the first set, `[*batch, N, F]`.
        other: the second set, `[*batch, N, F]`.
    """
    costs = (one[..., :, None, :] - other[..., None, :, :]).square().sum(-1)
    order = best_match(costs.detach())
    return costs.gather(-1, order[..., None]).squeeze(-1).sum(-1)


def best_match(costs: Float[Tensor, "*b n n"]) -> Tensor:
    """Return for each row of `costs` `[*batch, N, N]` its column in the match of least total cost, int64 `[*batch, N]`.

    It is an operation of its own for torch, so that it runs under `vmap` and in compiled steps.
    """
    return _match(costs)


@torch.library.custom_op(_OPERATION, mutates_args=(), schema="(Tensor costs) -> Tensor")
def _match(costs):  # type: ignore[no-untyped-def]
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    size = costs.shape[-1]
    # A diverged replica has costs that are not finite: any match will do, since its loss is not finite either.
    squares = costs.float().cpu().reshape(-1, size, size).nan_to_num(nan=0.0, posinf=1e30, neginf=0.0).numpy()
    columns = np.empty((len(squares), size), dtype=np.int64)
    for place, square in enumerate(squares):
        columns[place] = linear_sum_assignment(square)[1]
    return torch.from_numpy(columns).reshape(costs.shape[:-1]).to(costs.device)


@_match.register_fake
def _(costs):  # type: ignore[no-untyped-def]
    return costs.new_empty(costs.shape[:-1], dtype=torch.int64)


@_match.register_vmap
def _(_info, in_dims, costs):  # type: ignore[no-untyped-def]
    return _match(costs.movedim(in_dims[0], 0)), 0
