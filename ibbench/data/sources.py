"""Where molecules come from: the `qm9pack` wheel or a user's CSV. Nothing is fetched at run time."""

import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from pyarrow import ArrowInvalid

from ibbench.data.positions import Geometry
from ibbench.data.targets import ATOM_REFERENCES_HARTREE, QM9_TARGETS, Target
from ibbench.errors import InputError, suggest
from ibbench.options.groups import DataOptions


class Source(NamedTuple):
    """Molecules as text, before their features are computed."""

    ids: np.ndarray  # int64 [M]; QM9's own number, or the row of the CSV counted from 1
    smiles: list[str]
    values: np.ndarray  # float64 [M, T], in the units of the targets; NaN where missing
    targets: tuple[Target, ...]
    geometry: Geometry | None


# The spelling is the wheel's own.
_QM9_COLUMNS = {
    "mu": "Dipole_debye", "alpha": "Polarizability_bohr3", "homo": "HOMO_au", "lumo": "LUMO_au",
    "gap": "HOMO_LUMO_gap_au", "r2": "R2_bohr2", "zpve": "ZPVE_au", "u0": "InternalEnergy_0K_au",
    "u": "InternalEnergy_298K_au", "h": "Enthalphy_298K_au", "g": "GibbsFreeEnergy_298K_au",
    "cv": "Heatcapacity_Cv_cal_mol_K", "a": "RotA_GHz", "b": "RotB_GHz", "c": "RotC_GHz",
}  # fmt: skip
_NUMBER_OF_ELEMENT = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def read_qm9pack() -> Source:
    """Read all 130,831 molecules of QM9 (Ramakrishnan et al. 2014) from the installed `qm9pack` wheel.

    Raises:
        InputError: the wheel is not installed.
    """
    columns = ["Index", "SMILES", "Elements", "XYZ_Ang", *_QM9_COLUMNS.values()]
    convert = pa.csv.ConvertOptions(include_columns=columns)
    parts = [pa.csv.read_csv(path, convert_options=convert) for path in _qm9pack_files()]
    table = pa.concat_tables(parts).combine_chunks()
    geometry = _read_geometry(table["Elements"], table["XYZ_Ang"])
    columns_of_targets = {name: table[column].to_numpy() for name, column in _QM9_COLUMNS.items()}
    for potential, references in ATOM_REFERENCES_HARTREE.items():
        of_number = np.zeros(max(references) + 1)
        of_number[list(references)] = list(references.values())
        free_atoms = np.bincount(geometry.molecule, weights=of_number[geometry.numbers], minlength=len(table))
        columns_of_targets[f"{potential}_atom"] = columns_of_targets[potential] - free_atoms
    values = np.stack([columns_of_targets[name] * target.factor for name, target in QM9_TARGETS.items()], axis=1)
    return Source(table["Index"].to_numpy(), table["SMILES"].to_pylist(), values, tuple(QM9_TARGETS.values()), geometry)


def _qm9pack_files() -> list[Path]:
    # The package itself cannot be imported: it needs `pkg_resources`, which current setuptools no longer has.
    spec = importlib.util.find_spec("qm9pack")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(path for folder in folders for path in Path(folder).glob("data/qm9_part*.csv"))
    if not files:
        raise InputError("the QM9 data are not installed: `pip install qm9pack==1.0.3` brings them (104 MB)")
    return files


def _read_geometry(elements: pa.ChunkedArray, coordinates: pa.ChunkedArray) -> Geometry:
    """Parse columns such as `['C','H']` and `[[0.,0.,0.],[1.,0.,0.]]`."""
    letters = pc.split_pattern(pc.replace_substring(elements.combine_chunks(), "'", ""), ",")
    symbols = pc.ascii_trim(pc.list_flatten(letters), "[]").dictionary_encode()
    numbers = np.array([_NUMBER_OF_ELEMENT[symbol] for symbol in symbols.dictionary.to_pylist()], dtype=np.uint8)
    texts = pc.list_flatten(pc.split_pattern(coordinates.combine_chunks(), ","))
    values = pc.cast(pc.ascii_trim(texts, "[]"), pa.float32()).to_numpy()
    counts = pc.list_value_length(letters).to_numpy()
    return Geometry(
        numbers[symbols.indices.to_numpy()], values.reshape(-1, 3), np.repeat(np.arange(len(counts)), counts)
    )


def csv_digest(options: DataOptions) -> str:
    """Identify what a CSV source gives: the content of the file and the columns read from it.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    path = Path(options.path or "")
    try:
        content = path.read_bytes()
    except OSError as error:
        near = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        hint = f" In that folder: {suggest(path.name, near)}" if near else ""
        raise InputError(f"`data.path={path}` cannot be read: {error.strerror or error}.{hint}") from None
    columns = repr((options.smiles_column, options.target_columns))
    return hashlib.sha256(content + columns.encode()).hexdigest()


def csv_targets(options: DataOptions) -> tuple[Target, ...]:
    """Describe the target columns of a CSV source; a column without a unit in the config has an empty one."""
    units = options.units or {}
    return tuple(
        Target(name, name, units.get(name, ""), f"column {name} of the CSV") for name in options.target_columns or ()
    )


def read_csv(options: DataOptions) -> Source:
    """Read a user's CSV: a SMILES column and numeric target columns, named in the config.

    A value that is no finite number becomes NaN, an absent SMILES an empty string; the data set leaves such
    rows out or refuses them.

    Raises:
        InputError: the file is no CSV, has no rows, or lacks a column.
    """
    names = [str(options.smiles_column), *(options.target_columns or ())]
    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    try:
        table = pa.csv.read_csv(options.path, convert_options=convert)
    except ArrowInvalid as error:
        raise InputError(f"`data.path={options.path}` is not a readable CSV: {error}") from None
    for name in names:
        if name not in table.column_names:
            raise InputError(f"{options.path} has no column `{name}`: {suggest(name, table.column_names)}")
        if table.column_names.count(name) > 1:
            raise InputError(f"{options.path} has several columns `{name}`: expected one")
    if not len(table):
        raise InputError(f"{options.path} has a header but no rows")
    smiles = [(text or "").strip() for text in table[options.smiles_column].to_pylist()]
    values = np.array([[_number(text) for text in table[name].to_pylist()] for name in names[1:]]).T
    return Source(np.arange(1, len(table) + 1), smiles, values, csv_targets(options), None)


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")
