"""Functions of tensors as machine code, and the predictions of replicas by it."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ibbench.data.molecules import Molecules
from ibbench.training.replicas import Replicas

# The speed of eager predictions on one CPU core, between those of the standard models: 18 for the graph transformer, 29
# for the GNN, 32 for the MLP and 41 for Deep Sets, measured with three replicas on QM9.
_FLOPS_PER_SECOND = 30e9
# Compiling takes 3 to 10 s of each core, and then saves 30 to 45 % of the time of a prediction. On two cores that pays
# from about 50 s of work; on more cores, each has less to predict and as much to compile.
_PAYS_FROM_SECONDS = 100.0


def pays_to_predict(num_molecules: float, flops: int) -> bool:
    """Return whether compiling saves time in the prediction of molecules of one size.

    The answer depends on the work and not on the machine, so that the same molecules always get the same one.

    Args:
        num_molecules: number of molecules that are to be predicted.
        flops: number of floating-point operations per molecule, of all replicas together.
    """
    return num_molecules * flops / _FLOPS_PER_SECOND > _PAYS_FROM_SECONDS


def compile_function(function: Callable[..., Any], *arguments: Any) -> Callable[..., Any]:
    """Return a function of tensors as machine code, for arguments of the shapes of those given.

    The function is traced to one graph of plain operations, `vmap` included, which torch's inductor turns into machine
    code with the element-wise work fused. It is compiled when it is first called; the code is kept in the cache folder.

    Args:
        function: function of tensors, or lists, tuples and dictionaries of them, and of nothing else.
        arguments: arguments to trace it with; the function is called with them once.
    """
    from torch.fx.experimental.proxy_tensor import make_fx  # slow to import, and mostly not needed

    from ibbench.data.cache import cache_folder  # other predictions need no data set

    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
    compiled: Callable[..., Any] = torch.compile(make_fx(function)(*arguments), fullgraph=True, dynamic=False)
    return compiled


class CompiledForward:
    """Predicts normalised targets by machine code, which is made when the first batch comes.

    The code is for one number of molecules. A smaller batch, such as the last one, is filled up with copies of its
    last molecule if it has at least half of that number, and runs eagerly if it has fewer. All batches must be padded
    to the same sizes.

    Args:
        models: the R replicas; each call uses the weights that they have then.
        rows: number of molecules of a full batch.
    """

    def __init__(self, models: Replicas, rows: int) -> None:
        self._models, self._rows = models, rows
        self._names = list(models.parameters)
        self._compiled: Callable[..., Tensor] | None = None

    @torch.no_grad()
    def __call__(self, molecules: Molecules) -> Tensor:
        """Predict at most `rows` molecules `[B, ...]`, features as counts, float32 `[R, B]`."""
        models, count = self._models, len(molecules.mask)
        assert count <= self._rows
        models.eval()
        if 2 * count < self._rows:
            return models(molecules)
        if count < self._rows:
            place = torch.arange(self._rows, device=molecules.mask.device).clamp(max=count - 1)
            molecules = molecules.select(place)
        arguments = [parameter.detach() for parameter in models.parameters.values()], models.buffers, tuple(molecules)
        if self._compiled is None:
            self._compiled = compile_function(self._predict, *arguments)
        return self._compiled(*arguments)[:, :count]

    @property
    def _predict(self) -> Callable[..., Tensor]:
        """The prediction as a function whose arguments are everything that it depends on; torch traces no methods."""

        def predict(parameters: list[Tensor], buffers: dict[str, Tensor], molecules: tuple[Tensor, ...]) -> Tensor:
            named = dict(zip(self._names, parameters, strict=True))
            return self._models.run(named, buffers, Molecules(*molecules))

        return predict
