"""The draws of a random search, and the experiment that trains them."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.compose import expand
from ibbench.options.config import Config, option_names
from ibbench.options.trial import TUNED, draw
from ibbench.record.folder import read_records

Compose = Callable[..., Config]
TINY = ["data.train_size=64", "trainer.epochs=1", "budget.value=5000", "data.validation_size=100", "data.test_size=200"]


def _drawn(config: Config) -> tuple[float, ...]:
    return config.optimizer.lr, config.optimizer.weight_decay, config.model.depth, config.model.dropout


def _trials(config: Config, count: int, **ranges: object) -> np.ndarray:
    """Draw the first trials of a search, without composing a config for each."""
    assert config.tuning is not None
    tunings = [config.tuning.model_copy(update={"trial": trial} | ranges) for trial in range(count)]
    return np.array([_drawn(draw(config.model_copy(update={"tuning": tuning}))) for tuning in tunings])


@pytest.fixture
def tuned(config: Compose) -> Config:
    return config("+experiment=tuned")


def test_every_model_and_optimizer_gets_the_same_draws(config: Compose) -> None:
    of_trial = {trial: _drawn(config("+experiment=tuned", f"tuning.trial={trial}")) for trial in (3, 0)}
    assert of_trial[3] != of_trial[0]
    for model in model_names():
        assert _drawn(config("+experiment=tuned", f"model={model}", "tuning.trial=3", "seeds=[7]")) == of_trial[3]
    assert _drawn(config("+experiment=tuned", "optimizer=sgd", "tuning.trial=0")) == of_trial[0]


def test_a_draw_follows_from_seed_and_trial_alone(tuned: Config) -> None:
    trials = _trials(tuned, 20)
    assert (trials[:5] == _trials(tuned, 5)).all()  # however many there are
    assert tuned.tuning is not None
    alone = tuned.model_copy(update={"tuning": tuned.tuning.model_copy(update={"trial": 17})})
    assert _drawn(draw(alone)) == tuple(trials[17])  # in whichever order
    assert draw(draw(alone)) == draw(alone)
    assert len(np.unique(trials, axis=0)) == 20
    assert not (_trials(tuned, 20, seed=1)[:, 0] == trials[:, 0]).any()


def test_draws_are_within_their_ranges_and_spread_as_they_should(tuned: Config) -> None:
    assert tuned.tuning is not None
    lr, weight_decay, depth, dropout = _trials(tuned, 300).T
    ranges = tuned.tuning
    for values, (low, high), scale in (
        (lr, ranges.lr, np.log),
        (weight_decay, ranges.weight_decay, np.log),
        (dropout, ranges.dropout, lambda value: value),
    ):
        assert low <= values.min()
        assert values.max() <= high
        places = np.sort((scale(values) - scale(low)) / (scale(high) - scale(low)))
        # Kolmogorov and Smirnov's distance to the uniform distribution; 1.63 / sqrt(n) is exceeded once in a hundred.
        assert np.abs(places - (np.arange(300) + 0.5) / 300).max() < 1.63 / math.sqrt(300)
    assert {*np.unique(depth)} == {*range(ranges.depth[0], ranges.depth[1] + 1)}
    assert np.unique(depth, return_counts=True)[1].min() > 300 / 5 / 2


def test_a_range_of_one_value_is_that_value(tuned: Config) -> None:
    trials = _trials(tuned, 3, lr=(0.0012345, 0.0012345), depth=(3, 3), dropout=(0.0, 0.0))
    assert (trials[:, [0, 2, 3]] == [0.0012345, 3, 0.0]).all()


def test_only_what_is_tuned_changes(config: Compose, tuned: Config) -> None:
    assert set(TUNED) <= set(option_names())
    untuned = config("name=tuned")
    known = dict(zip(("lr", "weight_decay"), _drawn(untuned)[:2], strict=True))
    optimizer = tuned.optimizer.model_copy(update=known)
    model = tuned.model.model_copy(update={"depth": untuned.model.depth, "dropout": untuned.model.dropout})
    assert tuned.model_copy(update={"optimizer": optimizer, "model": model, "tuning": None}) == untuned
    assert draw(untuned) is untuned


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tuning.depth=[6,2]", r"`tuning.depth=\[6,2\]` is not possible: expected the lower end first"),
        ("tuning.dropout=[0.3,0.1]", "`tuning.dropout=.* is not possible: expected the lower end first"),
        ("tuning.lr=[1e-2,1e-4]", "`tuning.lr=.* is not possible: must be two numbers above 0, the lower first"),
        ("tuning.weight_decay=[0,1e-2]", "`tuning.weight_decay=.* is not possible: must be two numbers above 0"),
        ("tuning.dropout=[0,1]", "`tuning.dropout=1` is not possible"),
        ("tuning.trial=-1", "`tuning.trial=-1` is not possible"),
        ("tuning.trails=1", "did you mean `tuning.trial`"),
    ],
)
def test_impossible_ranges_are_refused(config: Compose, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        config("+experiment=tuned", override)


def test_a_sweep_may_be_a_range() -> None:
    assert expand(["tuning.trial=range(0,3)"]) == [[f"tuning.trial={trial}"] for trial in range(3)]
    assert expand(["tuning.trial=range(0,16)", "tuning.trial=1,2"]) == [["tuning.trial=1"], ["tuning.trial=2"]]


@pytest.mark.slow
def test_a_search_is_trained_resumed_and_extended(ibbench: Callable, tmp_path: Path) -> None:
    def train(trials: str) -> str:
        run = ibbench("train", "+experiment=tuned", f"tuning.trial={trials}", "model=mlp,deep_sets", "seeds=[0]", *TINY)
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        return run.stdout

    assert train("0,1,2").count(", to do") == 6
    study = tmp_path / "results" / "tuned"
    before = {path: path.stat().st_mtime_ns for path in study.glob("runs/*/record.json")}
    assert len(before) == 6
    assert train("0,1,2").count("done before") == 6
    extended = train("range(0,4)")
    assert extended.count(", to do") == 2
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    records = read_records(study)
    assert sorted(record.trial for record in records if record.trial is not None) == [0, 0, 1, 1, 2, 2, 3, 3]
    draws = {(record.trial, record.config["optimizer"]["lr"], record.config["model"]["depth"]) for record in records}
    assert len(draws) == 4  # both models have the same
    table = pd.read_csv(study / "table.csv")
    assert table["model"].tolist() == ["mean", "composition", "mlp", "deep_sets"]
    tuning = pd.read_csv(study / "tuning.csv")
    for model, part in tuning.groupby("model"):
        found = {
            record.trial: record.replicas[0].validation.mae
            for record in records
            if record.config["model"]["name"] == model
        }
        assert set(part["chosen_trial"]) == {min(found, key=lambda trial: found[trial])}
        assert part["validation_mae"].iloc[-1] == pytest.approx(min(found.values()), rel=1e-3)
        assert part["validation_mae"].iloc[0] == pytest.approx(np.mean(list(found.values())), rel=1e-3)
