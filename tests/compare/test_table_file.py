"""The tables of a study as files: stable, read again, and never written over an edit by hand."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.study import gather
from ibbench.compare.table import COLUMNS, build_table
from ibbench.compare.table_file import read_table, to_csv
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.record.schema import Record, write_record
from ibbench.record.tables import refuse_if_edited
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
GAP = {("gap", 0): 0.2, ("gap", 1): 0.3, ("gap", 2): 0.4}


def _table(*records: Record) -> pd.DataFrame:
    return build_table(gather("x", list(records)))


def test_csv_has_all_digits_and_its_columns(make_record: MakeRecord) -> None:
    text = to_csv(_table(make_record("gnn", {("gap", 0): 0.123456789, ("gap", 1): 0.2})))
    header, _, row = text.splitlines()
    assert header.split(",") == list(COLUMNS)
    cells = dict(zip(header.split(","), row.split(","), strict=True))
    assert float(cells["mae_mean"]) == pytest.approx((0.123456789 + 0.2) / 2, rel=1e-15)
    assert cells["flops_per_molecule"] == "1234567"
    assert cells["train_seconds"] == "4"


def test_tabulating_writes_all_files_and_twice_the_same(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("twice", make_record("gnn", GAP), make_record("mlp", GAP))
    names = ("table.csv", "table.md", "pairs.csv", "study.json")
    tabulate(study, QUIET)
    first = [(study / name).read_text() for name in names]
    tabulate(study, QUIET, relative_to="mean", targets=["gap"], sort="parameters")  # only for what is printed
    assert first == [(study / name).read_text() for name in names]
    frame = pd.read_csv(study / "table.csv")
    assert frame["mae_mean"].tolist() == [1.0, 0.3, 0.3]
    assert np.isnan(frame["train_seconds"][0])
    assert read_table(first[0], "it")["mae_mean"].tolist() == [1.0, 0.3, 0.3]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("table.csv", ",0.3,", ",0.2,"),
        ("table.csv", "mae_mean", "mae"),
        ("table.csv", ",rmse_mean,r2_mean,", ",r2_mean,rmse_mean,"),
        ("table.csv", r"\ngnn,.*", ""),
        ("table.csv", r"\n(.*)\n", r"\n\1,x\n"),
        ("table.md", "0.3000", "0.2000"),
        ("table.md", r"(?s).*", "my own notes"),
        ("pairs.csv", ",gnn,", ",gmn,"),
    ],
)
def test_a_table_that_was_edited_by_hand_is_not_overwritten(
    make_record: MakeRecord, write_study: WriteStudy, name: str, before: str, after: str
) -> None:
    study = write_study("edited", make_record("gnn", GAP))
    tabulate(study, QUIET)
    path = study / name
    original = path.read_text()
    edited = re.sub(before, after, original)
    assert edited != original
    path.write_text(edited)
    others = {other: other.read_bytes() for other in study.glob("*.*")}
    with pytest.raises(InputError, match=r"edited by hand|lacks mae_mean|cells under"):
        tabulate(study, QUIET)
    assert others == {other: other.read_bytes() for other in study.glob("*.*")}
    path.unlink()
    tabulate(study, QUIET)
    assert path.read_text() == original


def test_tables_whose_checksums_are_gone_are_not_overwritten(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("edited", make_record("gnn", GAP))
    tabulate(study, QUIET)
    made, original = study / "study.json", (study / "study.json").read_text()
    for before, after in ((r'"table.csv": "\w+"', '"table.csv": "0"'), (r'(?s),\s*"checksums".*', "}")):
        made.write_text(re.sub(before, after, original))
        assert made.read_text() != original
        with pytest.raises(InputError, match=r"table.csv was edited by hand"):
            tabulate(study, QUIET)
    for name in ("table.csv", "table.md", "pairs.csv"):
        (study / name).unlink()
    tabulate(study, QUIET)
    assert made.read_text() == original


def test_a_kill_between_two_tables_is_no_edit(
    make_record: MakeRecord, write_study: WriteStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = write_study("killed", make_record("gnn", GAP))
    tabulate(study, QUIET)
    write_record(study / "runs" / "mlp-x", make_record("mlp", GAP).model_copy(update={"run": "mlp-x"}))

    def killed(path: Path, content: str) -> None:
        if path.name == "table.md":
            raise KeyboardInterrupt
        write_atomically(path, content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ibbench.record.tables.write_atomically", killed)
        tabulate(study, QUIET)
    assert "mlp" in (study / "table.csv").read_text()
    tabulate(study, QUIET)
    assert "mlp" in (study / "table.md").read_text()


def test_tables_of_older_versions_are_read_and_an_edit_is_noticed(tmp_path: Path) -> None:
    """These were committed when each row carried a checksum."""
    old = Path(__file__).parent / "old_table"
    study = shutil.copytree(old, tmp_path / "old")
    refuse_if_edited(study)
    assert len(read_table((study / "table.csv").read_text(), "it")) == 6
    for name in ("table.csv", "table.md", "pairs.csv"):
        text = (study / name).read_text()
        (study / name).write_text(text.replace("mlp", "mpl"))
        with pytest.raises(InputError, match="edited by hand"):
            refuse_if_edited(study)
        (study / name).write_text(text)


def test_line_ends_of_another_system_are_no_edit(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("windows", make_record("gnn", GAP))
    tabulate(study, QUIET)
    for name in ("table.csv", "table.md"):
        (study / name).write_bytes((study / name).read_bytes().replace(b"\n", b"\r\n"))
    tabulate(study, QUIET)  # is not refused
    assert "gnn" in (study / "table.csv").read_text()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("mae_mean", "low", "line 2: `low` is not possible for mae_mean"),
        ("mae_mean", "-0.3", "line 2: `-0.3`"),
        ("num_seeds", "", "line 2: `` is not possible for num_seeds"),
        ("molecule_variance", "-1", "line 2: `-1` is not possible for molecule_variance"),
        ("seeds", "0 1", "line 2: `0 1` is not possible for seeds"),
        ("seed_maes", "0.1 0.2 x", "line 2: `0.1 0.2 x` is not possible for seed_maes"),
        ("model", "gnn", "two rows with model=gnn, target=gap, unit=eV, train_size=1000"),
    ],
)
def test_a_table_with_impossible_cells_is_refused(
    make_record: MakeRecord, column: str, value: str, message: str
) -> None:
    table = pd.read_csv(pd.io.common.StringIO(to_csv(_table(make_record("gnn", GAP)))), dtype=str)
    table.loc[0, column] = value
    with pytest.raises(InputError, match=message):
        read_table(table.to_csv(index=False), "it")
    for text in ("", "a,b\n1,2\n", "<<<<<<< ours\n"):
        with pytest.raises(InputError, match="it is not a table that ibbench has written"):
            read_table(text, "it")
