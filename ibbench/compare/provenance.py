"""study.json: the options, versions and devices behind a table, for readers who do not have its runs."""

from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from ibbench.compare.rows import Entry, Section
from ibbench.compare.study import Study
from ibbench.compare.unseen import UnseenOfSource, gather_unseen
from ibbench.errors import InputError
from ibbench.record.schema import DataEntry, explain_unreadable, read_versioned

SCHEMA_VERSION = 1
_IN_THE_TABLE = {"targets", "seeds", "model.name", "data.train_size", "data.source", "data.hydrogens"}
ANY = Section("", "", "")  # stands for the one section of a study


class Row(NamedTuple):
    """The rows of a table that have the same options: those that differ in target only.

    The section is empty where a study has one only, and in files of older versions.
    """

    model: str
    variant: str
    train_size: int
    section: Section = ANY


class _RowOptions(BaseModel):
    """Options of a row; `source`, `hydrogens` and `split` are left out where a study has one section only."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    variant: str
    train_size: int
    options: dict[str, Any]
    source: str = ""
    hydrogens: str = ""
    split: str = ""

    @model_serializer(mode="wrap")
    def _without_empty_section(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if value != "" or key not in Section._fields}


class _Missing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    state: str
    targets: tuple[str, ...] | None
    train_size: int | None


class Provenance(BaseModel):
    """The content of study.json: how a study was made.

    Attributes:
        schema_version: version of this format.
        options: flat options that all rows share, such as `optimizer.name`.
        rows: options of each row that are not shared by all.
        versions: versions of each package, over all runs.
        devices: names of the devices, over all runs.
        data: counts of each data set, by its name.
        unseen: what the molecules of each data set carry, and what of it the models do not read.
        missing: the runs that are not in the table.
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
        """Return the content as JSON types; `missing` is left out if no run is missing."""
        return self.model_dump(mode="json", exclude=None if self.missing else {"missing"})

    def row_options(self) -> dict[Row, dict[str, Any]]:
        """Return the flat config of each row; its section is `ANY` where the study has one only."""
        return {
            Row(row.model, row.variant, row.train_size, Section(row.source, row.hydrogens, row.split)): self.options
            | row.options
            for row in self.rows
        }


def provenance(study: Study) -> Provenance:
    """Gather the options, versions and devices that the finished runs of a study were made with."""
    by_row: dict[Row, list[Entry]] = {}
    several = len({entry.key.group.section for entry in study.entries}) > 1
    for entry in study.entries:
        if entry.options:
            section = entry.key.group.section if several else ANY
            row = Row(entry.key.model, entry.key.variant, entry.key.group.train_size, section)
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
            _RowOptions(
                model=row.model,
                variant=row.variant,
                train_size=row.train_size,
                options={key: value for key, value in options.items() if key not in shared},
                **row.section._asdict(),
            )
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

    Args:
        text: content of the file.
        name: name of the file for error messages.

    Raises:
        InputError: the text is not a study.json that this version can read.
    """
    try:
        content = read_versioned(text, SCHEMA_VERSION)
        content.pop("checksums", None)  # only `record.tables` needs them
        return Provenance.model_validate(content)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{name} is not readable: {explain_unreadable(error)}. `ibbench table` writes it anew"
        ) from None
