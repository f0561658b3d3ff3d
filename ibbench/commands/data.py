"""`ibbench data`: counts, targets, and single molecules of a data set."""

import torch
from rich.console import Group, RenderableType
from rich.text import Text

from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.layout import ATOM_FEATURES, BOND_TYPES
from ibbench.data.molecules import Molecules
from ibbench.data.pack import pack
from ibbench.errors import InputError
from ibbench.options.compose import compose_config
from ibbench.terminal import narrow_table, say

_SHORT = {"atomic_number": "Z", "aromatic": "ar", "num_hydrogens": "nH"}


def load(overrides: list[str]) -> DataSet:
    """Load the data set that a config with these overrides describes."""
    return load_dataset(compose_config(overrides).data, say)


def describe_dataset(dataset: DataSet) -> RenderableType:
    """Tabulate counts, targets, and the features that carry no information."""
    atoms = dataset.molecules.mask.sum(1)
    bonds = torch.triu(dataset.molecules.bonds != 0).sum((1, 2))
    repeats = len(dataset) - len(set(dataset.smiles))
    features = dataset.molecules.atoms[dataset.molecules.mask]
    constant = [
        name for name, low, high in zip(ATOM_FEATURES, features.amin(0), features.amax(0), strict=True) if low == high
    ]
    absent = [name for code, name in enumerate(BOND_TYPES, 1) if not (dataset.molecules.bonds == code).any()]
    facts = [
        f"{len(dataset):,} molecules from {dataset.source}, hydrogens {dataset.hydrogens}"
        + (f"; {dataset.rejected:,} rows left out" if dataset.rejected else ""),
        f"{int(atoms.sum()):,} atoms: {atoms.float().mean():.2f} a molecule, at most {int(atoms.max())}",
        f"{int(bonds.sum()):,} bonds: {bonds.float().mean():.2f} a molecule",
        f"molecules that repeat an earlier SMILES: {repeats:,}",
        f"atom features that are the same everywhere: {', '.join(constant) or 'none'}",
        f"bond types that never occur: {', '.join(absent) or 'none'}",
        f"cache: {dataset.path} ({dataset.path.stat().st_size / 1e6:.1f} MB)",
    ]
    shown = narrow_table("Targets", ("target", "unit"), ("mean", "std", "min", "median", "max"))
    dead = []
    for position, target in enumerate(dataset.targets):
        values = dataset.values[:, position]
        spread = values.std(correction=0)
        statistics = (values.mean(), spread, values.amin(), values.median(), values.amax())
        shown.add_row(target.name, target.unit, *(f"{value:.6g}" for value in statistics))
        dead += [] if spread > 0 else [target.name]
    facts.append(f"targets that are the same everywhere: {', '.join(dead) or 'none'}")
    return Group(*(Text(fact) for fact in facts), shown)


def describe_molecule(molecule: str, dataset: DataSet) -> RenderableType:
    """Tabulate the atoms, bonds and targets of one molecule.

    Args:
        molecule: an index into the data set, or any SMILES; targets are shown when it is in the data set.
        dataset: where to look.

    Raises:
        InputError: the index is out of range, or RDKit cannot parse the SMILES.
    """
    if molecule.isdecimal():
        index: int | None = int(molecule)
        if int(molecule) >= len(dataset):
            raise InputError(f"`{molecule}` is not a molecule: expected 0 to {len(dataset) - 1}, or a SMILES")
        one = dataset.molecules.select(torch.tensor(int(molecule)))
    else:
        one, index = _find(molecule, dataset)
    size = int(one.mask.sum())
    title = f"{molecule}: not in the data set"
    if index is not None:
        title = f"{dataset.smiles[index]}: index {index}, id {int(dataset.ids[index])} of {dataset.source}"
    features = tuple(_SHORT.get(name, name) for name in ATOM_FEATURES)
    heading = f"{size} atoms (Z: atomic number, ar: aromatic, nH: attached hydrogens; x, y, z in angstrom)"
    atoms = narrow_table(heading, ("atom",), (*features, "x", "y", "z"))
    for row in range(size):
        place = [f"{value:.4f}" if value == value else "" for value in one.positions[row].tolist()]
        atoms.add_row(str(row), *(str(value) for value in one.atoms[row].tolist()), *place)
    pairs = torch.triu(one.bonds).nonzero().tolist()
    bonds = narrow_table(f"{len(pairs)} bonds", ("from", "to", "bond"), ())
    for first, second in pairs:
        bonds.add_row(str(first), str(second), BOND_TYPES[int(one.bonds[first, second]) - 1])
    parts: list[RenderableType] = [Text(title), atoms, bonds]
    if index is not None:
        values = narrow_table("Targets", ("target", "unit"), ("value",))
        for target, value in zip(dataset.targets, dataset.values[index].tolist(), strict=True):
            values.add_row(target.name, target.unit, f"{value:.4f}")
        parts.append(values)
    return Group(*parts)


def _find(smiles: str, dataset: DataSet) -> tuple[Molecules, int | None]:
    """Return the features of a SMILES, or the molecule itself and its index where the data set has it."""
    from rdkit import Chem

    from ibbench.data.featurize import featurize

    features = featurize([smiles], dataset.hydrogens)
    if not features.num_atoms[0]:
        raise InputError(f"`{smiles}` is neither an index nor a SMILES that RDKit can parse")
    one = pack(*features, [smiles]).select(torch.tensor(0))
    wanted = Chem.CanonSmiles(smiles)
    # Only molecules with the same sums of features can be the same: canonical SMILES of all would take long.
    same = (dataset.molecules.atoms.sum(1) == one.atoms.sum(0)).all(1)
    for index in same.nonzero().flatten().tolist():
        if Chem.CanonSmiles(dataset.smiles[index]) == wanted:
            return dataset.molecules.select(torch.tensor(index)), index
    return one, None
