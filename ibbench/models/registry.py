"""Models by name. A model is a file of this folder whose class is registered under the file's name."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Literal, TypeVar, get_args

from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from ibbench.data.layout import Padding
from ibbench.data.molecules import Molecules
from ibbench.errors import InputError, suggest
from ibbench.models import built_in_models, model_names
from ibbench.models.layers.blocks import Readout, initialise, number_dropouts
from ibbench.options.model import ModelOptions, set_options
from ibbench.plugins.load import load_installed
from ibbench.plugins.registry import enter

# Transformations of a molecule; tables name them in this order.
Symmetry = Literal["permutation", "rotation", "translation", "reflection", "translation along the string"]


class Model(nn.Module, ABC):
    """What every model is: `model(molecules)` gives one normalised target value per molecule, shape `[B]`.

    For a target of atoms (`options.output`) it gives one per atom, `[B, N]`.

    A model is `readout(states(molecules))`. Its constructor takes the sizes of the molecules (`padding`, which has the
    number of features of an atom, too) and the options of the shared recipe. It reads nothing else, moves no devices,
    and does not know that it may be one of many replicas.

    Attributes:
        symmetries: transformations of the input that cannot change the prediction, by construction.
        connectivity: the parts of the input that meet inside a layer, in words.
        weights: in words, whether the strength of a connection is learned once or computed from the content.
        reads: the fields of `Molecules` that the model reads: of `atoms`, `bonds`, `positions` and `tokens`. Where
            this depends on options, `reads_with` says how.
        compiles: false where compiling the training step cannot pay, since layers are long loops.
        any_size: whether the model takes molecules of any number of atoms, not only up to the N it was built with.
        pools: whether the model's states are those of parts of a molecule, which the readout pools.
        reconstructs: for a model that predicts no label but restores the molecule, the target that stands for it, a
            name of `ITSELF` in `ibbench.data.targets`; empty for all others. Such a model's prediction is its error.
        readout: the last part of the model, from states to predictions; one that restores molecules has none.
    """

    symmetries: ClassVar[frozenset[Symmetry]]
    connectivity: ClassVar[str]
    weights: ClassVar[str]
    reads: ClassVar[frozenset[str]]
    compiles: ClassVar[bool] = True
    any_size: ClassVar[bool] = True
    pools: ClassVar[bool] = True
    reconstructs: ClassVar[str] = ""
    readout: Readout

    @abstractmethod
    def states(self, molecules: Molecules) -> Float[Tensor, "b *n w"]:
        """Return what the last layer makes of each part of a molecule.

        Returns:
            States of atoms `[B, N, W]`, of tokens `[B, L, W]` or of molecules `[B, W]`.
        """

    def mask_of(self, molecules: Molecules) -> Bool[Tensor, "b n"] | None:
        """Return true for the states that belong to an atom or token, false for padding; None for whole molecules."""
        return molecules.mask

    def forward(self, molecules: Molecules) -> Float[Tensor, "b *n"]:
        """Predict the normalised target of each molecule `[B]`, or, for a target of atoms, of each atom `[B, N]`."""
        readout = self.readout
        states, mask = self.states(molecules), self.mask_of(molecules)
        if getattr(readout, "output", "molecule") == "atoms":
            return readout.of_atoms(states, mask, molecules.mask)
        return readout(states, mask)

    @classmethod
    def reads_with(cls, _options: Any) -> frozenset[str]:
        """Return the fields that the model reads with these options. A model whose options matter overrides this."""
        return cls.reads

    @classmethod
    def tell_pairs(cls, molecules: Molecules, _options: Any) -> Shaped[Tensor, "b n n"]:
        """Return the kind of each pair of atoms, as far as a layer can tell pairs apart.

        Kind 0 is for pairs that do not meet, or that the layer treats like all others. The kinds bound what a model can
        tell if its predictions do not depend on the order of atoms: no more than colours of atoms that are refined
        along these pairs, once per layer (see `ibbench.data.colours`). By default, the kinds are the bond types.

        Args:
            molecules: the molecules, with bonds, as the model is given them.
            _options: the options of the model.
        """
        return molecules.bonds

    @classmethod
    def assumptions(cls) -> dict[str, str]:
        """Return the model's assumptions in words, as they stand in records and tables."""
        symmetries = [name for name in get_args(Symmetry) if name in cls.symmetries]
        return {
            "symmetries": ", ".join(symmetries) or "none",
            "connectivity": cls.connectivity,
            "weights": cls.weights,
        }


M = TypeVar("M", bound=type[Model])
_MODELS: dict[str, type[Model]] = {}
_READABLE = ("atoms", "bonds", "positions", "tokens")


def register(name: str, options: type[ModelOptions] | None = None) -> Callable[[M], M]:
    """Register a class under `name`; a second class under the same name is an error.

    Args:
        name: what `model` calls it.
        options: for a plugin, the class of its options where it has some on top of the shared recipe, all of them with
            default values.

    Raises:
        InputError: the name is taken or cannot be typed, or the class is not a model that says what it assumes.
    """

    def add(model: M) -> M:
        enter("model", name, model, _MODELS, built_in_models, lambda: _check(name, model))
        if options:
            set_options(name, options)
        return model

    return add


def _check(name: str, model: type) -> None:
    """Check that the class of a plugin says what tables and probes will ask it."""
    if not issubclass(model, Model):
        raise InputError(f"the model `{name}` is no subclass of ibbench.models.registry.Model")
    lacking = [part for part in ("symmetries", "connectivity", "weights", "reads") if not hasattr(model, part)]
    if lacking:
        raise InputError(f"the model `{name}` does not say what it assumes: it lacks {', '.join(lacking)}")
    for part, valid in (("symmetries", get_args(Symmetry)), ("reads", _READABLE)):
        given = getattr(model, part)
        for one in sorted([given] if isinstance(given, str) else given):
            if one not in valid:
                raise InputError(f"`{one}` is not possible in `{part}` of the model `{name}`: {suggest(one, valid)}")


def get_model(name: str) -> type[Model]:
    """Return the class registered under `name`.

    Raises:
        InputError: no model has this name; the message names the most similar.
    """
    if name not in _MODELS:
        if name in built_in_models():
            importlib.import_module(f"ibbench.models.{name}")
        elif not load_installed("model", name):
            raise InputError(f"`model={name}` is not a model: {suggest(name, model_names())}")
    return _MODELS[name]


def build_model(padding: Padding, options: ModelOptions) -> Model:
    """Build one model, its weights drawn from torch's global generator.

    Args:
        padding: the sizes of the molecules that the model is to take, such as `molecules.padding`.
        options: the recipe and the width; `options.name` says which model.

    Raises:
        InputError: no model has this name.
    """
    model = get_model(options.name)(padding, options)
    initialise(model, options.initialisation)
    number_dropouts(model)
    return model
