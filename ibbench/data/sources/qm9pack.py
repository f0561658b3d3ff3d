"""QM9 as the `qm9pack` wheel ships it: 130,831 molecules with 19 targets and their geometry."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ibbench.data.layout import BOND_TYPES, ELEMENTS, Padding
from ibbench.data.sources import AtomRows, Geometry, Rows, Source, register
from ibbench.data.targets import ATOM_REFERENCES_HARTREE, QM9_ATOM_TARGETS, QM9_TARGETS
from ibbench.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from ibbench.data.molecules import Molecules

QM9_PADDING = {"implicit": Padding(9, 28), "explicit": Padding(29, 28)}  # by the option `data.hydrogens`
_RAMAKRISHNAN = (
    "R. Ramakrishnan, P. O. Dral, M. Rupp, O. A. von Lilienfeld: Quantum chemistry structures and properties of 134 "
    "kilo molecules. Scientific Data 1, 140022 (2014). https://doi.org/10.1038/sdata.2014.22"
)
_RUDDIGKEIT = (
    "L. Ruddigkeit, R. van Deursen, L. C. Blum, J.-L. Reymond: Enumeration of 166 billion organic small molecules in "
    "the chemical universe database GDB-17. J. Chem. Inf. Model. 52, 2864-2875 (2012). https://doi.org/10.1021/ci300415d"
)
_CHARGE_ROUNDING = 1e-5  # e; single charges have six decimals, and the largest sum over a molecule is 6e-6
# The names of the wheel's columns, whose misspelling (`Enthalphy`) is the wheel's own.
_COLUMNS = {
    "mu": "Dipole_debye", "alpha": "Polarizability_bohr3", "homo": "HOMO_au", "lumo": "LUMO_au",
    "gap": "HOMO_LUMO_gap_au", "r2": "R2_bohr2", "zpve": "ZPVE_au", "u0": "InternalEnergy_0K_au",
    "u": "InternalEnergy_298K_au", "h": "Enthalphy_298K_au", "g": "GibbsFreeEnergy_298K_au",
    "cv": "Heatcapacity_Cv_cal_mol_K", "a": "RotA_GHz", "b": "RotB_GHz", "c": "RotC_GHz",
}  # fmt: skip


@register("qm9pack")
class Qm9Pack(Source):
    """QM9, from the installed wheel."""

    packages = ("qm9pack",)
    fixed_targets = QM9_TARGETS
    atom_targets = QM9_ATOM_TARGETS
    # 87 of its 130,831 entries are the molecule of an earlier one again, such as the two numberings of methylpyrazine,
    # with values that differ by less than 0.5 % of their standard deviation. Entries are divided one by one all the
    # same, as in the literature on QM9: with the default split, 10 of the 10,000 test molecules are in another part
    # as well.
    keeps_repeats_together = False
    num_molecules = 130_831
    references = (_RAMAKRISHNAN, _RUDDIGKEIT)

    def padding(self) -> Padding:
        """Return the numbers of atoms and tokens that molecules of QM9 are padded to."""
        return QM9_PADDING[self.options.hydrogens]

    def read(self) -> Rows:
        """Read all 130,831 molecules.

        Raises:
            InputError: the wheel is not installed.
        """
        table = _read_columns("Index", "SMILES", "Elements", "XYZ_Ang", *_COLUMNS.values())
        geometry = _read_geometry(table["Elements"], table["XYZ_Ang"])
        values = _read_values(table, geometry)
        return Rows(table["Index"].to_numpy(), table["SMILES"].to_pylist(), values, geometry)

    def read_atoms(self, target: str, ids: np.ndarray) -> AtomRows:
        """Read the Mulliken charges of all atoms of molecules, in elementary charges.

        Raises:
            InputError: the wheel is not installed.
            RuntimeError: the charges of a molecule do not add up to 0, as those of all molecules of QM9 do.
        """
        table = _read_columns("Index", "Elements", "XYZ_Ang", "Mulliken_pop")
        table = table.take(np.searchsorted(table["Index"].to_numpy(), ids)).combine_chunks()
        geometry = _read_geometry(table["Elements"], table["XYZ_Ang"])
        charges, counts = _read_numbers(table["Mulliken_pop"])
        if not np.array_equal(counts, np.bincount(geometry.molecule)):
            raise RuntimeError(f"{target} has not one charge for each atom: the source was read wrongly")
        totals = np.abs(np.bincount(geometry.molecule, weights=charges))
        if totals.max() > _CHARGE_ROUNDING:
            number = table["Index"].to_numpy()[totals.argmax()]
            raise RuntimeError(f"the charges of molecule {number} add up to {totals.max():.6f} in the place of 0")
        return AtomRows(geometry, charges)

    def check(self, molecules: Molecules) -> None:
        """Refuse molecules without hybridisation, aromaticity or aromatic bonds, a known fault (PyG issue 8370).

        Raises:
            RuntimeError: one of these features is zero for all molecules.
        """
        present = molecules.atoms[:5000].flatten(0, 1).amax(0)[1:]
        aromatic = 1 + BOND_TYPES.index("aromatic")
        if not present.all() or not (molecules.bonds[:5000] == aromatic).any():
            raise RuntimeError("a feature column of QM9 is zero everywhere: the cache was built by broken code")


def _read_columns(*columns: str) -> pa.Table:
    import pyarrow as pa
    from pyarrow import csv

    convert = csv.ConvertOptions(include_columns=columns)
    return pa.concat_tables([csv.read_csv(path, convert_options=convert) for path in _files()]).combine_chunks()


def _files() -> list[Path]:
    # The package itself cannot be imported: it needs `pkg_resources`, which current setuptools no longer has.
    spec = importlib.util.find_spec("qm9pack")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(path for folder in folders for path in Path(folder).glob("data/qm9_part*.csv"))
    if not files:
        raise InputError("the QM9 data are not installed: `pip install qm9pack==1.0.3` brings them (104 MB)")
    return files


def _read_values(table: pa.Table, geometry: Geometry) -> np.ndarray:
    """Return the targets in their units, float64 `[M, 19]`; atomisation energies are total minus free atoms."""
    values = {name: table[column].to_numpy() for name, column in _COLUMNS.items()}
    for potential, references in ATOM_REFERENCES_HARTREE.items():
        of_number = np.zeros(max(references) + 1)
        of_number[list(references)] = list(references.values())
        free_atoms = np.bincount(geometry.molecule, weights=of_number[geometry.numbers], minlength=len(table))
        values[f"{potential}_atom"] = values[potential] - free_atoms
    return np.stack([values[name] * target.factor for name, target in QM9_TARGETS.items()], axis=1)


def _read_geometry(elements: pa.ChunkedArray, coordinates: pa.ChunkedArray) -> Geometry:
    """Parse columns such as `['C','H']` and `[[0.,0.,0.],[1.,0.,0.]]`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    letters = pc.split_pattern(pc.replace_substring(elements.combine_chunks(), "'", ""), ",")
    symbols = pc.ascii_trim(pc.list_flatten(letters), "[]").dictionary_encode()
    numbers = np.array([ELEMENTS[symbol] for symbol in symbols.dictionary.to_pylist()], dtype=np.uint8)
    texts = pc.list_flatten(pc.split_pattern(coordinates.combine_chunks(), ","))
    values = pc.cast(pc.ascii_trim(texts, "[]"), pa.float32()).to_numpy()
    counts = pc.list_value_length(letters).to_numpy()
    return Geometry(
        numbers[symbols.indices.to_numpy()], values.reshape(-1, 3), np.repeat(np.arange(len(counts)), counts)
    )


def _read_numbers(lists: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Parse a column such as `[0.1,-0.1]`: all numbers, float64 `[A]`, and how many each row has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pc.split_pattern(lists.combine_chunks(), ",")
    numbers = pc.cast(pc.ascii_trim(pc.list_flatten(texts), "[]"), pa.float64())
    return numbers.to_numpy(), pc.list_value_length(texts).to_numpy()
