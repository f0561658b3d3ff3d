"""Files as other programs write them are read as they are meant, or refused in a sentence."""

import csv
import io
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibbench.data.cells import decode, read_cells, read_number
from ibbench.data.dataset import load_dataset
from ibbench.errors import InputError
from ibbench.options.config import Config

NAMES = ["smiles", "y"]
COLUMNS = {"smiles": ["CCO", "CC"], "y": ["1", "2.5"]}


@pytest.mark.parametrize(
    "text",
    [
        "smiles,y\nCCO,1\nCC,2.5\n",
        "smiles;y\nCCO;1\nCC;2.5\n",
        "smiles\ty\r\nCCO\t1\r\nCC\t2.5",
        "smiles|y\rCCO|1\rCC|2.5\r",
        "sep=,\nsmiles,y\nCCO,1\nCC,2.5\n",
        "SEP=;\r\nsmiles;y\r\nCCO;1\r\nCC;2.5\r\n",
        "y, smiles \n1,CCO\n\n2.5,CC\n\n",
        'name,"y ",smiles\n"a, b",1,CCO\nc,2.5,"CC"\n',
        "a,b;y;smiles\n1,2;1;CCO\n3,4;2.5;CC\n",
    ],
)
def test_files_of_other_programs_have_the_same_cells(text: str) -> None:
    cells = read_cells(text, "my.csv", NAMES)
    assert cells.columns == COLUMNS
    assert not cells.broken


def test_rows_have_the_lines_of_the_file() -> None:
    text = 'sep=,\r\nsmiles,y\r\nCCO,1\r\n\r\n"C\n\nC",2\r\nCC,"3\u2028"\r\nCC\r\nC,4'
    assert read_cells(text, "my.csv", NAMES).lines == [3, 5, 8, 9, 10]
    assert read_cells(text, "my.csv", NAMES).broken == {3: (["CC"], "1 cells under 2 columns")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "smiles;z\nCCO;1\n",
            r"my.csv has no column `y`: expected one of: smiles, z \(between its columns stands `;`\)",
        ),
        ("smiles y\nCCO 1\n", "no column `smiles`: .*smiles y"),
        ("smiles,y, y\nCCO,1,2\n", "my.csv has several columns `y`: expected one"),
        ('smiles,y\n"CC"O,1\n', "no readable CSV: line 2: behind a closing quote there is more text"),
        ('smiles,y\nC,1\n\n"CC,1\nC,2\n', "no readable CSV: line 4: a quote is opened and not closed"),
        ("smiles,y\n", "my.csv has a header but no rows"),
        ("", "my.csv has no column `smiles`"),
    ],
)
def test_what_is_no_table_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_cells(text, "my.csv", NAMES)


@pytest.mark.parametrize(
    ("encoding", "said", "given"),
    [
        (
            "latin-1",
            "not text in UTF-8: line 2 has the byte 0xf6. Give its encoding, such as data.encoding=cp1252",
            None,
        ),
        ("utf-16", "is not text in UTF-8: .* such as data.encoding=utf-16", None),
        ("latin-1", "is not text in ascii: line 2 has the byte 0xf6", "ascii"),
    ],
)
def test_another_encoding_is_named(encoding: str, said: str, given: str | None) -> None:
    content = "smiles,y\nlöslich,1\n".encode(encoding)
    with pytest.raises(InputError, match=said):
        decode(content, "my.csv", given)
    assert decode(content, "my.csv", encoding) == "smiles,y\nlöslich,1\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"])
def test_a_file_in_any_encoding_can_be_read(encoding: str, tmp_path: Path, config: Callable[..., Config]) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes("SMILES;Löslichkeit\r\nCCO;-0,77\r\nCC;1,5\r\n".encode(encoding))
    given = [] if encoding.startswith("utf-8") else [f"data.encoding={encoding}"]
    columns = ["data.smiles_column=SMILES", "data.target_columns=[Löslichkeit]", "data.decimal=comma", *given]
    dataset = load_dataset(config("data=csv", f"data.path={path}", *columns).data)
    assert dataset.values.tolist() == [[-0.77], [1.5]]


def test_an_encoding_that_does_not_exist_is_refused(config: Callable[..., Config]) -> None:
    for name in ("utf-9", "hex", "rot13"):
        with pytest.raises(
            InputError, match=f"`data.encoding={name}` is not possible: expected the name of an encoding"
        ):
            config("data=csv", "data.path=a.csv", "data.target_columns=[y]", f"data.encoding={name}")


def test_a_decimal_comma_is_named() -> None:
    assert read_number(" -0,77 ", ".")[1] == "it is no number (data.decimal=comma takes it for one)"
    assert read_number("-0,77", ",") == (-0.77, "")
    assert read_number("1.5", ",")[1] == "it is no number (data.decimal=point takes it for one)"
    assert read_number("1.234,5", ",")[1] == "it is no number"


@pytest.mark.parametrize(
    "text", ["1_000", "١٠", "nan", "inf", "-Infinity", "0x10", "1e999", "1,000.5", "1 000", "−1", "½"]
)
def test_what_only_python_takes_for_a_number_is_none(text: str) -> None:
    number, why = read_number(text, ".")
    assert math.isnan(number)
    assert why


@settings(max_examples=50, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e300"), max_value=Decimal("1e300")))
def test_a_number_is_read_as_it_is_written(number: Decimal) -> None:
    assert read_number(str(number), ".") == (float(number), "")
    assert read_number(str(number).replace(".", ","), ",") == (float(number), "")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.text(), st.text()), min_size=1),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_text_comes_back_from_any_cell(rows: list[tuple[str, str]], separator: str, end: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL).writerows([NAMES, *rows])
    content = text.getvalue().encode()
    cells = read_cells(decode(content, "my.csv", None), "my.csv", NAMES)
    assert list(zip(*cells.columns.values(), strict=True)) == rows
    assert not cells.broken


@settings(max_examples=100, deadline=None)
@given(st.binary(), st.sampled_from([None, "utf-8", "latin-1", "utf-16"]))
def test_any_bytes_are_a_table_or_a_message(content: bytes, encoding: str | None) -> None:
    header = b"" if encoding == "utf-16" else b"smiles,y\n"
    try:
        cells = read_cells(decode(header + content, "my.csv", encoding), "my.csv", NAMES)
    except InputError as error:
        assert "my.csv" in str(error)
    else:
        assert {len(column) for column in cells.columns.values()} == {len(cells.lines)}
        assert cells.lines == sorted(set(cells.lines))
