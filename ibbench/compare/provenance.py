"""study.json: with what a study's table was made, so that a table without its runs can still be explained."""

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from ibbench.compare.study import Entry, Study
from ibbench.compare.unseen import UnseenOfSource, gather_unseen
from ibbench.errors import InputError
from ibbench.record.schema import DataEntry, explain, read_versioned

SCHEMA_VERSION = 1
_IN_THE_TABLE = {"targets", "seeds", "model.name", "data.train_size", "data.source", "data.hydrogens"}


class Row(NamedTuple):
    """What options are recorded for: rows of a table that differ in target only."""

    model: str
    variant: str
    train_size: int


class _RowOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    variant: str
    train_size: int
    options: dict[str, Any]


class _Missing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    state: str
    targets: tuple[str, ...] | None
    train_size: int | None


class Provenance(BaseModel):
    """Options, versions and devices of a study, counts of its data sets, its missing runs, and what models do not see.


    `options` are those that all rows share.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int
    options: dict[str, Any]
    rows: tuple[_RowOptions, ...]
    versions: dict[str, tuple[str, ...]]
    devices: tuple[str, ...]
    data: dict[str, DataEntry] = {}
    unseen: tuple[UnseenOfSource, ...] = ()
    missing: tuple[_Missing, ...] = ()

    def content(self) -> dict[str, Any]:
        """Return it as JSON types; of a study that is whole without a word of what is missing."""
        return self.model_dump(mode="json", exclude=None if self.missing else {"missing"})

    def row_options(self) -> dict[Row, dict[str, Any]]:
        """Return the flat config of each row."""
        return {Row(row.model, row.variant, row.train_size): self.options | row.options for row in self.rows}


def provenance(study: Study) -> Provenance:
    """Gather with what the finished runs of a study were made."""
    by_row: dict[Row, list[Entry]] = {}
    for entry in study.entries:
        if entry.options:
            row = Row(entry.key.model, entry.key.variant, entry.key.group.train_size)
            by_row.setdefault(row, []).append(entry)
    rows = {row: _options(entries) for row, entries in by_row.items()}
    first = next(iter(rows.values()), {})
    shared = {key: value for key, value in first.items() if all(row.get(key) == value for row in rows.values())}
    done = [record for record in study.records if record.status == "done"]
    packages = sorted({package for record in done for package in record.versions})
    return Provenance(
        schema_version=SCHEMA_VERSION,
        options=shared,
        rows=tuple(
            _RowOptions(**row._asdict(), options={key: value for key, value in options.items() if key not in shared})
            for row, options in rows.items()
        ),
        versions={
            package: tuple(sorted({record.versions.get(package, "unknown") for record in done})) for package in packages
        },
        devices=tuple(sorted({record.device for record in done})),
        data={record.data_source: record.data for record in done if record.data},
        unseen=gather_unseen(done),
        missing=tuple(
            _Missing(run=one.run, state=one.state, targets=one.targets, train_size=one.train_size)
            for one in study.missing
        ),
    )


def _options(entries: list[Entry]) -> dict[str, Any]:
    """Return the flat config of a row."""
    return {key: value for key, value in entries[0].options.items() if key not in _IN_THE_TABLE}


def read_provenance(text: str, name: str) -> Provenance:
    """Read a study.json.

    Raises:
        InputError: it is not one that this version can read.
    """
    try:
        content = read_versioned(text, SCHEMA_VERSION)
        content.pop("checksums", None)  # for whom it reads the tables, see `record.tables`
        return Provenance.model_validate(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{name} is not readable: {explain(error)}. `ibbench table` writes it anew") from None
