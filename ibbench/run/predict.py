"""Prediction by a run that is done, from its folder alone: no data set, no record, no config."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ibbench.budget.cost import count_saved_bytes
from ibbench.data.graphs import RANDOM_GRAPHS, alter_graph, hide_features
from ibbench.data.molecules import Molecules
from ibbench.data.pack import ATOMIC_NUMBER, count_elements, pack_smiles, resize
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.record.folder import WEIGHTS
from ibbench.training.device import choose_device
from ibbench.training.replicas import PREDICTION_BATCH, Replica, Replicas
from ibbench.training.weights import Weights, read_weights

_BATCH_BYTES = 2**29  # of activations that all replicas together may take at a time
_SMILES_BLOCK = 8192  # whose features are in memory at a time


def load_predictor(folder: Path | str, device: str = "auto") -> "Predictor":
    """Read the models of a run from its folder.

    Args:
        folder: the folder of a run, such as `results/quick/runs/mlp-21994f255c`.
        device: the device to predict on: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputError: there are no weights, they cannot be read or predict no new molecules, or there is no such device.
    """
    path = Path(folder) / WEIGHTS
    weights = read_weights(path)
    if weights.facts.graph in RANDOM_GRAPHS:
        raise InputError(
            f"{path} was trained with data.graph={weights.facts.graph}, which alters a molecule at random by its place "
            "in the data set: a new molecule has none"
        )
    try:
        return Predictor(weights, choose_device(device))
    except ValueError as error:
        raise InputError(
            f"{path} cannot be used: {error}. It was trained by another version of ibbench; rerun=true trains it anew"
        ) from None


class Predictor:
    """The replicas of a run, which predict molecules in the units of their targets.

    Attributes:
        replicas: target and seed of each of the R rows of a prediction.
        units: of each row.
        hydrogens: how the features of the molecules are to be computed.

    Raises:
        ValueError: the weights are not those of their model.
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        facts = weights.facts
        self.replicas: list[Replica] = list(facts.replicas)
        self.units = list(facts.units)
        self.hydrogens = facts.hydrogens
        self._facts, self._scaling = facts, weights.scaling
        self._model = get_model(facts.options.name)
        self._reads = self._model.reads_with(facts.options)
        seeds = [seed for _, seed in facts.replicas]
        self._models = Replicas.from_weights(
            facts.options, facts.num_atoms, seeds, weights.models, device, facts.precision
        )

    def predict(self, molecules: Molecules) -> Tensor:
        """Predict molecules, float64 `[R, m]` on the CPU.

        Args:
            molecules: `[m, ...]` with features as counts, hydrogens as `hydrogens` says, and what the model reads.

        Raises:
            InputError: they lack what the model reads, are too large for it, or have an element that was in no train
                molecule.
        """
        return self._predict(molecules)

    def predict_smiles(self, smiles: Sequence[str]) -> Tensor:
        """Predict molecules given as SMILES, float64 `[R, m]` on the CPU.

        Raises:
            InputError: the model reads coordinates, RDKit cannot parse one of them, or it is none that `predict` takes.
        """
        if "positions" in self._reads:
            raise InputError(f"`{self._facts.options.name}` reads coordinates, which a SMILES does not have")
        done = [torch.empty(len(self.replicas), 0, dtype=torch.float64)]
        for start in range(0, len(smiles), _SMILES_BLOCK):
            block = list(smiles[start : start + _SMILES_BLOCK])
            done.append(self._predict(pack_smiles(block, self.hydrogens), block))
        return torch.cat(done, dim=1)

    def _predict(self, molecules: Molecules, smiles: Sequence[str] = ()) -> Tensor:
        self._check(molecules, smiles)
        if not len(molecules.mask):
            return torch.empty(len(self.replicas), 0, dtype=torch.float64)
        composition = count_elements(molecules, self._facts.elements, self.hydrogens)
        normalised = self._models.predict(self._batches(molecules))
        references, explained = self._scaling.references(composition), self._scaling.explained(composition)
        return self._scaling.restore(normalised, references, explained)

    def _batches(self, molecules: Molecules) -> Iterator[Molecules]:
        """Hand out the molecules as the model is to see them, as many at a time as the memory is meant for."""
        if not self._model.any_size:
            molecules = resize(molecules, self._facts.num_atoms)
        each = count_saved_bytes(molecules.padding, self._facts.options) * len(self.replicas)
        chunks = torch.arange(len(molecules.mask)).split(min(PREDICTION_BATCH, max(1, _BATCH_BYTES // each)))
        return map(functools.partial(self._prepare, molecules), chunks)

    def _prepare(self, molecules: Molecules, index: Tensor) -> Molecules:
        batch = hide_features(alter_graph(molecules.select(index), self._facts.graph), self._facts.feature_set)
        return batch.keep(self._reads).to(self._models.device)

    def _check(self, molecules: Molecules, smiles: Sequence[str]) -> None:
        model, facts = f"`{self._facts.options.name}`", self._facts
        for field in sorted(self._reads - {"atoms"}):
            if not getattr(molecules, field).shape[-1]:
                raise InputError(f"{model} reads {field}, which these molecules lack")
        if "positions" in self._reads:
            _refuse(molecules.positions.isnan().flatten(1).any(1), smiles, f"has no coordinates, which {model} reads")
        if not self._model.any_size:
            limit = f"{facts.num_atoms} atoms (hydrogens {facts.hydrogens})"
            _refuse(
                molecules.mask.sum(1) > facts.num_atoms,
                smiles,
                f"is too large: {model} takes molecules of at most {limit}, the largest of those it was trained with",
            )
        of_elements = self._scaling.reference_per_element.any(1) | self._scaling.slope_per_element.any(1)
        known_by_element = of_elements.tolist()
        if any(known_by_element):
            elements = torch.tensor([0, *facts.elements])
            unknown = ~torch.isin(molecules.atoms[..., ATOMIC_NUMBER].long(), elements).all(1)
            target = self.replicas[known_by_element.index(True)].target
            _refuse(unknown, smiles, f"has an element that was in no train molecule: its part in {target} is not known")


def _refuse(wrong: Tensor, smiles: Sequence[str], reason: str) -> None:
    """Refuse the first of the molecules that are wrong, bool `[m]`, by its SMILES if they are given."""
    if wrong.any():
        index = int(wrong.nonzero()[0])
        raise InputError(f"{f'`{smiles[index]}`' if smiles else f'molecule {index}'} {reason}")
