"""Models by name. A model is a file of this folder whose class is registered under the file's name."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from jaxtyping import Float
from torch import Tensor, nn

from ibbench.data.molecules import Molecules
from ibbench.errors import InputError, suggest
from ibbench.models import model_names
from ibbench.models.layers.blocks import initialise, number_dropouts
from ibbench.options.groups import ModelOptions


class Model(nn.Module, ABC):
    """What every model is: `model(molecules)` gives one normalised target value a molecule, shape `[B]`.

    A model's constructor takes the number of atoms N that molecules are padded to and the options of the
    shared recipe. It reads nothing else, moves no devices, and does not know that it may be one of many replicas.

    Attributes:
        symmetries: the transformations of the input that cannot change the prediction, by construction.
        connectivity: which parts of the input meet inside a layer.
        weights: whether the strength of a connection is learned once or computed from the content.
        compiles: whether compiling its training step can pay; not where its layers are long loops.
        any_size: whether it takes molecules of any number of atoms, not only up to that which it was built with.
    """

    symmetries: ClassVar[str]
    connectivity: ClassVar[str]
    weights: ClassVar[str]
    compiles: ClassVar[bool] = True
    any_size: ClassVar[bool] = True

    @classmethod
    @abstractmethod
    def reads(cls, options: Any) -> frozenset[str]:
        """Return what the model reads: of `atoms` (their features), `bonds`, `positions` and `tokens`."""

    @abstractmethod
    def forward(self, molecules: Molecules) -> Float[Tensor, "b"]:
        """Predict the normalised target of each molecule."""


M = TypeVar("M", bound=type[Model])
_MODELS: dict[str, type[Model]] = {}


def register(name: str) -> Callable[[M], M]:
    """Register a class under `name`; a second class under the same name is an error."""

    def add(model: M) -> M:
        known = _MODELS.setdefault(name, model)
        if known is not model:
            raise ValueError(f"two models are called `{name}`: {known.__module__} and {model.__module__}")
        return model

    return add


def get_model(name: str) -> type[Model]:
    """Return the class registered under `name`.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    if name not in _MODELS:
        if name not in model_names():
            raise InputError(f"`model={name}` is not a model: {suggest(name, model_names())}")
        importlib.import_module(f"ibbench.models.{name}")
    return _MODELS[name]


def build_model(num_atoms: int, options: ModelOptions) -> Model:
    """Build one model, its weights drawn from torch's global generator.

    Args:
        num_atoms: N, the number of atoms that molecules are padded to.
        options: the recipe; `options.name` says which model.
    """
    model = get_model(options.name)(num_atoms, options)
    initialise(model, options.initialisation)
    number_dropouts(model)
    return model
