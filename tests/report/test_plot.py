"""Pictures show the figures of the tables, and are files that open."""

import itertools
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import BarContainer, ErrorbarContainer
from rich.console import Console

from ibbench.commands.plot import show_plots
from ibbench.compare.calibration import calibrate
from ibbench.compare.study import read_study
from ibbench.errors import InputError
from ibbench.record.metrics import MetricsEntry
from ibbench.record.schema import BaselineEntry
from ibbench.report.cells import FAULTY
from ibbench.report.document import Picture
from ibbench.report.plot.ladder import draw_ladder
from ibbench.report.plot.parity import Panel, draw_parity
from ibbench.report.plot.reliability import draw_reliability
from ibbench.report.plot.study import draw_study
from ibbench.report.plot.style import file_stems, looks, write_above
from ibbench.worth.worth import make_worth
from tests.compare.conftest import MakeRecord, WriteStudy

QUIET = Console(quiet=True)


def _figures(study: Path) -> dict[str, Any]:
    return {shape.name: shape.figure for shape in draw_study(read_study(study), study) if isinstance(shape, Picture)}


@pytest.mark.slow
def test_every_picture_is_a_png_and_an_svg_that_open_and_the_same_for_the_same_study(ladder_study: Path) -> None:
    show_plots(ladder_study, QUIET)
    names = ["cost", "ladder", "learning_curves", "parity_gap", "parity_mu", "reliability_gap", "reliability_mu"]
    assert sorted(path.stem for path in ladder_study.glob("*.png")) == names
    assert sorted(path.stem for path in ladder_study.glob("*.svg")) == names
    for name in names:
        pixels = matplotlib.image.imread(ladder_study / f"{name}.png")
        assert min(pixels.shape[:2]) > 300
        assert pixels[..., :3].std() > 0.02  # not blank
        assert (ladder_study / f"{name}.svg").read_text().startswith("<?xml")
    before = {path: path.read_bytes() for path in ladder_study.glob("*.svg")}
    show_plots(ladder_study, QUIET)
    assert {path: path.read_bytes() for path in ladder_study.glob("*.svg")} == before


def test_points_and_bars_are_at_the_errors_of_the_tables(ladder_study: Path) -> None:
    figures = _figures(ladder_study)
    worth = make_worth(read_study(ladder_study))
    axes = next(axes for axes in figures["learning_curves"].axes if "gap" in axes.get_ylabel())
    drawn = {one.get_label(): one.lines[0].get_data() for one in axes.containers if isinstance(one, ErrorbarContainer)}
    for curve in (curve for curve in worth.curves if curve.target == "gap"):
        sizes, maes = drawn[curve.model]
        assert np.array_equal(sizes, curve.sizes)
        assert np.allclose(maes, curve.maes)
    axes = next(axes for axes in figures["ladder"].axes if "gap" in axes.get_xlabel())
    rows = worth.ladder[worth.ladder["target"] == "gap"].set_index("rung")
    bars = [bar for one in axes.containers if isinstance(one, BarContainer) for bar in one]
    assert len(bars) == 3
    for bar, (rung, after) in zip(bars, [("two", "one"), ("three", "two"), ("sideways", "two")], strict=True):
        assert bar.get_x() == pytest.approx(rows.loc[after, "mae_mean"])
        assert bar.get_x() + bar.get_width() == pytest.approx(rows.loc[rung, "mae_mean"])


def test_a_floor_that_was_probed_is_a_line_across_where_it_is_near(ladder_study: Path) -> None:
    curves = make_worth(read_study(ladder_study)).curves
    near = next(curve for curve in curves if curve.target == "gap")
    rows = [
        (curve, 0.8 if curve is near else 0.01 if curve.target == "gap" else 0.0) for curve in curves
    ]  # times the lowest error
    keys = [(curve.target, curve.entries[-1].key, share * curve.maes.min()) for curve, share in rows]
    lines = [f'{target},{key.model},"{key.variant}",floor,least MAE,,{floor}' for target, key, floor in keys]
    text = "\n".join(["target,model,variant,probe,quantity,part,value", *lines, ""])
    (ladder_study / "probes.csv").write_text(text)
    for axes in (axes for axes in _figures(ladder_study)["learning_curves"].axes if axes.get_ylabel()):
        levels = {float(y[0]) for y in (line.get_ydata() for line in axes.lines) if len(y) == 2 and y[0] == y[1]}
        is_gap = "gap" in axes.get_ylabel()
        assert sorted(levels) == pytest.approx([0.8 * near.maes.min()] if is_gap else [])
        assert ("dotted" in axes.get_xlabel()) is is_gap
    (ladder_study / "probes.csv").write_text("something,else\n1,2\n")
    assert "dotted" not in _figures(ladder_study)["learning_curves"].axes[0].get_xlabel()


@pytest.mark.parametrize("targets", [["gap"], ["gap", "mu"]])
def test_the_legend_of_the_ladder_is_as_wide_as_the_picture_at_most(ladder_study: Path, targets: list[str]) -> None:
    ladder = make_worth(read_study(ladder_study)).ladder
    rows = ladder[ladder["target"].isin(targets)]
    verdicts = itertools.cycle(["better", "worse", "not distinguishable", "no claim"])
    figure = draw_ladder(rows.assign(verdict=[next(verdicts) for _ in range(len(rows))]))
    FigureCanvasAgg(figure).draw()
    (legend,) = figure.legends
    assert figure.bbox.x0 <= legend.get_window_extent().x0
    assert legend.get_window_extent().x1 <= figure.bbox.x1


def test_models_differ_without_colour() -> None:
    many = [f"model {number}" for number in range(13)]
    assert len({(look.marker, str(look.linestyle)) for look in looks(many).values()}) == len(many)
    assert len({look.marker for look in looks(many).values()}) == len(many)


def test_names_and_units_of_a_user_are_shown_as_they_are_and_stay_in_the_folder(
    write_study: WriteStudy,
    make_record: MakeRecord,
) -> None:
    maes = {("a/../../b", seed): 0.3 + 0.01 * seed for seed in range(2)}
    study = write_study("strange", make_record("gnn", maes, unit="$\\foo$", baselines=False))
    before = sorted(study.parent.rglob("*"))
    show_plots(study, QUIET)
    new = set(study.parent.rglob("*")) - set(before)
    assert {path.parent for path in new} == {study}
    (svg,) = study.glob("parity_a_.._.._b-*.svg")
    assert svg.with_suffix(".png").exists()
    assert "$\\foo$" in svg.read_text()


def test_each_target_has_files_of_its_own() -> None:
    names = ["gap", "a|b", "a:b", "Y", "y", "\u00e4" * 200, "\u00e4" * 201]
    stems = file_stems(names)
    assert stems[0] == "gap"
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert max(len(stem.encode()) for stem in stems) < 200
    assert file_stems(names[:2])[1] == stems[1]  # whatever other targets there are


def test_parity_counts_what_lies_beyond_its_edges_and_says_seed_and_r2() -> None:
    truth = np.linspace(0, 1, 1000)
    near, far = truth + 0.01, np.where(truth > 0.9, 50.0, truth)
    figure = draw_parity({"near": Panel(truth, near, 3), "far": Panel(truth, far, 4)}, "y", "")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == f"near\nMAE 0.0100, R² {1 - 1e-4 / truth.var():.3g}, seed 3"
    assert titles[1].endswith("seed 4")
    texts = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert texts == [[], ["× 100 beyond the edges"]]
    write_above(figure, "a run is missing")
    assert figure.get_supxlabel() == "true y"  # without a unit, no brackets; what is missing stands elsewhere
    counted = figure.axes[0].collections[0].get_array()
    assert counted.sum() == len(truth)
    assert figure.axes[0].collections[0].norm.vmin < counted.min()  # a single molecule is not white


def test_reliability_has_a_point_at_what_each_bin_states_and_errs_by() -> None:
    generator = np.random.default_rng(0)
    measured = {
        f"of {seeds}": calibrate(generator.normal(size=400) + generator.normal(size=(seeds, 400))) for seeds in (2, 5)
    }
    figure = draw_reliability(measured, "gap", "eV")
    for axes, one in zip(figure.axes, measured.values(), strict=True):
        (line,) = [line for line in axes.lines if line.get_marker() == "o"]
        assert line.get_xdata().tolist() == [part.deviation for part in one.bins]
        assert line.get_ydata().tolist() == [part.rmse for part in one.bins]
        assert len(one.bins) == 10
        assert axes.get_xlim() == axes.get_ylim()
        assert axes.get_xlim()[0] < min(one.bins[0]) and max(part.rmse for part in one.bins) < axes.get_xlim()[1]
        assert f"{one.num_seeds} seeds, {one.coverage * 100:.0f} % in the 90 % interval" in axes.get_title()
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:  # labels of neighbouring ticks do not touch
        boxes = [text.get_window_extent() for text in axes.get_xticklabels() if text.get_text()]
        inside = [box for box in boxes if axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(inside))


def test_many_variants_have_one_mark_per_model_and_numbers_on_the_front(
    write_study: WriteStudy, make_record: MakeRecord
) -> None:
    records = [
        make_record(
            model, {("gap", seed): mae * (1 + rate) + seed / 100 for seed in range(2)}, lr=rate, baselines=False
        )
        for model, mae in (("mlp", 0.4), ("gnn", 0.2))
        for rate in np.linspace(0.1, 1, 8).round(2).tolist()
    ]
    figure = _figures(write_study("many", *records, predictions=False))["cost"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["mlp", "gnn", "gnn (optimizer.lr=0.1)"]
    assert {text.get_text() for axes in figure.axes for text in axes.texts} == {"1"}
    figure.canvas.draw()
    assert figure.bbox.y0 <= legend.get_window_extent().y0  # all of it is in the picture


def test_rows_that_support_no_claim_are_marked(write_study: WriteStudy, make_record: MakeRecord) -> None:
    records = []
    for size in (500, 1000):
        for model, mae in (("mlp", 0.4), ("gnn", 0.2)):
            record = make_record(model, {("gap", 0): mae, ("gap", 1): mae}, train_size=size, baselines=False)
            lower = MetricsEntry(mae=0.3, rmse=0.4, r2=None, mae_over_std=None)
            replicas = tuple(replica.model_copy(update={"test": lower}) for replica in record.replicas)
            guard = BaselineEntry(name="composition", parameters=6, replicas=replicas)
            records.append(record.model_copy(update={"baselines": (guard,)}))
    figures = _figures(write_study("lost", *records, predictions=False))
    for name, axes in (("learning_curves", 1), ("cost", 3)):
        marks = [text for panel in figures[name].axes for text in panel.texts if text.get_text() == FAULTY]
        sizes = 2 if name == "learning_curves" else 1  # at each size, and at the largest along each cost
        assert len(marks) == axes * sizes
        assert {mark.xy[1] for mark in marks} == {0.4}


def test_a_study_of_one_size_has_no_curves_and_one_without_predictions_no_parity(
    write_study: WriteStudy,
    make_record: MakeRecord,
) -> None:
    maes = {("gap", seed): 0.3 + 0.01 * seed for seed in range(2)}
    study = write_study("plain", make_record("gnn", maes), make_record("mlp", maes), predictions=False)
    assert set(_figures(study)) == {"cost"}
    with pytest.raises(InputError, match="has no curve"):
        draw_study(read_study(study), study, by="seconds")
    failed = write_study("failed", make_record("gnn", maes, status="failed", baselines=False))
    with pytest.raises(InputError, match="no finished run"):
        draw_study(read_study(failed), failed)
