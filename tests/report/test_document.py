"""Each writer writes every shape, or leaves it out for a reason."""

import io
import json

import pandas as pd
from rich.console import Console

from ibbench.report import json as json_writer
from ibbench.report import latex, markdown, screen
from ibbench.report.document import Details, Document, Heading, Picture, Points, Remark, Table, legend

ROWS = [
    {"number": "1", "model": "gnn", "test MAE": "0.25 ± 0.01"},
    {"number": "22", "model": "deep_sets", "test MAE": "0.3000"},
]
TABLE = Table(ROWS, "Errors", emphasised=[True, False], headline="test MAE")


def _screen(document: Document, width: int = 200, fold: bool = True) -> str:
    console = Console(width=width, file=io.StringIO())
    screen.show(document, console, fold)
    return console.file.getvalue()


def test_markdown_has_all_shapes_with_a_blank_line_between() -> None:
    document = [
        Heading("Title", level=1),
        Remark("A paragraph."),
        Points(["one", "two"]),
        Points([]),
        TABLE,
        legend("What it means."),
        Picture("cost", None),
    ]
    assert markdown.write(document) == (
        "# Title\n\nA paragraph.\n\n- one\n- two\n\n"
        "## Errors\n\n"
        "| number | model | test MAE |\n| --: | :-- | --: |\n| 1 | gnn | **0.25 ± 0.01** |\n| 22 | deep_sets | 0.3000 |"
        "\n\nWhat it means.\n\n![cost](cost.svg)\n"
    )


def test_a_screen_has_text_columns_first_and_no_details() -> None:
    text = _screen(
        [Heading("Title"), TABLE, Details("more", [Remark("hidden")]), Points(["one", "two"]), Remark("end")]
    )
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[:3] == [["Title"], ["Errors"], ["model", "number", "test", "MAE"]]
    assert lines[4:] == [
        ["gnn", "1", "0.25", "±", "0.01"],
        ["deep_sets", "22", "0.3000"],
        ["one"],
        ["two"],
        ["end"],
    ]


def test_a_table_loses_optional_columns_only_where_it_must() -> None:
    table = TABLE._replace(optional=("number", "test MAE"))
    for width, columns in ((40, ["model", "number", "test MAE"]), (26, ["model", "test MAE"]), (13, ["model"])):
        text = _screen([table], width)
        assert [column for column in TABLE.columns if column in text] == sorted(columns, key=TABLE.columns.index)
        assert "…" not in text


def test_a_narrow_table_stands_in_where_the_wide_one_does_not_fit() -> None:
    table = TABLE._replace(narrow=Table([{"model": "gnn"}], "Short"))
    assert "Errors" in _screen([table], 40)
    assert "Short" in _screen([table], 20)


def test_a_table_without_rows_has_its_header() -> None:
    text = _screen([Table([], "0 bonds", header=("from", "to"))])
    assert [line.split() for line in text.splitlines() if line.strip()][:2] == [["0", "bonds"], ["from", "to"]]


def test_sentences_are_broken_between_words_or_left_to_the_terminal() -> None:
    sentence = "word " * 30
    assert max(map(len, _screen([Remark(sentence)], 40).splitlines())) <= 40
    assert _screen([Remark(sentence)], 40, fold=False).splitlines() == [sentence]


def test_what_looks_like_markup_is_printed_as_it_is() -> None:
    strange = "kJ[/mol] [bold] :smile: :b:"
    text = _screen(
        [
            Remark(strange),
            Points([strange]),
            Heading(strange),
            Table([{strange: "1", "a long name of a unit": strange}], strange),
        ]
    )
    assert text.count(strange) == 6


def test_latex_has_tables_and_remarks_alone() -> None:
    text = latex.write([Heading("Title"), Remark("A remark."), TABLE])
    assert text.startswith(
        "% needs \\usepackage{booktabs}\n% A remark.\n\n% Errors\n\\begin{tabular}{rlr}\n\\toprule\n"
    )
    assert r"1 & gnn & \textbf{0.25 $\pm$ 0.01} \\" in text
    assert r"22 & deep\_sets & 0.3000 \\" in text
    assert "Title" not in text


def test_latex_shows_any_text_as_it_is_and_figures_with_a_minus_sign() -> None:
    row = {"target": "[x] $a|b$ 5% _{}~^\\ -1", "R²": "-0.051", "MAE": "1.2e-9 [-3.4e-9, 2.0e7]"}
    text = latex.write([Table([row])])
    assert r"{}[x] \$a|b\$ 5\% \_\{\}\textasciitilde{}\textasciicircum{}\textbackslash{} -1 &" in text
    assert r"$-$0.051" in text
    assert r"1.2$\times 10^{-9}$ [$-$3.4$\times 10^{-9}$, 2.0$\times 10^{7}$]" in text
    assert latex.write([Remark("No run has finished.")]) == "% No run has finished.\n"


def test_markdown_keeps_a_cell_in_its_cell() -> None:
    text = markdown.write([Table([{"target": "a|b\nc", "model": "gnn"}])])
    assert text.splitlines()[-1] == r"| a\|b c | gnn |"


def test_json_has_all_digits_and_null_for_what_is_unknown() -> None:
    frame = pd.DataFrame({"model": ["gnn", "mlp"], "mae": [0.1 + 0.2, float("nan")], "n": pd.array([3, None], "Int64")})
    assert json.loads(json_writer.write({"rows": frame, "fails": False})) == {
        "rows": [{"model": "gnn", "mae": 0.1 + 0.2, "n": 3}, {"model": "mlp", "mae": None, "n": None}],
        "fails": False,
    }
