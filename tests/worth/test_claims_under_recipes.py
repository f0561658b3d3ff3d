"""Which comparisons survive other recipes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ibbench.commands.worth import show_worth
from ibbench.compare.study import gather
from ibbench.record.schema import BaselineEntry, Record
from ibbench.report.claims import claim_sentences
from ibbench.worth.claims import THE_RECIPE, find_claims
from ibbench.worth.worth import make_worth
from tests.compare.conftest import _replica

Make = Callable[..., Record]
SEEDS = range(5)


def _maes(mean: float, model: str) -> dict[tuple[str, int], float]:
    random = np.random.default_rng([len(model), round(1000 * mean)])
    return {("gap", seed): mean * (1 + 0.01 * random.standard_normal()) for seed in SEEDS}


def _records(make_record: Make, gnn: list[float], guard: float = 2.0) -> list[Record]:
    recipes = [{}, {"lr": 0.002}, {"budget": 200}, {"split": "other"}]
    records = []
    for recipe, mae in zip(recipes, gnn, strict=True):
        for model, mean in (("mlp", 0.4), ("gnn", mae)):
            composition = tuple(_replica("gap", seed, guard) for seed in SEEDS)
            baseline = BaselineEntry(name="composition", parameters=6, replicas=composition)
            record = make_record(model, _maes(mean, model), baselines=False, **recipe)
            records.append(record.model_copy(update={"baselines": (baseline,)}))
    return records


def test_a_claim_that_holds_everywhere_is_told_so(make_record: Make) -> None:
    (claim,) = find_claims(gather("s", _records(make_record, [0.3, 0.28, 0.32, 0.3])))
    assert (claim.a, claim.b, claim.num_held, len(claim.trials)) == ("gnn", "mlp", 4, 4)
    names = {trial.recipe for trial in claim.trials}
    assert names == {THE_RECIPE, "optimizer.lr=0.002", "budget.parameters=200", "another split"}
    assert min(trial.ratio[0] for trial in claim.trials) == pytest.approx(0.7, rel=0.03)


def test_the_recipes_that_it_does_not_survive_are_named(make_record: Make) -> None:
    (claim,) = find_claims(gather("s", _records(make_record, [0.3, 0.28, 0.4, 0.5])))
    assert claim.num_held == 2
    assert [trial.recipe for trial in claim.trials if not trial.holds] == ["budget.parameters=200", "another split"]


def test_the_model_that_is_better_under_most_recipes_is_the_one_claimed(make_record: Make) -> None:
    (claim,) = find_claims(gather("s", _records(make_record, [0.5, 0.5, 0.5, 0.3])))
    assert (claim.a, claim.b, claim.num_held) == ("mlp", "gnn", 3)


def test_rows_that_support_no_claim_do_not(make_record: Make) -> None:
    (claim,) = find_claims(gather("s", _records(make_record, [0.3, 0.28, 0.32, 0.3], guard=0.35)))
    assert claim.num_held == 0
    assert all("mlp: it loses to composition" in trial.fault for trial in claim.trials)


def test_equal_models_and_a_single_recipe_make_no_claim(make_record: Make) -> None:
    (claim,) = find_claims(gather("s", _records(make_record, [0.4] * 4)))
    assert claim.num_held == 0
    assert next(claim_sentences([claim])).startswith("gap: at 1,000 labels, neither ")
    one = [record for record in _records(make_record, [0.3] * 4) if record.split_fingerprint == "other"]
    assert find_claims(gather("s", one)) == []


def test_worth_tells_the_claims_of_a_study_without_curves(
    make_record: Make, write_study: Callable[..., Path], capsys: pytest.CaptureFixture
) -> None:
    study = write_study("recipes", *_records(make_record, [0.3, 0.28, 0.4, 0.3]))
    assert show_worth(study, Console(width=200))
    told = "gap: at 1,000 labels, gnn is better than mlp under 3 of 4 recipes (MAE ratio 0.7"
    assert told in " ".join(capsys.readouterr().out.split())
    table = pd.read_csv(study / "claims.csv")
    assert table["holds"].tolist().count(True) == 3
    assert "Claims under other recipes" in (study / "worth.md").read_text()
    assert make_worth(gather("s", _records(make_record, [0.3] * 4))).curves == []
