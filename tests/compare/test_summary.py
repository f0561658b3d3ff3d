import pandas as pd
import pytest
from scipy import stats

from ibbench.compare.study import gather
from ibbench.compare.summary import count_blocks, critical_difference, summarise
from ibbench.data.targets import QM9_TARGETS
from tests.compare.conftest import MakeRecord

ERRORS = {  # target: MAE of mlp, deep_sets, gnn
    "mu": (0.5, 0.4, 0.3),
    "gap": (0.30, 0.25, 0.04),
    "cv": (0.9, 1.0, 0.8),
    "zpve": (0.02, 0.01, 0.001),
    "r2": (9.0, 8.0, 7.0),
    "alpha": (3.0, 2.0, 1.0),
}
MODELS = ("mlp", "deep_sets", "gnn")


def _summary(make_record: MakeRecord, errors: dict[str, tuple[float, ...]]) -> pd.DataFrame:
    records = []
    for row, model in enumerate(MODELS):
        record = make_record(model, {(target, 0): maes[row] for target, maes in errors.items()}, baselines=False)
        in_units = [entry.model_copy(update={"unit": QM9_TARGETS[entry.target].unit}) for entry in record.replicas]
        records.append(record.model_copy(update={"replicas": tuple(in_units)}))
    return summarise(gather("x", records).entries).set_index("model")


def test_ranks_and_tests_are_those_of_demsar(make_record: MakeRecord) -> None:
    # Demsar 2006: q is 2.343 for 3 classifiers and 2.569 for 4; section 3.2.2 has CD = 1.25 for 4 on 14 data sets.
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.01)
    assert critical_difference(3, 6) == pytest.approx(2.343 * (3 * 4 / 36) ** 0.5, abs=0.001)
    summary = _summary(make_record, ERRORS)
    assert summary["mean_rank"].tolist() == pytest.approx([17 / 6, 13 / 6, 1.0])
    assert summary["friedman_p"].iloc[0] == pytest.approx(
        stats.friedmanchisquare(*zip(*ERRORS.values(), strict=True)).pvalue
    )
    assert summary["within_chemical_accuracy"].tolist() == ["0 of 6", "0 of 6", "2 of 6"]
    assert summary.loc["gnn", "mae_over_std_mean"] == pytest.approx(sum(row[2] for row in ERRORS.values()) / 1.3 / 6)


def test_four_energies_are_one_quantity(make_record: MakeRecord) -> None:
    assert count_blocks(["u0", "u", "h", "g", "u0_atom", "g_atom", "gap"]) == 3
    energies = dict.fromkeys(("u0", "u", "h", "g"), ERRORS["gap"]) | {"mu": ERRORS["mu"], "cv": ERRORS["cv"]}
    assert _summary(make_record, energies)["critical_difference"].isna().all()
    assert _summary(make_record, ERRORS)["critical_difference"].notna().all()


def test_ranks_do_not_depend_on_the_units(make_record: MakeRecord) -> None:
    scaled = ERRORS | {"mu": tuple(1000 * mae for mae in ERRORS["mu"])}
    assert _summary(make_record, scaled)["mean_rank"].tolist() == _summary(make_record, ERRORS)["mean_rank"].tolist()


def test_one_target_has_no_summary_and_incomplete_models_are_left_out(make_record: MakeRecord) -> None:
    assert _summary(make_record, {"gap": ERRORS["gap"]}).empty
    records = [make_record("gnn", {("gap", 0): 0.1, ("mu", 0): 0.2}), make_record("mlp", {("gap", 0): 0.1})]
    assert summarise(gather("x", records).entries)["model"].tolist() == ["mean", "gnn"]
