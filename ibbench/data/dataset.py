"""DataSet: molecules with their targets and identities, loaded from the cache or built into it."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ibbench.data.cache import CacheError, cache_folder, check_writable, read_cache, write_cache, write_to_cache
from ibbench.data.identity import cache_facts
from ibbench.data.layout import ATOMIC_NUMBER, HYDROGEN
from ibbench.data.molecules import Molecules
from ibbench.data.pack import count_elements, pack
from ibbench.data.sources import Rows, Source, open_source
from ibbench.data.targets import Target
from ibbench.data.unseen import UNSEEN_FORMAT, Unseen, find_unseen
from ibbench.errors import InputError, suggest
from ibbench.options.groups import DataOptions


@dataclass(frozen=True, eq=False)
class DataSet:
    """M molecules in memory.

    Attributes:
        molecules: the packed graphs, features as counts (uint8).
        values: the targets in their units, float64 `[M, T]`.
        targets: what the columns of `values` are.
        ids: the source's own number of each molecule, or its row in it, counted from 1.
        smiles: as the source spells them.
        source: its name, with a digest of the content where that does not follow from the name.
        hydrogens: `implicit` or `explicit`.
        rejected: how many rows of the source could not be used.
        path: the cache.
        unseen: what the molecules carry that `molecules` does not tell.
    """

    molecules: Molecules
    values: Tensor
    targets: tuple[Target, ...]
    ids: Tensor
    smiles: list[str]
    source: str
    hydrogens: str
    rejected: int
    path: Path
    unseen: Unseen

    def __len__(self) -> int:
        return len(self.ids)

    def column(self, name: str) -> int:
        """Return the column of `values` that holds the target `name`.

        Raises:
            InputError: there is none; the message names the nearest.
        """
        names = [target.name for target in self.targets]
        if name not in names:
            raise InputError(f"`targets=[{name}]` is not a target of this data set: {suggest(name, names)}")
        return names.index(name)

    def composition(self) -> tuple[Tensor, list[int]]:
        """Count the atoms of each element: float64 `[M, E]`, and the E atomic numbers, hydrogen first."""
        numbers = self.molecules.atoms[..., ATOMIC_NUMBER]  # zero where there is no atom
        elements = sorted({HYDROGEN, *numbers.unique().tolist()} - {0})
        return count_elements(self.molecules, elements, self.hydrogens), elements


def load_dataset(options: DataOptions, say: Callable[[str], object] = print) -> DataSet:
    """Load the data set from its cache; build the cache first where there is none or it cannot be used.

    Args:
        options: the source and how hydrogens are treated.
        say: gets a line when something takes time or was not as expected.

    Raises:
        InputError: the source is missing or unusable, `data.strict` is broken, or the disk is full.
    """
    source = open_source(options)
    identity, expected = source.identify(), cache_facts(source) | {"unseen": UNSEEN_FORMAT}
    path = cache_folder() / f"{identity.replace(':', '-')}-{options.hydrogens}.safetensors"
    try:
        arrays, facts = read_cache(path, expected)
    except (FileNotFoundError, CacheError) as reason:
        if isinstance(reason, CacheError):
            say(f"The data cache {path} {reason}; building it again.")
        else:
            say(f"Building the data cache {path} (once, about 15 seconds for QM9).")
        check_writable(path.parent)
        arrays, facts = _build(source, expected, path)
        write_cache(path, arrays, facts)
    if facts["rejected"]:
        count = f"{facts['rejected']} of {facts['rows']} rows of {source.location()}"
        listed = f"they are listed in {_rejected_path(path)}"
        if options.strict:
            raise InputError(f"{count} cannot be used and data.strict=true; {listed}")
        say(f"{count} are left out; {listed}.")
    smiles = arrays["smiles"].tobytes().decode().split("\n")
    molecules = pack(arrays["atoms"], arrays["bonds"], arrays["num_atoms"], smiles, arrays["positions"])
    source.check(molecules)
    return DataSet(
        molecules=molecules,
        values=torch.from_numpy(arrays["values"]),
        targets=source.targets(),
        ids=torch.from_numpy(arrays["ids"]),
        smiles=smiles,
        source=identity,
        hydrogens=options.hydrogens,
        rejected=facts["rejected"],
        path=path,
        unseen=Unseen(arrays["marks"], arrays["alike"]),
    )


def _build(source: Source, expected: dict[str, Any], path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    hydrogens = source.options.hydrogens
    try:
        from ibbench.data import featurize, positions

        rows = source.read()
    except ImportError as error:
        raise InputError(f"building the data cache needs a package that is not installed: {error.name}") from None
    graphs = featurize.featurize(rows.smiles, "implicit")
    parsed, complete = graphs.num_atoms > 0, np.isfinite(rows.values).all(axis=1)
    kept = parsed & complete
    _list_rejected(_rejected_path(path), rows, parsed, kept)
    if not kept.any():
        raise InputError(f"no row of {source.location()} has both a SMILES that RDKit can parse and all target values")
    smiles = [text for text, keep in zip(rows.smiles, kept, strict=True) if keep]
    features = featurize.Features(*(array[kept] for array in graphs))
    unseen = find_unseen(features, smiles)
    if hydrogens == "explicit":
        features = featurize.add_hydrogens(features, smiles)
    n = int(features.num_atoms.max())
    if rows.geometry is None:
        coordinates = np.where(
            np.arange(n)[:, None] < features.num_atoms[:, None, None], np.float32(np.nan), np.float32(0)
        ) * np.ones(3, dtype=np.float32)
    else:
        coordinates = positions.align(graphs, rows.geometry, hydrogens)
    arrays = {
        "atoms": features.atoms[:, :n],
        "bonds": features.bonds[:, :n, :n],
        "num_atoms": features.num_atoms.astype(np.uint8),
        "positions": coordinates,
        "values": rows.values[kept],
        "ids": rows.ids[kept].astype(np.int64),
        **unseen._asdict(),
        "smiles": np.frombuffer("\n".join(smiles).encode(), dtype=np.uint8),
    }
    facts = expected | {"rows": len(kept), "rejected": int((~kept).sum())}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}, facts


def _rejected_path(path: Path) -> Path:
    return path.with_suffix(".rejected.csv")


def _list_rejected(path: Path, rows: Rows, parsed: np.ndarray, kept: np.ndarray) -> None:
    if kept.all():
        return
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["row", "smiles", "reason"])
    for index in np.nonzero(~kept)[0]:
        reason = "a target value is missing or no number" if parsed[index] else "RDKit cannot parse the SMILES"
        table.writerow([int(rows.ids[index]), rows.smiles[index], reason])
    write_to_cache(path, text.getvalue().encode())
