"""A page of a study is whole, stands alone, and shows what was measured as it is."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from ibbench.commands.report import tell_study
from ibbench.compare.study import read_study
from ibbench.compare.worst import find_worst
from ibbench.data.cache import CacheError
from ibbench.data.dataset import DataSet
from ibbench.data.stored import read_smiles
from ibbench.report import html
from ibbench.report.citation import cite
from ibbench.report.document import Details, Drawing, Gallery, Heading, Listing, Picture, Points, Remark, Table
from ibbench.report.plot.study import find_largest
from ibbench.report.worst import draw_molecule
from tests.compare.conftest import MakeRecord, WriteStudy
from tests.report.page_parts import Page

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
HOSTILE = "</td><script>alert(1)</script> & \"quoted\" 'C#N'"


def _write(study: Path) -> str:
    return html.write(tell_study(read_study(study), study), "a study")


@pytest.fixture(scope="module")
def learning_curve(qm9: DataSet) -> str:  # noqa: ARG001 (whose cache names the molecules)
    return _write(ROOT / "results" / "learning_curve")


def test_a_committed_study_has_all_of_its_claims_and_parts_on_one_small_page(learning_curve: str) -> None:
    page = Page(learning_curve)
    text = (ROOT / "results/learning_curve/worth.md").read_text()
    claims = re.findall(r"^- (.* assumes is worth .*|.* not distinguishable .*)$", text, re.MULTILINE)
    assert len(claims) == 9
    assert set(claims) <= set(page.texts)
    parts = ["Claims", "What assumptions are worth", "Comparison", "Predictions", "Training", "Config", "Provenance"]
    places = [page.texts.index(part, page.texts.index("How to cite") + 1) for part in [*parts, "How to cite"]]
    assert places == sorted(places)  # after those of the contents
    assert len(learning_curve.encode()) < 3e6
    assert page.tags["svg"] == 3 + 1 + 3 + 3 + 3 * 6  # curves, cost, parity, reliability, molecules
    cells = {cell for row in page.rows for cell, _ in row}
    assert {"0.2248 ± 0.0023", "best", "worse", "tuning.trials=[5,2,1]"} <= cells | {*" ".join(page.texts).split()}
    assert any("140022" in text for text in page.texts)


def test_a_page_stands_alone_and_its_ids_are_unique(learning_curve: str) -> None:
    page = Page(learning_curve)
    assert all(address.startswith(("data:", "#")) for address in page.loaded)
    assert all(address.startswith(("#", "https://doi.org/")) for address in page.links)
    assert not re.search(r"url\((?!#)|@import|<iframe|<object", learning_curve)
    assert len(set(page.ids)) == len(page.ids)
    inside = {address[1:] for address in [*page.loaded, *page.links] if address.startswith("#")}
    inside |= set(re.findall(r"url\(#([^)]+)\)", learning_curve))
    assert inside
    assert inside <= set(page.ids)
    assert page.tags["script"] == page.tags["style"] == page.tags["h1"] == 1


def test_the_same_study_gives_the_same_page(write_study: WriteStudy, make_record: MakeRecord) -> None:
    study = write_study("same", make_record("mlp", {("gap", 0): 0.5, ("gap", 1): 0.6}))
    assert _write(study) == _write(study)


def test_no_name_can_break_a_page() -> None:
    figure = Figure()
    figure.subplots().set_title("<b>&amp;</b>")
    drawing = Drawing(draw_molecule("CCO"), [HOSTILE])
    document = [
        Heading(HOSTILE, level=1), Remark(HOSTILE), Points([HOSTILE]), Listing(HOSTILE), Gallery([drawing]),
        Details(HOSTILE, [Remark(f"`{HOSTILE}`")]), Table([{HOSTILE: HOSTILE}], HOSTILE),
        Picture("p", figure, HOSTILE),
    ]  # fmt: skip
    page = Page(html.write(document, HOSTILE))
    assert page.tags["script"] == 1
    assert page.tags["b"] == 0
    assert "<b>&amp;</b>" in page.texts
    # Title, heading, remark, item, listing, name, summary, code, two titles and cells of the table, caption.
    assert page.texts.count(HOSTILE) == 12


def test_a_model_with_a_name_of_markup_is_named_as_it_is(write_study: WriteStudy, make_record: MakeRecord) -> None:
    name = "<i>&x"
    maes = {("gap", 0): 0.5, ("gap", 1): 0.6}
    study = write_study("odd", make_record(name, maes), make_record("mlp", {who: 2 * mae for who, mae in maes.items()}))
    page = Page(_write(study))
    assert page.tags["i"] == 0
    assert name in {cell for row in page.rows for cell, _ in row}


def test_columns_are_sorted_by_the_figures_that_people_read() -> None:
    cells = {
        "MAE": ["0.2496 ± 0.0022 †", "1,000", "more than 4.0 [2.8, > 4.0]", "", "-0.5 [-1, 0]", "1.2e-5", "< 0.0001"],
        "rung": ["1. mlp", "10. gnn", "2. gat", "3. x", "4. y", "5. z", "6. w"],
        "text": ["3", "mlp", "", "", "", "", ""],
        "code": ["3abc", "1", "", "", "", "", ""],
    }
    rows = [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]
    found = list(zip(*Page(html.write([Table(rows)], "t")).rows[1:], strict=True))
    values = [[value and float(value) for _, value in column] for column in found]
    assert values[0] == [0.2496, 1000, 4, None, -0.5, 1.2e-5, 0.0001]
    assert values[1] == [1, 10, 2, 3, 4, 5, 6]
    assert values[2] == values[3] == [None] * 7


def test_pictures_that_would_make_a_page_too_large_are_named_and_left_out() -> None:
    figure = Figure()
    figure.subplots().plot(np.arange(18_000), np.arange(18_000) % 7, "o")
    content = html.write([Heading("large", 1), *(Picture(f"many_{number}", figure) for number in range(3))], "large")
    assert len(content.encode()) < 3e6
    assert "The picture many_2 is left out" in content
    assert "The picture many_0" not in content


def test_the_worst_molecules_are_those_with_the_largest_errors_over_all_seeds(
    write_study: WriteStudy, make_record: MakeRecord
) -> None:
    maes = {("gap", seed): 0.5 + 0.1 * seed for seed in range(3)}
    records = [make_record("gnn", maes), make_record("mlp", {who: 2 * mae for who, mae in maes.items()})]
    study = write_study("worst", *records)
    read = read_study(study)
    (entries,) = find_largest(read).values()
    worst = find_worst(study, read, entries, 5, 8)
    assert worst
    arrays = np.load(study / "runs" / records[0].run / "predictions.npz")
    errors = np.abs(arrays["prediction"] - arrays["truth"]).mean(0)
    assert worst.best.key.model == "gnn"
    assert set(worst.places) == set(arrays["index"][np.argsort(-errors)[:5]])
    assert list(worst.error) == sorted(worst.error, reverse=True)
    assert np.allclose(worst.error, errors[worst.places], rtol=0.05)
    assert [entry.key.model for entry, _ in worst.predicted] == ["gnn", "mlp"]


def test_molecules_are_named_by_the_cache_of_their_data_set_only(
    qm9: DataSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places = np.array([7, 100_000])
    ids = qm9.ids[places].numpy()
    assert read_smiles(qm9.source, "implicit", places, ids) == [qm9.smiles[place] for place in places]
    with pytest.raises(CacheError, match="is of other molecules than the study"):
        read_smiles(qm9.source, "implicit", places, ids + 1)
    with pytest.raises(CacheError, match="is of other molecules than the study"):
        read_smiles(qm9.source, "implicit", places + len(qm9), ids)
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path))
    with pytest.raises(CacheError, match="is not on this machine"):
        read_smiles(qm9.source, "implicit", places, ids)
    assert not list(tmp_path.iterdir())


def test_a_page_without_predictions_or_data_says_so(
    write_study: WriteStudy, make_record: MakeRecord, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IBBENCH_CACHE", str(tmp_path / "none"))
    maes = {("gap", 0): 0.5, ("gap", 1): 0.6}
    page = Page(_write(write_study("undrawn", make_record("mlp", maes))))
    told = " ".join(page.texts)
    assert "They are not drawn, since the data cache is not on this machine" in told
    assert "No training curves: history.csv" in told
    told = " ".join(Page(_write(write_study("bare", make_record("mlp", maes), predictions=False))).texts)
    assert "no parity plot of gap: its predictions.npz are not there" in told
    assert "predicts worst" not in told
    assert "gap, 1,000 train molecules: best: mlp with 0.5500 ± 0.0707 eV" in told


def test_qm9_is_cited_where_the_data_are_its() -> None:
    def papers(source: str) -> str:
        return str(cite("s", ["1.0"], [], [source]))

    assert "Ramakrishnan" in papers("qm9pack")
    assert "Ruddigkeit" in papers("qm9pack")
    for other in ("csv:0123", "unheard-of"):
        assert "Ramakrishnan" not in papers(other)
        assert "@software{ibbench" in papers(other)
