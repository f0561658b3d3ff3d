"""Few test molecules, and train sets that are nearly one: a table and a diff say so in every format."""

import pytest
from rich.console import Console

from ibbench.commands.table import tabulate
from ibbench.compare.comparison import make_report
from ibbench.compare.diff import diff
from ibbench.compare.side import read_side
from ibbench.compare.study import gather, read_study
from ibbench.record.schema import Record, SplitSizesEntry
from ibbench.report import json as json_writer
from ibbench.report import markdown
from ibbench.report.comparison import content as table_content
from ibbench.report.comparison import page as table_page
from ibbench.report.diff import content, page
from tests.compare.conftest import MakeRecord, WriteStudy
from tests.compare.test_diff import BETTER, GAP

QUIET = Console(quiet=True)


def test_few_test_molecules_and_shared_train_sets_are_said(make_record: MakeRecord, write_study: WriteStudy) -> None:
    sizes = {"validation_size": 0.1, "test_size": 40}
    old, new = (
        write_study(name, _with_data(make_record("gnn", maes, train_size=80_000), sizes), molecules=40)
        for name, maes in (("old", GAP), ("new", BETTER))
    )
    for study in (old, new):
        tabulate(study, QUIET)
    report = make_report(read_study(new))
    compared = diff(read_side(str(old)), read_side(str(new)), 0.02)
    share = 80_000 / (130_831 - 13_083 - 40)
    assert report.table["train_share"].tolist() == pytest.approx([share] * 2)
    for text in (
        markdown.write(table_page(report)), markdown.write(page(compared)),
        json_writer.write(table_content(report)), json_writer.write(content(compared, False)),
    ):  # fmt: skip
        assert "Only 40 test molecules" in text
        assert "Seeds share their train molecules (68% at 80,000)" in text
    assert "| best; for this pool |" in markdown.write(table_page(report))
    for side in (new, new / "table.csv"):
        assert "; for this pool |" in markdown.write(page(diff(read_side(str(old)), read_side(str(side)), 0.02)))
    many = write_study("many", _with_data(make_record("gnn", GAP), sizes), molecules=100)
    assert make_report(read_study(many)).table["train_share"].iloc[0] < 0.01
    said = json_writer.write(table_content(make_report(read_study(many))))
    assert "test molecules:" not in said
    assert "Seeds share" not in said
    # A record says the sizes itself, whatever the data set.
    entry = SplitSizesEntry(train_pool=1250, validation=100, test=99)
    said = make_record("gnn", GAP, source="csv:1").model_copy(update={"split_sizes": entry})
    (row, _) = make_report(gather("said", [said])).table.to_dict("records")
    assert (row["train_share"], row["num_test_molecules"]) == (0.8, 99)


def _with_data(record: Record, options: dict[str, float]) -> Record:
    return record.model_copy(update={"config": record.config | {"data": record.config["data"] | options}})
