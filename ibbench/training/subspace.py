"""Training in a random subspace of the weights (`trainer.subspace`): theta = theta_0 + P v, where only v is trained."""

import math
from collections.abc import Sequence

import scipy.linalg
import torch
from torch import Tensor

from ibbench.budget.cost import count_parameters
from ibbench.data.layout import Padding
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.groups import AnyOptimizerOptions
from ibbench.training.optim import StackedOptimizer
from ibbench.training.task import stream

_PART = 32  # rows of the largest Hadamard matrix that is multiplied with as it is


def check_subspace(config: Config, padding: Padding) -> None:
    """Check that a subspace has no more dimensions than the model has parameters.

    Args:
        config: the run, resolved.
        padding: the sizes of the molecules.

    Raises:
        InputError: it has more.
    """
    dimensions, parameters = config.trainer.subspace, count_parameters(padding, config.model)
    if dimensions is not None and dimensions > parameters:
        raise InputError(
            f"`trainer.subspace={dimensions}` has more dimensions than `model={config.model.name}` has parameters: "
            f"expected at most {parameters:,}, or null to train all of them"
        )


class Projection:
    """The matrix P `[D, d]` of each of R replicas, drawn by its seed, as two fast products instead of numbers.

    P = S A H B / sqrt(D), with the Hadamard matrix H of n rows, where n is the least power of 2 that is not below D. B
    puts the d coordinates on random places among n, A takes D of n rows in random order, and S gives each weight a
    random sign. So each entry is 1 / sqrt(D) or minus that, all columns have length 1, and two columns are orthogonal
    but for the rows that A leaves out: a subsampled randomised Hadamard transform (Ailon & Chazelle 2009, SIAM J.
    Comput. 39, 302). A dense P would need D x d numbers; this one needs 2 D + d, and n log n additions per product. The
    matrices of Li et al. 2018 (arXiv:1804.08838), who had the idea, are dense, sparse, or Fastfood's.

    Subspaces are nested: with the same seed, the first columns of a larger P are those of a smaller one.

    Args:
        seeds: the seeds of the R replicas.
        parameters: D, the number of weights of a replica.
        dimensions: d, at most D.
        device: the device to compute on.
    """

    def __init__(self, seeds: Sequence[int], parameters: int, dimensions: int, device: torch.device) -> None:
        self._size = 1 << math.ceil(math.log2(parameters))
        drawn = {seed: _draw(seed, self._size, parameters, dimensions) for seed in set(seeds)}
        parts = zip(*(drawn[seed] for seed in seeds), strict=True)
        self._columns, self._rows, self._signs = (torch.stack(part).to(device) for part in parts)

    def spread(self, coordinates: Tensor) -> Tensor:
        """Return P v, `[R, D]`, of coordinates v, `[R, d]`."""
        placed = coordinates.new_zeros(len(coordinates), self._size).scatter(1, self._columns, coordinates)
        return _hadamard(placed).gather(1, self._rows) * self._signs

    def gather(self, gradient: Tensor) -> Tensor:
        """Return P^T g, `[R, d]`, of gradients g, `[R, D]`."""
        placed = gradient.new_zeros(len(gradient), self._size).scatter(1, self._rows, gradient * self._signs)
        return _hadamard(placed).gather(1, self._columns)


def _draw(seed: int, size: int, parameters: int, dimensions: int) -> tuple[Tensor, Tensor, Tensor]:
    """Draw the places of the coordinates, the rows of the weights, and their signs over sqrt(D)."""
    columns = torch.randperm(size, generator=stream("columns of a subspace", seed, 0))[:dimensions]
    rows = torch.randperm(size, generator=stream("rows of a subspace", seed, 0))[:parameters]
    signs = torch.randint(0, 2, (parameters,), generator=stream("signs of a subspace", seed, 0)) * 2.0 - 1.0
    return columns, rows, signs / math.sqrt(parameters)


def _hadamard(rows: Tensor) -> Tensor:
    """Multiply each row of `[R, n]`, n a power of 2, with the Hadamard matrix of Sylvester."""
    count, size = rows.shape
    width = 1
    while width < size:  # H is the Kronecker product of small ones, of up to 32 rows
        part = min(_PART, size // width)
        small = torch.from_numpy(scipy.linalg.hadamard(part)).to(rows)
        rows = (small @ rows.view(-1, part, width)).view(count, size)
        width *= part
    return rows


class SubspaceOptimizer(StackedOptimizer):
    """An optimizer that moves coordinates v and sets the weights of each replica to theta_0 + P v.

    The coordinates start at 0, so that the weights start where the seed has drawn them. Weight decay pulls v to 0, and
    so the weights to theta_0.

    Args:
        options: the optimizer, and the options that all replicas share.
        parameters: the stacked weights at the start, each `[R, ...]`; they must have gradients when `step` is called.
        rates: the learning rate of each replica.
        decays: the weight decay of each replica.
        seeds: the seed of each replica, which draws its P.
        dimensions: d, the number of coordinates of a replica.

    Attributes:
        coordinates: v, `[R, d]`; a checkpoint saves them.
    """

    def __init__(
        self,
        options: AnyOptimizerOptions,
        parameters: list[Tensor],
        rates: list[float],
        decays: list[float],
        seeds: Sequence[int],
        dimensions: int,
    ) -> None:
        device = parameters[0].device
        coordinates = torch.zeros(len(seeds), dimensions, device=device, requires_grad=True)
        super().__init__(options, [coordinates], rates, decays)
        self.coordinates: Tensor = coordinates
        self._weights = parameters
        self._start = [weight.detach().clone() for weight in parameters]
        self._sizes = [weight[0].numel() for weight in parameters]
        self._projection = Projection(seeds, sum(self._sizes), dimensions, device)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Take one step in the subspace.

        Args:
            factor: the number that the schedule multiplies every learning rate by.
        """
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in self._weights]
        self.coordinates.grad = self._projection.gather(torch.cat([each.flatten(1) for each in gradients], dim=1))
        super().step(factor)
        moved = self._projection.spread(self.coordinates.detach()).split(self._sizes, dim=1)
        for weight, start, part in zip(self._weights, self._start, moved, strict=True):
            weight.copy_(start + part.view(start.shape))
