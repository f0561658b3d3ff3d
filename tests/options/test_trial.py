"""The hyper-parameters that each seed draws for itself."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from ibbench.errors import InputError
from ibbench.models import model_names
from ibbench.options.config import Config
from ibbench.options.trial import Stage, Trial, draw_trials, list_stages

Compose = Callable[..., Config]
TUNED = "tuning=halving"


def test_every_model_and_optimizer_gets_the_same_draws(config: Compose) -> None:
    one = draw_trials(config(TUNED), 7)
    assert one != draw_trials(config(TUNED), 8)
    for model in model_names():
        assert draw_trials(config(TUNED, f"model={model}", "seeds=[7]", "trainer.steps=100"), 7) == one
    assert draw_trials(config(TUNED, "optimizer=sgd"), 7) == one


def test_every_part_of_the_range_of_rates_has_one_draw(config: Compose) -> None:
    tuned = config(TUNED)
    assert tuned.tuning is not None
    for seed in range(50):
        rates = np.log([trial.lr for trial in draw_trials(tuned, seed)])
        low, high = np.log(tuned.tuning.lr)
        assert np.floor(5 * (rates - low) / (high - low)).tolist() == [0, 1, 2, 3, 4]


def test_draws_are_within_their_ranges_and_spread_as_they_should(config: Compose) -> None:
    tuned = config(TUNED)
    assert tuned.tuning is not None
    lr, weight_decay, dropout = np.array([draw_trials(tuned, seed) for seed in range(60)]).reshape(-1, 3).T
    ranges = tuned.tuning
    for values, bounds, scale in (
        (lr, ranges.lr, np.log),
        (weight_decay, ranges.weight_decay, np.log),
        (dropout, ranges.dropout, lambda value: value),
    ):
        assert bounds is not None
        low, high = bounds
        assert low <= values.min()
        assert values.max() <= high
        places = np.sort((scale(values) - scale(low)) / (scale(high) - scale(low)))
        # Kolmogorov and Smirnov's distance to the uniform distribution; 1.63 / sqrt(n) is exceeded once in a hundred.
        assert np.abs(places - (np.arange(300) + 0.5) / 300).max() < 1.63 / math.sqrt(300)


def test_each_stage_trains_twice_as_long_as_the_one_before(config: Compose) -> None:
    assert list_stages(config()) == [Stage(1, 1.0)]
    assert list_stages(config(TUNED)) == [Stage(5, 0.25), Stage(2, 0.5), Stage(1, 1.0)]
    assert list_stages(config("tuning=convergence")) == [Stage(1, 0.5), Stage(1, 1.0)]


def test_one_trial_is_the_recipe_itself(config: Compose) -> None:
    for tuning in ("tuning=none", "tuning=convergence"):
        assert draw_trials(config(tuning, "optimizer.lr=0.007", "model.dropout=0.1"), 3) == [Trial(0.007, 0.01, 0.1)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tuning.dropout=[0.3,0.1]", "`tuning.dropout=.* is not possible: must be two numbers, the lower first"),
        ("tuning.lr=[1e-2,1e-4]", "`tuning.lr=.* is not possible: must be two numbers above 0, the lower first"),
        ("tuning.weight_decay=[0,1e-2]", "`tuning.weight_decay=.* is not possible: must be two numbers above 0"),
        ("tuning.dropout=[0,1]", "`tuning.dropout=1` is not possible"),
        ("tuning.trials=[2,5,1]", "tuning.trials must fall to 1"),
        ("tuning.trials=[4,2]", "tuning.trials must fall to 1"),
        ("tuning.trials=[1,1]", "one is not: tuning.lr, tuning.weight_decay, tuning.dropout must be null with it"),
        ("tuning.lr=null", "tuning.lr must be given with them"),
        ("tuning.trails=1", "did you mean `tuning.trials`"),
    ],
)
def test_impossible_tunings_are_refused(config: Compose, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(TUNED, override)
