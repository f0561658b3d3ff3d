"""Prediction by a run that is done, from its folder alone: no data set, no record, no config."""

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ibbench.budget.cost import count_flops
from ibbench.data.graphs import RANDOM_GRAPHS, alter_graph, hide_features, shown_features
from ibbench.data.layout import ATOMIC_NUMBER, MAX_ATOMS, Padding
from ibbench.data.molecules import Molecules
from ibbench.data.pack import count_elements, pack_smiles, resize
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.record.folder import WEIGHTS
from ibbench.training.atom_scaling import fit_places, place_elements, restore_atoms
from ibbench.training.chunk import choose_chunk
from ibbench.training.compiled import CompiledForward, pays_to_predict
from ibbench.training.device import choose_device
from ibbench.training.replicas import Replica, Replicas
from ibbench.training.weights import Weights, read_weights

_SMILES_BLOCK = 8192  # SMILES whose features are in memory at a time
_SIZES = range(12, MAX_ATOMS + 1, 4)  # molecules are padded to the next of these numbers of atoms


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


class Faults(NamedTuple):
    """The molecules, of m, that a run cannot predict.

    Attributes:
        too_large: whether a molecule has more atoms than the model takes, bool `[m]`.
        without_place: whether a molecule lacks coordinates that the model reads, bool `[m]`.
        of_unknown_element: whether a molecule has an element that no train molecule had, and whose contribution to the
            target of a replica is therefore not known, bool `[R, m]`.
    """

    too_large: Tensor
    without_place: Tensor
    of_unknown_element: Tensor


class Predictor:
    """The replicas of a run, which predict molecules in the units of their targets; of classes probabilities of 1.

    Attributes:
        replicas: target and seed of each of the R rows of a prediction.
        units: unit of each row.
        model: name of the model.
        hydrogens: `implicit` or `explicit`: how the features of molecules must be computed.
        layout: which features they must be, a name of `LAYOUTS`.
        reads: fields of `Molecules` that the model reads, of `atoms`, `bonds`, `positions` and `tokens`.
        most_atoms: largest number of atoms that the model takes; None if there is no limit.
        of_atoms: whether the targets have a value per atom: predictions are then `[R, m, N]`, NaN where there is none.
        models: the replicas; their input is the result of `prepare`.

    Raises:
        ValueError: the weights do not fit the model.
    """

    def __init__(self, weights: Weights, device: torch.device) -> None:
        facts = weights.facts
        self.replicas: list[Replica] = list(facts.replicas)
        self.units = list(facts.units)
        self.hydrogens, self.layout = facts.hydrogens, facts.layout
        self._facts, self._scaling = facts, weights.scaling
        self._model = get_model(facts.options.name)
        self.model = facts.options.name
        self.of_atoms = facts.options.output == "atoms"
        self.reads = self._model.reads_with(facts.options)
        self.most_atoms = None if self._model.any_size else facts.num_atoms
        seeds = [seed for _, seed in facts.replicas]
        self.models = Replicas.from_weights(
            facts.options, facts.padding, seeds, weights.models, device, facts.precision
        )
        self._compiled: dict[Padding, CompiledForward] = {}

    def predict(self, molecules: Molecules) -> Tensor:
        """Predict molecules, float64 `[R, m]` on the CPU, in the units of the rows.

        Args:
            molecules: `[m, ...]`, with features as counts, hydrogens and features as in `hydrogens` and `layout`, and
                the fields in `reads`.

        Raises:
            InputError: molecules lack a field that the model reads, are too large for it, or have an element that was
                in no train molecule.
        """
        self._check(molecules, ())
        return self._predict(molecules)

    def predict_possible(self, molecules: Molecules) -> tuple[Tensor, Faults]:
        """Predict the molecules that can be predicted, and find out why others cannot.

        Args:
            molecules: molecules as for `predict`. Their sizes may differ much: each is padded to little more than its
                own.

        Returns:
            Predictions, float64 `[R, m]` on the CPU, in the units of the rows, NaN where there is none; and the faults.

        Raises:
            InputError: molecules lack a field that the model reads.
        """
        self._check_fields(molecules)
        faults = self.find_faults(molecules)
        possible = ~(faults.too_large | faults.without_place)
        predicted = self._blank(molecules)
        for size, index in self._by_size(molecules, possible):
            found = self._predict(resize(molecules.select(index), size))
            predicted[:, index] = fit_places(found, predicted.shape[2]) if self.of_atoms else found
        unknown = faults.of_unknown_element
        return predicted.masked_fill(unknown[..., None] if self.of_atoms else unknown, torch.nan), faults

    def compile_for(self, sample: Molecules, count: int) -> None:
        """Let `predict_possible` compile its work on molecules of those sizes of which many are to come.

        Which sizes these are depends on the arguments alone, and compiling changes predictions by rounding only.

        Args:
            sample: a few of the molecules that are to come.
            count: number of all that are to come.
        """
        from ibbench.training.step import (
            compiler,
        )  # it brings parts of the data sets, which other predictions do not need

        options = self._facts.options
        if self.models.device.type != "cpu" or self._facts.precision != "float32" or not self._model.compiles:
            return
        numbers: Counter[Padding] = Counter()
        for size, index in self._by_size(sample, ~self.find_faults(sample).too_large):
            numbers[self.pad(resize(sample.select(index[:1]), size)).padding] += len(index)
        for padding, number in numbers.items():
            flops = count_flops(padding, options) * len(self.replicas)
            if compiler() and pays_to_predict(count * number / len(sample.mask), flops):
                self._compiled[self._read(padding)] = CompiledForward(self.models, self.most_at_a_time(padding))

    def _by_size(self, molecules: Molecules, possible: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield the numbers of atoms to pad molecules to, and for each the places of its molecules, int64 `[m]`."""
        sizes = molecules.mask.sum(1)
        below = 0
        for size in sorted({*_SIZES, self._facts.num_atoms}):
            index = ((sizes > below) & (sizes <= size) & possible).nonzero().flatten()
            below = size
            if len(index):
                yield size, index

    def predict_smiles(self, smiles: Sequence[str]) -> Tensor:
        """Predict molecules given as SMILES, float64 `[R, m]` on the CPU, in the units of the rows.

        Raises:
            InputError: the model reads coordinates, RDKit cannot parse a SMILES, or `predict` refuses a molecule.
        """
        if "positions" in self.reads:
            raise InputError(f"`{self._facts.options.name}` reads coordinates, which a SMILES does not have")
        places = (1,) if self.of_atoms else ()
        done = [torch.empty(len(self.replicas), 0, *places, dtype=torch.float64)]
        for start in range(0, len(smiles), _SMILES_BLOCK):
            block = list(smiles[start : start + _SMILES_BLOCK])
            molecules = pack_smiles(block, self.hydrogens, self.layout)
            self._check(molecules, block)
            done.append(self._predict(molecules))
        if self.of_atoms:
            most = max(part.shape[2] for part in done)
            done = [fit_places(part, most) for part in done]
        return torch.cat(done, dim=1)

    def _predict(self, molecules: Molecules) -> Tensor:
        if not len(molecules.mask):
            return self._blank(molecules)
        padded = self.pad(molecules)
        chunks = torch.arange(len(padded.mask)).split(self.most_at_a_time(padded.padding))
        batches = map(functools.partial(self.prepare, padded), chunks)
        compiled = self._compiled.get(self._read(padded.padding))
        found = self.models.predict(batches, compiled)
        if self.of_atoms:
            found = fit_places(found, molecules.mask.shape[1])
        return self.restore(found, molecules)

    def _blank(self, molecules: Molecules) -> Tensor:
        """Return the place for predictions of molecules, all NaN."""
        shape = molecules.mask.shape if self.of_atoms else molecules.mask.shape[:1]
        return torch.full((len(self.replicas), *shape), torch.nan, dtype=torch.float64)

    def restore(self, normalised: Tensor, molecules: Molecules) -> Tensor:
        """Map normalised predictions to the units of the targets, of classes to probabilities, float64 `[R, m]`.

        Args:
            normalised: outputs of the replicas, `[R, m]`; of targets of atoms `[R, m, N]`, as is what is returned, NaN
                where there is no atom.
            molecules: the predicted molecules, `[m, ...]`. For some targets a sum over their atoms is added.
        """
        if self.of_atoms:
            values = restore_atoms(self._scaling, normalised, place_elements(molecules.atoms, self._facts.elements))
            return values.masked_fill(~molecules.mask, torch.nan)
        composition = count_elements(molecules, self._facts.elements, self.hydrogens)
        references, explained = self._scaling.references(composition), self._scaling.explained(composition)
        values = self._scaling.restore(normalised, references, explained)
        is_class = self._facts.is_class[:, None]
        return torch.where(is_class, values.sigmoid(), values) if is_class.any() else values

    def most_at_a_time(self, padding: Padding) -> int:
        """Return the number of molecules to predict at a time, given the sizes that they are padded to."""
        return choose_chunk(self._read(padding), self._facts.options, len(self.replicas), self.models.device)

    def _read(self, padding: Padding) -> Padding:
        """Return sizes without that of the tokens, if the model does not read these."""
        return padding if "tokens" in self.reads else padding._replace(num_tokens=1)

    def pad(self, molecules: Molecules) -> Molecules:
        """Return molecules, none of which is too large for the model, with the padding that the model needs."""
        return molecules if self._model.any_size else resize(molecules, self._facts.num_atoms)

    def prepare(self, molecules: Molecules, index: Tensor) -> Molecules:
        """Select molecules and turn them into the input of the models: altered as in training, and on their device.

        Args:
            molecules: padded molecules, `[m, ...]`, with features as counts.
            index: places of the molecules to select, int64 `[b]`.
        """
        batch = hide_features(alter_graph(molecules.select(index), self._facts.graph), self._facts.feature_set)
        return batch.keep(self.reads).to(self.models.device)

    def mean_features(self) -> Tensor:
        """Return the mean over train atoms of each feature, `[R, F]`; 0 for features that the run has hidden.

        Raises:
            InputError: the run was trained without standardised features, so that its weights do not say.
        """
        mean = self.models.buffers["atom_mean"]
        if not mean.any():
            raise InputError(
                f"`{self.model}` was trained with data.standardise=false and does not keep the mean features of train "
                "atoms, by which atoms are hidden: expected runs with data.standardise=true"
            )
        return mean * shown_features(self._facts.feature_set, mean.shape[-1]).to(mean.device)

    def find_faults(self, molecules: Molecules) -> Faults:
        """Find the molecules that cannot be predicted, among molecules that have all fields in `reads`."""
        atoms, mask = molecules.atoms, molecules.mask
        none = torch.zeros(len(mask), dtype=torch.bool)
        large = mask.sum(1) > self.most_atoms if self.most_atoms else none
        nowhere = molecules.positions.isnan().flatten(1).any(1) if "positions" in self.reads else none
        # An atom without an element, `*`, has number 0 and no part in any count.
        known = torch.isin(atoms[..., ATOMIC_NUMBER].long(), torch.tensor([0, *self._facts.elements]))
        return Faults(large, nowhere, self._by_element()[:, None] & (~known & mask).any(1))

    def _by_element(self) -> Tensor:
        """Return for each replica whether each element adds a constant of its own to the target, bool `[R]`."""
        return self._scaling.reference_per_element.any(1) | self._scaling.slope_per_element.any(1)

    def _check_fields(self, molecules: Molecules) -> None:
        for field in sorted(self.reads - {"atoms"}):
            if not getattr(molecules, field).shape[-1]:
                raise InputError(f"`{self.model}` reads {field}, which these molecules lack")

    def _check(self, molecules: Molecules, smiles: Sequence[str]) -> None:
        self._check_fields(molecules)
        faults = self.find_faults(molecules)
        _refuse(faults.without_place, smiles, f"has no coordinates, which `{self.model}` reads")
        limit = f"{self.most_atoms} atoms (hydrogens {self.hydrogens}), the largest of those it was trained with"
        _refuse(
            faults.too_large,
            smiles,
            f"is too large: `{self.model}` takes molecules of at most {limit}",
        )
        if faults.of_unknown_element.any():
            target = self.replicas[int(self._by_element().nonzero()[0])].target
            reason = f"has an element that was in no train molecule: its part in {target} is not known"
            _refuse(faults.of_unknown_element.any(0), smiles, reason)


def _refuse(wrong: Tensor, smiles: Sequence[str], reason: str) -> None:
    """Raise an error for the first molecule that is wrong, if any.

    Args:
        wrong: whether a molecule is wrong, bool `[m]`.
        smiles: SMILES of the molecules, for the message; may be empty.
        reason: end of the message.

    Raises:
        InputError: a molecule is wrong.
    """
    if wrong.any():
        index = int(wrong.nonzero()[0])
        raise InputError(f"{f'`{smiles[index]}`' if smiles else f'molecule {index}'} {reason}")
