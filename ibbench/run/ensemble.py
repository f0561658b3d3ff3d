"""The replicas of a model as an ensemble: mean and deviation over seeds, and predictions that should not be trusted."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibbench.baselines.pairs import is_pair
from ibbench.data.domain import Domain, merge_domains, rdkit_version, read_domain
from ibbench.data.layout import ATOMIC_NUMBER, HYDROGEN, MAX_ATOMS, NUM_HYDROGENS
from ibbench.errors import InputError
from ibbench.record.folder import DOMAIN
from ibbench.run.batch import Batch
from ibbench.run.predict import Faults, Predictor, load_predictor
from ibbench.run.refit import PairPredictor

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Column(NamedTuple):
    """One target that an ensemble predicts.

    Attributes:
        ensemble: name of the ensemble.
        target: short name of the target.
        unit: unit of mean and deviation.
        num_seeds: number of replicas that mean and deviation are taken over.
        of_atoms: whether the target has a value per atom.
    """

    ensemble: str
    target: str
    unit: str
    num_seeds: int
    of_atoms: bool = False


class OfAtoms(NamedTuple):
    """Mean and sample standard deviation over seeds for each atom of M molecules, float64 `[M, N]` each.

    They are NaN where there is no atom, or nothing is predicted; the deviation also for a single seed. `elements` has
    the symbol of each atom, `[M, N]`, empty where there is none.
    """

    mean: Floats
    deviation: Floats
    elements: NDArray[np.str_]


class Answer(NamedTuple):
    """What an ensemble says of M molecules.

    Attributes:
        mean: mean over seeds, float64 `[C, M]`, in the units of the columns; NaN where nothing is predicted. In columns
            of targets of atoms it is the mean over the atoms, too.
        deviation: sample standard deviation over seeds, likewise; NaN also for a single seed, and for targets of atoms.
        atoms: the figures of single atoms, by the place of the column of their target.
        notes: notes on single molecules.
    """

    mean: Floats
    deviation: Floats
    atoms: dict[int, OfAtoms]
    notes: list["Note"]


class Note(NamedTuple):
    """A reason why the prediction of a molecule should not be trusted, or is missing.

    Attributes:
        kind: one of the keys of `KINDS`.
        place: place of the molecule in its batch, from 0.
        text: the reason in words.
    """

    kind: str
    place: int
    text: str


KINDS = {
    "unread": "cannot be read",
    "large": "are too large for a model",
    "geometry": "have no geometry that ETKDG finds",
    "element": "have an element that no train molecule has",
    "unpredicted": "have an element whose part in a target is not known",
    "size": "have a number of atoms that no train molecule has",
    "charge": "have a charge that no train molecule has",
    "train": "were train molecules",
}


class Ensemble:
    """The replicas of one or more runs that differ in targets and seeds only.

    Args:
        name: name of the ensemble; empty for the name of its model.
        folders: folders of the runs. A replica that several runs have counts once.
        device: the device to predict on, see `load_predictor`.

    Attributes:
        name: name of the ensemble.
        columns: the targets that it predicts, C of them.
        domain: elements, sizes and charges of its train molecules; None if a run was trained before these were kept.

    Raises:
        InputError: see `load_predictor` and `read_domain`.
    """

    def __init__(self, name: str, folders: Sequence[Path], device: str) -> None:
        first = name.partition(" ")[0]  # what follows tells variants apart
        self._predictors: list[Predictor | PairPredictor] = [
            PairPredictor(folder, first) if is_pair(first) else load_predictor(folder, device) for folder in folders
        ]
        self.name = name or self._predictors[0].model
        domains = [read_domain(folder / DOMAIN) for folder in folders]
        known = [domain for domain in domains if domain is not None]
        self.domain: Domain | None = merge_domains(known) if len(known) == len(domains) else None
        self._rows: dict[str, dict[int, tuple[int, int]]] = {}  # by target and seed: predictor, row
        units: dict[str, str] = {}
        for number, predictor in enumerate(self._predictors):
            for row, ((target, seed), unit) in enumerate(zip(predictor.replicas, predictor.units, strict=True)):
                if units.setdefault(target, unit) != unit:
                    raise InputError(f"{folders[number]} predicts {target} in {unit}, other runs in {units[target]}")
                self._rows.setdefault(target, {}).setdefault(seed, (number, row))
        self.columns = [
            Column(self.name, target, units[target], len(seeds), self._is_of_atoms(seeds))
            for target, seeds in self._rows.items()
        ]

    def _is_of_atoms(self, seeds: dict[int, tuple[int, int]]) -> bool:
        predictor = self._predictors[next(iter(seeds.values()))[0]]
        if not isinstance(predictor, Predictor) or not predictor.of_atoms:
            return False
        if "positions" in predictor.reads:
            raise InputError(
                f"`{predictor.model}` reads coordinates, which are computed for atoms in another order than that of a "
                f"SMILES: its {predictor.replicas[0].target} of single atoms is not predicted. Expected another --model"
            )
        return True

    @property
    def needs_geometry(self) -> bool:
        """Whether the model reads coordinates, which a SMILES does not have."""
        return any("positions" in predictor.reads for predictor in self._predictors)

    @property
    def hydrogens(self) -> str:
        """Whether hydrogens are atoms of their own: `implicit` or `explicit`."""
        return self._predictors[0].hydrogens

    @property
    def reads_tokens(self) -> bool:
        """Whether the model reads the tokens of the SMILES instead of the atoms."""
        return any("tokens" in predictor.reads for predictor in self._predictors)

    def replicas(self, target: str) -> dict[int, tuple[Predictor, int]]:
        """Return the predictor that holds each replica of a target, and the replica's row in it, by seed.

        Only trained models have replicas: the dictionary is empty for a pair such as `morgan+ridge`.
        """
        found = {seed: (self._predictors[number], row) for seed, (number, row) in self._rows[target].items()}
        return {seed: (one, row) for seed, (one, row) in found.items() if isinstance(one, Predictor)}

    def compile_for(self, sample: Batch, count: int) -> None:
        """Let the models compile the prediction of molecules like those of a sample, where so many of them are to come.

        Args:
            sample: a few of the molecules that are to come.
            count: number of all that are to come.
        """
        for one in self._predictors:
            if isinstance(one, Predictor):
                found = sample.molecules(one.hydrogens, one.layout, "positions" in one.reads)
                if len(found.places):
                    one.compile_for(found.molecules, count)

    def predict(self, batch: Batch) -> Answer:
        """Predict a batch of M molecules."""
        predicted, notes = [], []
        for predictor in self._predictors:
            values, found = _predict(predictor, batch)
            predicted.append(values)
            notes += found
        mean, deviation = np.full((2, len(self.columns), len(batch)), np.nan)
        atoms = {}
        for place, seeds in enumerate(self._rows.values()):
            values = np.stack([predicted[number][row] for number, row in seeds.values()])
            middle = values.mean(0)
            spread = values.std(0, ddof=1) if len(values) > 1 else np.full_like(middle, np.nan)
            if self.columns[place].of_atoms:
                predictor = self._predictors[next(iter(seeds.values()))[0]]
                atoms[place] = OfAtoms(middle, spread, _elements(batch, predictor, middle.shape))
                present = ~np.isnan(middle)
                known = present.any(1)
                mean[place, known] = np.where(present, middle, 0)[known].sum(1) / present[known].sum(1)
            else:
                mean[place], deviation[place] = middle, spread
        if self.domain:
            notes += _compare(self.domain, batch, self._predictors[0])
        return Answer(mean, deviation, atoms, notes)


def tell_unknown(ensembles: Sequence[Ensemble]) -> list[str]:
    """Say for which ensembles the train molecules are not known, or may not be recognised; empty for none."""
    installed = rdkit_version()
    unknown = [one.name for one in ensembles if one.domain is None]
    elsewhere = {one.name: one.domain.rdkit for one in ensembles if one.domain and one.domain.rdkit != installed}
    told = []
    if unknown:
        told.append(
            f"What {', '.join(unknown)} trained on is not known: older versions kept no {DOMAIN}. So elements, sizes "
            "and charges that no train molecule has, and train molecules, have no remark (rerun=true trains anew)"
        )
    if elsewhere:
        versions = ", ".join(dict.fromkeys(elsewhere.values()))
        told.append(
            f"{', '.join(elsewhere)} trained with RDKit {versions}, and this is {installed}, which may spell molecules "
            "in another way: train molecules may not be recognised"
        )
    return told


def _predict(predictor: Predictor | PairPredictor, batch: Batch) -> tuple[Floats, list[Note]]:
    """Predict the molecules that can be predicted, `[R, M]` with NaN for the others, and note why these cannot.

    For targets of atoms predictions are `[R, M, N]`.
    """
    if isinstance(predictor, PairPredictor):
        values, large, nowhere = predictor.predict(batch)
        why = "not predicted: larger than all molecules it was fitted to, or of other elements"
        notes = [Note("large", place, why) for place in np.flatnonzero(large).tolist()]
        lost = [
            Note("geometry", place, "not predicted: ETKDG finds no geometry")
            for place in np.flatnonzero(nowhere).tolist()
        ]
        return values, [*notes, *lost]
    molecules, places = batch.molecules(predictor.hydrogens, predictor.layout, "positions" in predictor.reads)
    of_atoms = molecules.mask.shape[1:] if predictor.of_atoms else ()
    values = np.full((len(predictor.replicas), len(batch), *of_atoms), np.nan)
    kind, why = "large", f"not predicted: more than {MAX_ATOMS} atoms with its hydrogens"
    if predictor.hydrogens == "implicit":
        kind, why = "geometry", "not predicted: RDKit cannot parse its own spelling of it"
    notes = [Note(kind, place, why) for place in np.setdiff1d(batch.places, places).tolist()]
    if not len(places):
        return values, notes
    found, faults = predictor.predict_possible(molecules)
    values[:, places] = found.numpy()
    return values, [*notes, *_note_faults(predictor, faults, places)]


def _note_faults(predictor: Predictor, faults: Faults, places: NDArray[np.int64]) -> Iterator[Note]:
    for place in places[faults.too_large.numpy()].tolist():
        yield Note("large", place, f"not predicted: more than {predictor.most_atoms} atoms")
    for place in places[(faults.without_place & ~faults.too_large).numpy()].tolist():
        yield Note("geometry", place, "not predicted: ETKDG finds no geometry")
    unknown = faults.of_unknown_element
    for place, of_one in zip(places[unknown.any(0).numpy()].tolist(), unknown[:, unknown.any(0)].T, strict=True):
        targets = dict.fromkeys(
            replica.target for replica, is_it in zip(predictor.replicas, of_one.tolist(), strict=True) if is_it
        )
        yield Note(
            "unpredicted", place, f"{', '.join(targets)} not predicted: the part of an element in it is not known"
        )


def _compare(domain: Domain, batch: Batch, predictor: Predictor | PairPredictor) -> Iterator[Note]:
    """Note elements, sizes and charges that no train molecule has, and molecules that are train molecules."""
    molecules, places = batch.molecules(predictor.hydrogens, predictor.layout)
    numbers, mask = molecules.atoms[..., ATOMIC_NUMBER].numpy(), molecules.mask.numpy()
    elements = np.array(sorted(domain.elements))
    foreign = np.asarray(~np.isin(numbers, elements) & mask)
    attached = np.asarray(molecules.atoms[..., NUM_HYDROGENS].numpy().any(1))
    foreign_hydrogen = np.zeros(len(places), dtype=bool) if HYDROGEN in domain.elements else attached
    for row in np.flatnonzero(foreign.any(1) | foreign_hydrogen).tolist():
        found = {*numbers[row][foreign[row]].tolist(), *([HYDROGEN] if foreign_hydrogen[row] else [])}
        yield Note("element", int(places[row]), f"no train molecule has {_symbols(sorted(found))}")
    sizes = mask.sum(1)
    between = f"they have {min(domain.sizes)} to {max(domain.sizes)}"
    for row in np.flatnonzero(~np.isin(sizes, sorted(domain.sizes))).tolist():
        atoms = "1 atom" if sizes[row] == 1 else f"{sizes[row]} atoms"
        yield Note("size", int(places[row]), f"no train molecule has {atoms} ({between})")
    yield from _compare_charges(domain, batch)
    counts = domain.count_seeds(batch.keys)
    for place in np.flatnonzero(counts).tolist():
        of_seeds = "" if len(domain.seeds) == 1 else f" of {counts[place]} of {len(domain.seeds)} seeds"
        yield Note("train", place, f"train molecule{of_seeds}")


_NEUTRAL = "no train molecule is neutral"


def _compare_charges(domain: Domain, batch: Batch) -> Iterator[Note]:
    for place in batch.places.tolist():
        charges = batch.charges.get(place, [])
        if (total := sum(charges)) not in domain.charges:
            yield Note("charge", place, f"no train molecule has the charge {total:+d}" if total else _NEUTRAL)
        elif unseen := sorted({*charges} - domain.atom_charges):
            listed = ", ".join(f"{charge:+d}" for charge in unseen)
            yield Note("charge", place, f"no train molecule has an atom with the charge {listed}")


def _elements(batch: Batch, predictor: Predictor | PairPredictor, shape: tuple[int, ...]) -> NDArray[np.str_]:
    """Return the symbol of each atom, `[M, N]`, in the order in which a predictor has the atoms."""
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = np.array(["", *(table.GetElementSymbol(number) for number in range(1, 119))])
    molecules, places = batch.molecules(predictor.hydrogens, predictor.layout)
    numbers = np.zeros(shape, dtype=np.int64)
    numbers[places] = molecules.atoms[..., ATOMIC_NUMBER].numpy()
    return known[numbers]


def _symbols(numbers: Iterable[int]) -> str:
    from rdkit import Chem

    return " or ".join(Chem.GetPeriodicTable().GetElementSymbol(number) for number in numbers)
