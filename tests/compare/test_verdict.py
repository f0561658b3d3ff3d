"""Verdicts are short whatever the errors are."""

import pytest

from ibbench.compare.comparison import make_report
from ibbench.compare.study import gather
from tests.compare.conftest import MakeRecord


@pytest.mark.parametrize("factor", [1.5, 50.0, 1e6])
def test_a_difference_that_no_float_holds_is_told_in_few_words(make_record: MakeRecord, factor: float) -> None:
    one = {("gap", 0): 0.3, ("gap", 1): 0.3 * factor}
    other = {("gap", 0): 0.3 * factor, ("gap", 1): 0.3}
    records = [make_record("gnn", one, baselines=False), make_record("mlp", other, baselines=False)]
    verdicts = make_report(gather("x", records)).table["verdict_vs_best"]
    (verdict,) = (text for text in verdicts if text != "best")
    assert verdict.startswith("not distinguishable")
    assert len(verdict) < 100
