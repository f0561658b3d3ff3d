"""Errors on activity cliffs, which the source of the data marks."""

import shutil

import numpy as np
import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.comparison import make_report
from ibbench.compare.study import read_study
from ibbench.data.sources import find_cliffs
from ibbench.record.folder import TABLE
from ibbench.report import markdown
from ibbench.report.comparison import page
from tests.compare.conftest import MakeRecord, WriteStudy

SOURCE = "moleculeace:CHEMBL4792_Ki"
ACTIVITY = {("activity", 0): 0.6, ("activity", 1): 0.7, ("activity", 2): 0.8}


def test_marks_are_those_of_the_rows_of_the_task() -> None:
    marks = find_cliffs(SOURCE, np.arange(1, 1472))
    assert marks is not None
    assert 0.4 < marks.mean() < 0.6
    assert (find_cliffs(f"{SOURCE},max_atoms=40", np.array([7, 3])) == marks[[6, 2]]).all()
    assert find_cliffs(SOURCE, np.array([1, 1473])) is None  # of another version of the data
    assert find_cliffs("qm9pack", np.arange(9)) is None


def test_the_error_is_that_of_the_marked_molecules(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = read_study(write_study("ace", make_record("gnn", ACTIVITY, source=SOURCE, unit="pK")))
    report = make_report(study)
    marks = find_cliffs(SOURCE, np.arange(400))
    for entry in study.entries:
        assert entry.sample.errors is not None
        errors = entry.sample.errors[:, marks]
        row = report.table.set_index("model").loc[entry.key.model]
        assert row["num_cliffs"] == marks.sum()
        assert row["cliff_mae_mean"] == pytest.approx(errors.mean())
        assert row["cliff_rmse_mean"] == pytest.approx(np.sqrt((errors**2).mean(1)).mean())
        assert row["cliff_mae_low"] < row["cliff_mae_mean"] < row["cliff_mae_high"]
    text = markdown.write(page(report))
    assert "RMSE on cliffs" in text
    assert f"{marks.sum()} of 400" in text


def test_evidence_alone_gives_the_same_table_without_the_package(
    make_record: MakeRecord, write_study: WriteStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_study("ace", make_record("gnn", ACTIVITY, source=SOURCE, unit="pK"))
    tabulate(folder, Console(quiet=True))
    written = (folder / TABLE).read_bytes()
    assert b"cliff_mae_mean" in written
    monkeypatch.setattr("ibbench.record.cliffs.find_cliffs", lambda *_: None)
    assert "Errors on activity cliffs are not told" in markdown.write(page(make_report(read_study(folder))))
    shutil.rmtree(folder / "runs")
    (folder / TABLE).unlink()
    tabulate(folder, Console(quiet=True))
    assert (folder / TABLE).read_bytes() == written


def test_tables_of_other_data_have_no_such_column(make_record: MakeRecord, write_study: WriteStudy) -> None:
    report = make_report(read_study(write_study("qm9", make_record("gnn", {("gap", 0): 0.2}))))
    assert "cliff_mae_mean" not in report.table
    assert "cliffs" not in markdown.write(page(report))
