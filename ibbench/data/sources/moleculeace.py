"""MoleculeACE: how strongly molecules bind to, or act on, one of 30 proteins, with many activity cliffs."""

from pathlib import Path

import numpy as np

from ibbench.data.installed import find_file, read_columns
from ibbench.data.layout import PARTS
from ibbench.data.packaged import Packaged, Table
from ibbench.data.sources import register
from ibbench.data.targets import one_target
from ibbench.errors import InputError, suggest

_INSTALL = "pip install --no-deps MoleculeACE==3.0.0"
_FOLDER = "Data/benchmark_data"
_CLIFF = {"0": False, "1": True}
_NANO = 9  # the table has -log10 of nmol/L

_TILBORG = (
    "D. van Tilborg, A. Alenicheva, F. Grisoni: Exposing the limitations of molecular machine learning with "
    "activity cliffs. J. Chem. Inf. Model. 62, 5938-5951 (2022). https://doi.org/10.1021/acs.jcim.2c01073"
)


@register("moleculeace")
class MoleculeAce(Packaged):
    """The task `data.task`, such as `CHEMBL234_Ki`, with its own split in train and test."""

    packages = ("MoleculeACE",)
    fixed_targets = one_target(
        "activity",
        "pK",
        "log10(mol/L)",
        "-log10 of the constant of inhibition (Ki) or of the effective dose (EC50)",
    )
    references = (_TILBORG,)

    @classmethod
    def cliffs(cls, identity: str) -> np.ndarray:
        """Return which rows of the task that an identity names have a partner across an activity cliff, bool `[M]`."""
        task = identity.partition(":")[2].partition(",")[0]
        marks = read_columns(_find_table(task), ",", ["cliff_mol"])["cliff_mol"]
        return np.array([_CLIFF[mark] for mark in marks])

    def chosen(self) -> tuple[str, ...]:
        """Return the name of the task."""
        return (self.options.task or "",)

    def location(self) -> str:
        """Return the name of the table in messages."""
        return f"{self.options.task} of MoleculeACE"

    def files(self) -> list[Path]:
        """Find the table of the task.

        Raises:
            InputError: MoleculeACE is not installed, or has no such task.
        """
        return [_find_table(self.options.task or "")]

    def read_table(self) -> Table:
        """Read the table of the task."""
        (path,) = self.files()
        cells = read_columns(path, ",", ["smiles", "y", "split"])
        parts = np.array([PARTS.index(word) for word in cells["split"]], dtype=np.uint8)
        return Table(cells["smiles"], cells["y"], parts)

    def convert(self, value: float) -> float:
        """Return -log10 of mol/L: the table has that of nmol/L."""
        return value + _NANO


def _find_table(task: str) -> Path:
    """Return the table of a task."""
    folder = find_file("MoleculeACE", "__init__.py", _INSTALL).parent / _FOLDER
    tasks = sorted(path.stem for path in folder.glob("*.csv"))
    if task not in tasks:
        raise InputError(f"`data.task={task}` is not possible: {suggest(task, tasks)}")
    return folder / f"{task}.csv"
