"""One training step: the loss of each replica and its gradients, eagerly or as compiled code."""

import os
import shutil
import time
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from ibbench.data.cache import cache_folder
from ibbench.data.molecules import Molecules
from ibbench.options.config import Config
from ibbench.training.replicas import Replicas
from ibbench.training.truth import Loss

Compiled = Literal[True, False, "graphs"]
# The overhead of an eager step on two CPU cores, and the speed of its arithmetic, measured on all standard models.
_SECONDS_PER_STEP, _FLOPS_PER_SECOND = 0.005, 40e9
# Compiling takes 15 to 30 s the first time and 4 to 6 s with a warm cache, and halves the time of training.
_PAYS_FROM_SECONDS = 60.0


def compiler() -> str | None:
    """Return the path of the C++ compiler that torch would use for the CPU; None if there is none."""
    return next(filter(None, map(shutil.which, filter(None, [os.environ.get("CXX"), "g++", "clang++"]))), None)


def expected_seconds(num_steps: int, flops: int) -> float:
    """Predict how long eager training takes on two CPU cores.

    Args:
        num_steps: the number of steps, of all replicas together.
        flops: the number of floating-point operations of the whole training, of all replicas together.
    """
    return num_steps * _SECONDS_PER_STEP + flops / _FLOPS_PER_SECOND


def pays(num_steps: int, flops: int) -> bool:
    """Return whether compiling the step saves time in a training, described as for `expected_seconds`.

    The answer depends on the work and not on the machine, so that a config always gets the same one.
    """
    return expected_seconds(num_steps, flops) > _PAYS_FROM_SECONDS


def compiled_as(config: Config) -> Compiled:
    """Return how the training step of a resolved config is compiled; `auto` counts as not at all."""
    return False if config.trainer.compile == "auto" else config.trainer.compile


class Step:
    """Computes the loss of each replica, and leaves the gradients in its parameters.

    Compiled, the step is traced to one graph of plain operations, `vmap` and backward pass included, which torch's
    inductor turns into machine code with the element-wise work fused. The code is for one batch size; a smaller last
    batch of an epoch runs eagerly.

    With `graphs` torch also records the kernels of the compiled step as a CUDA graph, which the GPU then replays as a
    whole (https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/torch.compiler_cudagraph_trees.html). Its
    losses and gradients lie in memory that the next step writes to. On a CPU it is the same as compiling.

    Args:
        models: the R replicas.
        loss: the loss of the kind of target, see `Truth.loss`.
        compiled: whether to compile the step, when the first batch comes, and whether as a CUDA graph.
        symmetry_penalty: the weight of the squared difference between the predictions of a molecule in two orders of
            its atoms. If it is not 0, each batch has its molecules a second time, in another order, behind the first.

    Attributes:
        forward_seconds: the seconds of the last step's forward pass; 0 where forward and backward pass are compiled
            as one.
    """

    def __init__(self, models: Replicas, loss: Loss, compiled: Compiled, symmetry_penalty: float = 0.0) -> None:
        self._models, self._loss, self._compile_wanted = models, loss, compiled
        self._symmetry_penalty = symmetry_penalty
        self._names = list(models.parameters)
        self._compiled: Callable[..., tuple[Tensor, list[Tensor]]] | None = None
        self._batch_size = 0
        self.forward_seconds = 0.0

    def __call__(self, molecules: Molecules, labels: Tensor) -> Tensor:
        """Return the losses `[R]` of a batch `[R, B, ...]`, or with a penalty `[R, 2 B, ...]`, of labels `[R, B]`."""
        parameters = list(self._models.parameters.values())
        if self._compile_wanted and self._compiled is None:
            self._compile(parameters, molecules, labels)
        if self._compiled is not None and labels.shape[1] == self._batch_size:
            return self._run_compiled(parameters, molecules, labels)
        started = time.perf_counter()
        loss = self._losses(parameters, self._models.buffers, molecules, labels)
        self.forward_seconds = time.perf_counter() - started
        for parameter in parameters:
            parameter.grad = None
        loss.sum().backward()  # replicas share no weights: the sum gives each its own gradient
        return loss.detach()

    def _losses(
        self, parameters: list[Tensor], buffers: dict[str, Tensor], molecules: Molecules, labels: Tensor
    ) -> Tensor:
        prediction = self._models.run(dict(zip(self._names, parameters, strict=True)), buffers, molecules)
        if not self._symmetry_penalty:
            return self._loss(prediction, labels, reduction="none").mean(1)
        prediction, relabelled = prediction.chunk(2, dim=1)
        difference = (prediction - relabelled).square()
        return (self._loss(prediction, labels, reduction="none") + self._symmetry_penalty * difference).mean(1)

    @torch.no_grad()
    def _run_compiled(self, parameters: list[Tensor], molecules: Molecules, labels: Tensor) -> Tensor:
        assert self._compiled is not None
        values = [parameter.detach() for parameter in parameters]
        if self._compile_wanted == "graphs":
            torch.compiler.cudagraph_mark_step_begin()
            for parameter in parameters:
                parameter.grad = None  # the last step's gradients lie in memory that this one writes to
        loss, gradients = self._compiled(values, self._models.buffers, tuple(molecules), labels)
        self.forward_seconds = 0.0
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        return loss.clone() if self._compile_wanted == "graphs" else loss

    def _compile(self, parameters: list[Tensor], molecules: Molecules, labels: Tensor) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx  # slow to import, and mostly not needed

        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_folder() / "inductor"))
        # Tracing runs the step, which would change the running statistics of batch norm.
        buffers = {name: buffer.clone() for name, buffer in self._models.buffers.items()}
        graph = make_fx(self._differentiate)(parameters, buffers, tuple(molecules), labels)
        mode = "reduce-overhead" if self._compile_wanted == "graphs" else None
        self._compiled = torch.compile(graph, fullgraph=True, dynamic=False, mode=mode)
        self._batch_size = labels.shape[1]

    @property
    def _differentiate(self) -> Callable[..., tuple[Tensor, list[Tensor]]]:
        """The step as a function whose arguments are everything that it depends on."""

        def differentiate(
            parameters: list[Tensor], buffers: dict[str, Tensor], molecules: tuple[Tensor, ...], labels: Tensor
        ) -> tuple[Tensor, list[Tensor]]:
            loss = self._losses(parameters, buffers, Molecules(*molecules), labels)
            gradients = torch.autograd.grad(loss.sum(), parameters, allow_unused=True, materialize_grads=True)
            # The fused optimizers read gradients as if they were laid out like their parameters.
            return loss.detach(), [gradient.contiguous() for gradient in gradients]

        return differentiate
