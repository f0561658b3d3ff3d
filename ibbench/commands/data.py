"""`ibbench data`: counts, targets, and single molecules of a data set."""

import math
from collections.abc import Callable

import torch
from rich.console import Console

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.layout import ATOM_FEATURES, BOND_TYPES, LAYOUTS, layout_of
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack_features
from ibbench.data.repeats import count_contradicting, count_repeats, describe_labels, describe_repeats
from ibbench.data.sources import find_references
from ibbench.data.unseen import count_unseen, describe_unseen
from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.models.registry import get_model
from ibbench.options.compose import compose_config
from ibbench.report import screen
from ibbench.report.cells import figure
from ibbench.report.document import Points, Remark, Shape, Table
from ibbench.run.sight import name_sight
from ibbench.terminal import mention, say

_SHORT = {"atomic_number": "Z", "aromatic": "ar", "num_hydrogens": "nH"}


def load(overrides: list[str]) -> DataSet:
    """Load the data set that a config with these overrides describes."""
    return load_dataset(compose_config(overrides).data, mention)


def prepare(overrides: list[str]) -> None:
    """Build the cache of a data set, or check the one that is there."""
    dataset = load(overrides)
    say(f"{len(dataset):,} molecules ready in {dataset.path}")


def show_dataset(overrides: list[str], console: Console) -> None:
    """Print counts and target statistics of a data set, and name the features and targets that are constant.

    Args:
        overrides: the options of the config that describe the data set.
        console: the terminal to print on.
    """
    dataset = load(overrides)
    facts = [*_facts(dataset), f"targets that are the same everywhere: {', '.join(_dead(dataset)) or 'none'}"]
    screen.show([Points(facts), _statistics(dataset)], console)


def _facts(dataset: DataSet) -> list[str]:
    atoms = dataset.molecules.mask.sum(1)
    bonds = torch.triu(dataset.molecules.bonds != 0).sum((1, 2))
    features = dataset.molecules.atoms[dataset.molecules.mask]
    names = LAYOUTS[dataset.layout]
    constant = [name for name, low, high in zip(names, features.amin(0), features.amax(0), strict=True) if low == high]
    absent = [name for code, name in enumerate(BOND_TYPES, 1) if not (dataset.molecules.bonds == code).any()]
    parted = sum("." in text for text in dataset.smiles)
    odd = ", ".join(f"{count:,} {kind}" for kind, count in sorted(dataset.odd_bonds.items()))
    return [
        f"{len(dataset):,} molecules from {dataset.source}, hydrogens {dataset.hydrogens}"
        + (f"; {dataset.rejected:,} rows left out" if dataset.rejected else ""),
        f"{int(atoms.sum()):,} atoms: {atoms.float().mean():.2f} a molecule, at most {int(atoms.max())}",
        f"{int(bonds.sum()):,} bonds: {bonds.float().mean():.2f} a molecule",
        *filter(None, [describe_labels(dataset)]),
        describe_repeats(count_repeats(dataset), count_contradicting(dataset)) or "no molecule is there twice",
        f"atom features that are the same everywhere: {', '.join(constant) or 'none'}",
        f"bond types that never occur: {', '.join(absent) or 'none'}",
        *([f"bonds of other kinds, read as single (quadruple: as triple): {odd}"] if odd else []),
        *([f"molecules of several parts, such as salts: {parted:,}"] if parted else []),
        *_unseen(dataset),
        *(f"cite: {reference}" for reference in find_references(dataset.source)),
        f"cache: {dataset.path} ({dataset.path.stat().st_size / 1e6:.1f} MB)",
    ]


def _unseen(dataset: DataSet) -> list[str]:
    """Say which properties of molecules, such as charges, some models do not see, and count the molecules with each."""
    counts = count_unseen(dataset.unseen, dataset.values.numpy(), dataset.layout)
    marks = "".join(f"; {name}: {count:,}" for name, count in counts.marks.items()) if len(counts.marks) > 1 else ""
    told = describe_unseen(counts, {name: name_sight(get_model(name).reads) for name in model_names()})
    return [told[0].removesuffix(".") + marks, *told[1:]] if told else []


def _dead(dataset: DataSet) -> list[str]:
    """Name the targets that have one value for all molecules, or none."""
    labels = [_labels(dataset, column) for column in range(len(dataset.targets))]
    return [
        target.name
        for target, values in zip(dataset.targets, labels, strict=True)
        if not len(values) or values.amin() == values.amax()
    ]


def _labels(dataset: DataSet, column: int) -> torch.Tensor:
    """Return the labels of a target that are there, float64 `[m]`."""
    values = dataset.values[:, column]
    return values[~values.isnan()]


def _statistics(dataset: DataSet) -> Table:
    rows = []
    for position, target in enumerate(dataset.targets):
        values = _labels(dataset, position)
        figures: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
            "mean": torch.mean,
            "std": lambda given: given.std(correction=0),
            "min": torch.amin,
            "median": lambda given: given.quantile(0.5),
            "max": torch.amax,
        }
        cells = {name: f"{find(values):.6g}" if len(values) else "" for name, find in figures.items()}
        rows.append({"target": target.name, "unit": "0 or 1" if target.is_class else target.unit} | cells)
    return Table(rows, "Targets")


def show_molecule(molecule: str, overrides: list[str], console: Console) -> None:
    """Print the atoms, bonds and targets of one molecule.

    Args:
        molecule: an index into the data set, or any SMILES; targets are shown if the data set has the molecule.
        overrides: the options of the config that say where to look.
        console: the terminal to print on.

    Raises:
        InputError: the index is out of range, or RDKit cannot parse the SMILES.
    """
    dataset = load(overrides)
    if molecule.isascii() and molecule.isdecimal():
        index: int | None = int(molecule)
        if int(molecule) >= len(dataset):
            raise InputError(f"`{molecule}` is not a molecule: expected 0 to {len(dataset) - 1}, or a SMILES")
        one = dataset.molecules.select(torch.tensor(int(molecule)))
    else:
        one, index = _find(molecule, dataset)
    title = f"{molecule}: not in the data set"
    shapes: list[Shape] = [_atoms(one), _bonds(one)]
    if index is not None:
        title = f"{dataset.smiles[index]}: index {index}, id {int(dataset.ids[index])} of {dataset.source}"
        shapes.append(_values(dataset, index))
    screen.show([Remark(title), *shapes], console)


def _atoms(molecule: Molecules) -> Table:
    size = int(molecule.mask.sum())
    heading = f"{size} atoms (Z: atomic number, ar: aromatic, nH: attached hydrogens; x, y, z in angstrom)"
    rows = []
    names = LAYOUTS[layout_of(molecule.padding.num_features)]
    for row in range(size):
        features = dict(zip(names, molecule.atoms[row].tolist(), strict=True))
        place = zip("xyz", molecule.positions[row].tolist(), strict=True)
        rows.append(
            {"atom": str(row)}
            | {_SHORT.get(name, name): str(features.pop(name)) for name in ATOM_FEATURES}
            | _list_further(features)
            | {axis: f"{value:.4f}" if value == value else "" for axis, value in place}
        )
    return Table(rows, heading, text={"atom", "further"})


def _list_further(features: dict[str, int]) -> dict[str, str]:
    """Return one cell with the features beyond those of QM9 that an atom has; no cell where there are none to have."""
    had = [name if value == 1 else f"{name} {value}" for name, value in features.items() if value]
    return {"further": ", ".join(had)} if features else {}


def _bonds(molecule: Molecules) -> Table:
    pairs = torch.triu(molecule.bonds).nonzero().tolist()
    rows = [
        {"from": str(first), "to": str(second), "bond": BOND_TYPES[int(molecule.bonds[first, second]) - 1]}
        for first, second in pairs
    ]
    header = ("from", "to", "bond")
    return Table(rows, f"{len(pairs)} bonds", text=header, header=header)


def _values(dataset: DataSet, index: int) -> Table:
    values = zip(dataset.targets, dataset.values[index].tolist(), strict=True)
    rows = [
        {"target": target.name, "unit": target.value_unit, "value": "" if math.isnan(value) else _in_figures(value)}
        for target, value in values
    ]
    return Table(rows, "Targets")


def _in_figures(value: float) -> str:
    return f"{value:.4f}" if not value or 0.01 <= abs(value) < 1e6 else figure(value, 5)


def _find(smiles: str, dataset: DataSet) -> tuple[Molecules, int | None]:
    """Return the molecule that a SMILES stands for, and its index in the data set, or None if it is not there."""
    from rdkit import Chem

    from ibbench.data.featurize import canonical_smiles, featurize

    features = featurize([smiles], dataset.hydrogens, dataset.layout)
    if not features.num_atoms[0]:
        raise InputError(f"`{smiles}` is neither an index nor a SMILES that RDKit can parse")
    one = pack_features(*features, [smiles]).select(torch.tensor(0))
    wanted = canonical_smiles(Chem.MolFromSmiles(smiles))
    # Two entries can be one molecule only if their sums of features agree. Canonical SMILES of all would take long.
    same = (dataset.molecules.atoms.sum(1) == one.atoms.sum(0)).all(1)
    for index in same.nonzero().flatten().tolist():
        if canonical_smiles(Chem.MolFromSmiles(dataset.smiles[index])) == wanted:
            return dataset.molecules.select(torch.tensor(index)), index
    return one, None
