"""The page of all files with columns, and of the fields of a record: from where the code defines them."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from autodoc.markdown import in_words, plain, table, with_words_in_place
from ibbench.commands.explain import AGREEMENT, AGREEMENT_COLUMNS
from ibbench.commands.explain import PAIRS as ATTENTION
from ibbench.commands.explain import ROWS as ROWS_OF_ATOMS
from ibbench.commands.probe import PROBES, RANKING, SCORES
from ibbench.compare import classes, cliffs, diff, pairs, summary
from ibbench.compare import table as comparison
from ibbench.data.build import REJECTED_COLUMNS
from ibbench.probes.subject import foretell, measure, scores
from ibbench.record.folder import HISTORY, PAIRS, SPLIT, TABLE
from ibbench.record.schema import RECORD, Record
from ibbench.record.split_file import SPLIT_COLUMNS
from ibbench.report import explain, predictions
from ibbench.speed import columns as speed
from ibbench.training.state import HISTORY_COLUMNS
from ibbench.worth import claims, generality, intrinsic, ladder, worth

_TOP = """# Columns of every file

What stands in the files that ibbench writes, column by column. An empty cell is a figure that is not known. All errors
are on test molecules and in the unit of the row, unless a column says otherwise. [What a study leaves](study.md) says
what the files are for, and [how to read the table](table.md) tells of the few columns that people read first.
"""


class File(NamedTuple):
    """A file, or rows that are printed as JSON.

    Attributes:
        name: of the file, as code.
        command: what writes it.
        row: what one row is.
        columns: what each column has.
    """

    name: str
    command: str
    row: str
    columns: Mapping[str, str]


_BY = "with `--by seconds` or `parameters` the word is in the name of the file, such as `multipliers_seconds.csv`"
FILES = (
    File(TABLE, "`ibbench train` and `ibbench table`", "per model, variant, target and train size", comparison.COLUMNS),
    File(PAIRS, "`ibbench train` and `ibbench table`", "per pair of these on one target and train size", pairs.COLUMNS),
    File("multipliers.csv", f"`ibbench worth`; {_BY}", "per pair of models and size", worth.MULTIPLIER_COLUMNS),
    File("bits.csv", "`ibbench worth`", "per pair of models", worth.BITS_COLUMNS),
    File("laws.csv", f"`ibbench worth`, from five sizes on; {_BY}", "per model and target", worth.FIT_COLUMNS),
    File("generality.csv", "`ibbench worth` of several data sets", "per data set, split and step", generality.COLUMNS),
    File("rankings.csv", "`ibbench worth` of several data sets", "per kind of pair", generality.STABILITY_COLUMNS),
    File("ladder.csv", "`ibbench worth`, of a ladder", "per rung and target", ladder.COLUMNS),
    File(
        "intrinsic.csv",
        "`ibbench worth`, of a study with `trainer.subspace`",
        "per model and target",
        intrinsic.COLUMNS,
    ),
    File("claims.csv", "`ibbench worth`, of a study with several recipes", "per claim and recipe", claims.COLUMNS),
    File(PROBES, "`ibbench probe`", "per figure", measure.COLUMNS),
    File(RANKING, "`ibbench probe --foretell`", "per model, target and train size", foretell.COLUMNS),
    File(
        SCORES,
        "`ibbench probe --foretell`, where at least four of the models are trained",
        "per target, train size and predictor",
        scores.COLUMNS,
    ),
    File(HISTORY, "a run, in its folder", "per replica and validation", HISTORY_COLUMNS),
    File(SPLIT.format("FINGERPRINT"), "`ibbench train`, once per split", "per molecule", SPLIT_COLUMNS),
    File("predicted.csv", "`ibbench predict --output predicted.csv`", "per molecule", predictions.COLUMNS),
    File(
        ROWS_OF_ATOMS,
        "`ibbench explain --output FOLDER`",
        "per molecule, model, target, seed and atom",
        explain.COLUMNS,
    ),
    File(ATTENTION, "`ibbench explain --output FOLDER`", "per pair of atoms, layer and head", explain.PAIR_COLUMNS),
    File(AGREEMENT, "`ibbench explain --molecules 300`", "per model, target and quantity", AGREEMENT_COLUMNS),
    File(TABLE, "`ibbench speed`", "per model, number of replicas and phase", speed.COLUMNS),
    File("sweep.csv", "`ibbench speed --sweep`", "per model and value", speed.GROWTH_COLUMNS),
    File("chemprop.csv", "`ibbench speed --peer chemprop`", "per command", speed.OUTSIDE_COLUMNS),
    File("agreement.csv", "`ibbench survey`", "per model, reference and way", speed.AGREEMENT_COLUMNS),
    File("rates.csv", "`ibbench survey`", "per model, numbers of replicas and molecules, and way", speed.RATE_COLUMNS),
    File("memory.csv", "`ibbench survey`", "per model", speed.MEMORY_COLUMNS),
    File("precision.csv", "`ibbench survey`", "per model and precision", speed.PRECISION_COLUMNS),
    File("*.rejected.csv", "the data cache, beside the data", "per fault of a row that is left out", REJECTED_COLUMNS),
)
ROWS = (
    File("rows", "`ibbench diff --format json`", "per row of either side", diff.COLUMNS),
    File("summary", "`ibbench table --format json`", "per model, over all targets", summary.COLUMNS),
)
_PREDICTED = """Before these stand all columns of the input. Of each target and model there are two columns, such as
`gap [eV] gnn mean` and `gap [eV] gnn std`; where a study has several train sizes or variants of a model, these are in
the name.
"""
_CLASSES = """Where a target is a [class](../how-to/classification.md), these columns come behind:

"""
_CLIFFS = """Where the source marks [activity cliffs](../how-to/data-sets.md#activity-cliffs), these:

"""
_AGAINST = """With `--relative-to gnn` a printed table has the columns that name `best` once more with the name of that
model, such as `ratio_to_gnn`.
"""


def page() -> str:
    """Write the page."""
    return "\n".join([_TOP, *_files(), *_record()])


def _files() -> Iterator[str]:
    for file in FILES:
        yield f"## `{file.name}`{' of `ibbench speed`' if file.columns is speed.COLUMNS else ''}\n"
        yield f"Written by {file.command}. One row {file.row}.\n"
        yield _tabulate(file)
        if file.columns is comparison.COLUMNS:
            yield _AGAINST
            yield _CLASSES
            yield _tabulate(file._replace(columns=classes.COLUMNS))
            yield _CLIFFS
            yield _tabulate(file._replace(columns=cliffs.COLUMNS))
        if file.columns is predictions.COLUMNS:
            yield _PREDICTED
    for rows in ROWS:
        yield f"## `{rows.name}` of {rows.command}\n"
        yield f"One entry {rows.row}.\n"
        yield _tabulate(rows)


def _tabulate(file: File) -> str:
    return table(("column", "meaning"), ((f"`{name}`", text) for name, text in file.columns.items()))


def _record() -> Iterator[str]:
    """Tell the fields of `record.json`, with those of what stands in it."""
    schema = with_words_in_place(Record.model_json_schema())
    yield f"## `{RECORD}`\n"
    yield "What a run leaves in its folder, as JSON.\n"
    yield from _entry(schema)
    for name, part in schema["$defs"].items():
        if "properties" not in part:
            continue
        yield f"### `{name}`\n"
        yield from _entry(part)


def _entry(schema: Mapping[str, Any]) -> Iterator[str]:
    yield plain(schema.get("description", "")) + "\n"
    yield table(("field", "is"), ((f"`{name}`", in_words(field)) for name, field in schema["properties"].items()))
