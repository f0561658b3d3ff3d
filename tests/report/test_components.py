"""The picture of error against the number of principal components."""

import numpy as np

from ibbench.compare.study import read_study
from ibbench.record.metrics import MetricsEntry
from ibbench.record.schema import BaselineEntry, Record, ReplicaEntry
from ibbench.report.document import Picture
from ibbench.report.plot.components import draw_components, find_components
from ibbench.report.plot.study import draw_study
from tests.compare.conftest import MakeRecord, WriteStudy

ERRORS = {"flat:16+ridge": 0.5, "flat:2+ridge": 0.8, "flat:128+ridge": 0.4, "flat+ridge": 0.39, "morgan+ridge": 0.3}


def _record(make_record: MakeRecord, errors: dict[str, float]) -> Record:
    record = make_record("mlp", {("gap", seed): 0.2 for seed in (0, 1)})
    added = []
    for name, mae in errors.items():
        of_seeds = [MetricsEntry(mae=mae + seed / 100, rmse=1, r2=None, mae_over_std=None) for seed in (0, 1)]
        replicas = tuple(
            ReplicaEntry(
                target="gap", seed=seed, unit="eV", best_epoch=0, epochs=0, train=one, validation=one, test=one
            )
            for seed, one in enumerate(of_seeds)
        )
        added.append(BaselineEntry(name=name, parameters=1, replicas=replicas))
    return record.model_copy(update={"baselines": (*record.baselines, *added)})


def test_the_line_of_a_pair_has_its_errors_by_the_number_of_components(
    make_record: MakeRecord, write_study: WriteStudy
) -> None:
    folder = write_study("compressed", _record(make_record, ERRORS), predictions=False)
    study = read_study(folder)
    lines = find_components(study.entries)
    assert list(lines) == ["flat+ridge"]
    assert [count for count, _ in lines["flat+ridge"]] == [2, 16, 128]
    (axes,) = draw_components(lines, study.entries).axes
    drawn = {str(line.get_label()): line for line in axes.lines}
    places, errors = drawn["flat+ridge"].get_data()
    assert list(places) == [2, 16, 128]
    np.testing.assert_allclose(errors, [0.805, 0.505, 0.405])
    np.testing.assert_allclose(drawn["flat+ridge, all"].get_ydata(), 0.395)
    assert set(axes.get_xticks()) >= {2, 16, 128}
    assert "components_gap" in {shape.name for shape in draw_study(study, folder) if isinstance(shape, Picture)}


def test_one_number_of_components_is_no_line(make_record: MakeRecord, write_study: WriteStudy) -> None:
    few = {"flat:2+ridge": 0.8, "morgan:4+ridge": 0.5, "flat+ridge": 0.39}
    study = read_study(write_study("few", _record(make_record, few), predictions=False))
    assert find_components(study.entries) == {}
