"""`ibbench.compare` finds what has become worse, and can be called whatever else of its folder is imported."""

import importlib

import ibbench
from tests.compare.conftest import MakeRecord, WriteStudy


def test_what_is_worse_and_only_that_is_a_regression(make_record: MakeRecord, write_study: WriteStudy) -> None:
    def maes(of_seeds: float) -> dict[tuple[str, int], float]:
        return {("gap", seed): of_seeds * (1 + 0.001 * seed) for seed in range(5)}

    old = write_study("old", make_record("mlp", maes(0.5)), make_record("gnn", maes(0.3)))
    new = write_study("new", make_record("mlp", maes(0.6)), make_record("gnn", maes(0.2)))
    there, back = ibbench.compare(old, new), ibbench.compare(ibbench.load_study(new), ibbench.load_study(old))
    assert there.regressions["model"].tolist() == ["mlp"]
    assert back.regressions["model"].tolist() == ["gnn"]
    assert set(there.table["model"]) == {"mean", "mlp", "gnn"}
    assert there.regressions["delta"].item() > 0


def test_the_name_is_a_function_and_a_folder_of_the_package(make_record: MakeRecord, write_study: WriteStudy) -> None:
    study = write_study("one", make_record("mlp", {("gap", 0): 0.5}))
    importlib.import_module("ibbench.compare.verdict")
    assert ibbench.compare(study, study).regressions.empty
    from ibbench import compare

    assert compare(study, study).names == (str(study), str(study))
