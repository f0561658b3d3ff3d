"""Parquet and SDF files as the same cells that a CSV has, so that all of them are checked in one way."""

import io
from collections.abc import Sequence

from ibbench.data.cells import Cells
from ibbench.data.sdf import read_sdf
from ibbench.errors import InputError, shorten, suggest


def read_parquet(content: bytes, path: str, names: Sequence[str], decimal: str = "point") -> Cells:
    """Read some columns of a Parquet file; rows take the place of lines, counted from 1.

    Args:
        content: the bytes of the file.
        path: the name of the file in messages.
        names: the columns to read.
        decimal: what separates decimals in the cells that are made of numbers, `point` or `comma`.

    Raises:
        InputError: the file is no Parquet, lacks a column, or has no rows.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        known = file.schema_arrow.names
        for name in names:
            if name not in known:
                raise InputError(f"{path} has no column `{name}`: {shorten(suggest(name, known), 300)}")
            if known.count(name) > 1:
                raise InputError(f"{path} has several columns `{name}`: expected one")
        table = file.read(columns=[*dict.fromkeys(names)])
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"`data.path={path}` is no readable Parquet file: {str(error).splitlines()[0]}") from None
    if not table.num_rows:
        raise InputError(f"{path} has columns but no rows")
    columns = {name: [_spell(value, decimal) for value in table[name].to_pylist()] for name in dict.fromkeys(names)}
    return Cells(columns, list(range(1, table.num_rows + 1)), {})


def _spell(value: object, decimal: str) -> str:
    """Write a value as the cell of a CSV would have it; nothing for a missing one, and for NaN, which stands for it."""
    if value is None or value != value:
        return ""
    return str(value).replace(".", ",") if decimal == "comma" and isinstance(value, float) else str(value)


def read_structures(content: bytes, path: str, names: Sequence[str], smiles: str) -> Cells:
    """Read the structures of an SDF file as SMILES, and some of its values.

    Args:
        content: the bytes of the file.
        path: the name of the file in messages.
        names: the columns to read.
        smiles: the name among these that stands for the structure.

    Raises:
        InputError: the file has no molecule, or lacks a value.
    """
    found = read_sdf(content, path, [name for name in names if name != smiles])
    broken = {
        row: (["structure"], "RDKit cannot read this structure") for row, text in enumerate(found.smiles) if not text
    }
    return Cells(found.columns | {smiles: found.smiles}, found.lines, broken)
