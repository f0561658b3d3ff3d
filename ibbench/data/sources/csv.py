"""A user's own molecules: a CSV with a column of SMILES and numeric columns of targets."""

import hashlib
from pathlib import Path

import numpy as np

from ibbench.data.sources import Rows, Source, register
from ibbench.data.targets import Target
from ibbench.errors import InputError, suggest


@register("csv")
class Csv(Source):
    """The file `data.path`, with the columns that the options name."""

    def identify(self) -> str:
        """Return `csv:` and a digest of the content of the file and of the columns read from it.

        Raises:
            InputError: there is no such file, or it cannot be read.
        """
        path = Path(self.location())
        try:
            content = path.read_bytes()
        except OSError as error:
            near = [file.name for file in path.parent.glob("*.csv")] if path.parent.is_dir() else []
            hint = f" In that folder: {suggest(path.name, near)}" if near else ""
            raise InputError(f"`data.path={path}` cannot be read: {error.strerror or error}.{hint}") from None
        columns = repr((self.options.smiles_column, self.options.target_columns))
        return f"{self.name}:{hashlib.sha256(content + columns.encode()).hexdigest()[:16]}"

    def targets(self) -> tuple[Target, ...]:
        """Describe the target columns; a column without a unit in the config has an empty one."""
        units = self.options.units or {}
        return tuple(
            Target(name, name, units.get(name, ""), f"column {name} of the CSV")
            for name in self.options.target_columns or ()
        )

    def location(self) -> str:
        """Return the path of the file."""
        return self.options.path or ""

    def read(self) -> Rows:
        """Read the columns of SMILES and targets.

        A value that is no finite number becomes NaN, an absent SMILES an empty string; the data set leaves such
        rows out or refuses them.

        Raises:
            InputError: the file is no CSV, has no rows, or lacks a column.
        """
        import pyarrow as pa
        from pyarrow import csv

        path = self.location()
        names = [str(self.options.smiles_column), *(self.options.target_columns or ())]
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        try:
            table = csv.read_csv(path, convert_options=convert)
        except pa.ArrowInvalid as error:
            raise InputError(f"`data.path={path}` is not a readable CSV: {error}") from None
        for name in names:
            if name not in table.column_names:
                raise InputError(f"{path} has no column `{name}`: {suggest(name, table.column_names)}")
            if table.column_names.count(name) > 1:
                raise InputError(f"{path} has several columns `{name}`: expected one")
        if not len(table):
            raise InputError(f"{path} has a header but no rows")
        smiles = [(text or "").strip() for text in table[names[0]].to_pylist()]
        values = np.array([[_number(text) for text in table[name].to_pylist()] for name in names[1:]]).T
        return Rows(np.arange(1, len(table) + 1), smiles, values)


def _number(text: str | None) -> float:
    try:
        value = float(text or "nan")
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) else float("nan")
