"""The words of a comparison say what its numbers say, in every format."""

import io
import json

import pytest
from rich.console import Console

from ibbench.commands.table import FORMATS, tabulate
from ibbench.compare.comparison import Report, make_report
from ibbench.compare.study import gather, read_study
from ibbench.record.schema import Record
from ibbench.report import json as json_writer
from ibbench.report import latex, markdown, screen
from ibbench.report.comparison import brief, content, page, tables
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)
GAP = {("gap", 0): 0.2, ("gap", 1): 0.3, ("gap", 2): 0.4}


def _report(*records: Record) -> Report:
    return make_report(gather("x", list(records)))


def _page(report: Report) -> str:
    return markdown.write(page(report))


def _screen(report: Report, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), markup=False)
    screen.show(brief(report), console)
    return console.file.getvalue()


def test_mean_and_deviation_are_shown_with_the_same_decimals(make_record: MakeRecord) -> None:
    maes = {("gap", 0): 0.25, ("gap", 1): 0.253, ("u0", 0): 12_345.6, ("u0", 1): 12_345.6}
    text = _page(_report(make_record("gnn", maes)))
    assert "| **0.2515 ± 0.0021** |" in text
    assert "| 12346 ± 0 |" in text


def test_every_format_holds_the_figures(
    make_record: MakeRecord, write_study: WriteStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    half = {key: mae / 2 for key, mae in GAP.items()}
    study = write_study("formats", make_record("deep_sets", GAP), make_record("gnn", half))
    for style in FORMATS:
        tabulate(study, Console(width=200), style)
        output = capsys.readouterr().out
        assert "0.15" in output
        assert "gnn" in output
    report = make_report(read_study(study))
    told = json.loads(json_writer.write(content(report)))
    assert [row["model"] for row in told["rows"]] == ["mean", "deep_sets", "gnn"]
    assert told["rows"][0]["train_seconds"] is None
    assert told["pairs"][-1]["verdict"] == "gnn better"
    tabular = latex.write(tables(report))
    assert r"deep\_sets & 0.3000 $\pm$ 0.1000" in tabular
    assert r"\textbf{0.1500 $\pm$ 0.0500}" in tabular


def test_the_terminal_drops_costs_before_it_cuts_names(make_record: MakeRecord) -> None:
    records = [
        make_record("graph_transformer", {("gap", seed): 0.3 + seed / 100 for seed in range(3)}, lr=lr)
        for lr in (0.001, 0.0025)
    ]
    text = _screen(_report(*records), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "optimizer.lr=0.001" in text
    assert "optimizer.lr=0.0025" in text
    assert "params" not in text


def test_options_of_a_variant_are_not_broken_on_a_narrow_terminal(make_record: MakeRecord) -> None:
    records = [make_record("graph_transformer", GAP, lr=lr, parameters=1_000_000) for lr in (1e-5, 0.0123456)]
    for record in records[:2]:
        optimizer = record.config["optimizer"] | {"name": "sgd_momentum"}
        records.append(record.model_copy(update={"config": record.config | {"optimizer": optimizer}}))
    text = _screen(_report(*records), 80)
    assert max(map(len, text.splitlines())) <= 80
    words = text.split()
    for word in ("optimizer.lr=0.0123456", "optimizer.lr=1e-05", "optimizer=sgd_momentum"):
        assert word in words


def test_units_with_brackets_are_printed_as_they_are(make_record: MakeRecord) -> None:
    assert "gap in kJ[/mol]" in _screen(_report(make_record("gnn", GAP, unit="kJ[/mol]")), 100)


def test_a_study_of_failures_has_all_formats(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("failures", make_record("gnn", GAP, status="failed"))
    for style in FORMATS:
        tabulate(study, QUIET, style)
        assert "No run has finished." in (study / "table.md").read_text()
        assert len((study / "table.csv").read_text().splitlines()) == 1  # the header


def test_pairs_that_nobody_would_read_are_left_to_the_csv(make_record: MakeRecord) -> None:
    few, many = (_page(_report(*(make_record(f"m{number}", GAP) for number in range(count)))) for count in (3, 12))
    assert few.count("| not distinguishable") + few.count("| identical") >= 3
    assert "P(A < B)" in few
    assert "## Pairs\n\n66 pairs of trained models were compared: see pairs.csv.\n\n" in many
    assert "P(A < B)" not in many
