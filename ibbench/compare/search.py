"""Random search: which trial stands for a model, and how low an error n trials would have reached."""

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.distribution import Floats
from ibbench.compare.estimate import ALPHA
from ibbench.options.trial import TUNED
from ibbench.record.schema import Record

_RESAMPLES = 10_000
TRIALS_OF_EACH = 4  # as many times n trials are there where the expected best of n has an interval


class Trial(NamedTuple):
    """One draw of a search, and what it led to on one target.

    Attributes:
        number: the number of the draw.
        values: the values of the options `TUNED`, in their order.
        validation_mae: the mean over its seeds; infinite for a trial that failed, which found nothing.
    """

    number: int
    values: tuple[Any, ...]
    validation_mae: float


Search = tuple[Trial, ...]  # all trials of one model on one target, all else being the same


def find_searches(records: Iterable[Record]) -> dict[tuple[str, str], Search]:
    """Choose for each search the trial with the lowest mean validation MAE; test errors have no say.

    Args:
        records: the records of a study, the failed included: they are draws that were made.

    Returns:
        The search that a (run, target) won; others of its records' trials stand for nothing in a table. A trial that
        was trained in two runs, of different seeds, has both. A search of which all trials failed is not there.
    """
    found: dict[tuple[str, str], dict[tuple[Any, ...], list[Record]]] = {}
    for record in records:
        if record.trial is not None:
            drawn = tuple(_value(record, name) for name in TUNED)
            for target in record.config["targets"]:
                trials = found.setdefault((target, _all_but_the_draw(record)), {})
                trials.setdefault(drawn, []).append(record)
    searches: dict[tuple[str, str], Search] = {}
    for (target, _), by_draw in found.items():
        outcomes = [_trial(drawn, runs, target) for drawn, runs in by_draw.items()]
        search = tuple(sorted(outcomes, key=lambda trial: (trial.number, str(trial.values))))
        best = winner(search)
        if math.isfinite(best.validation_mae):
            searches |= {(record.run, target): search for record in by_draw[best.values] if record.status == "done"}
    return searches


def winner(search: Search) -> Trial:
    """Return the trial with the lowest validation error."""
    return min(search, key=lambda trial: trial.validation_mae)


def _value(record: Record, name: str) -> Any:
    group, _, key = name.partition(".")
    return record.config.get(group, {}).get(key)


def _all_but_the_draw(record: Record) -> str:
    config = {
        group: {key: value for key, value in options.items() if f"{group}.{key}" not in TUNED}
        if isinstance(options, dict)
        else options
        for group, options in record.config.items()
        if group not in {"targets", "seeds"}
    }
    facts = [config, record.data_source, record.split_fingerprint, record.train_size]
    return json.dumps(facts, sort_keys=True)


def _trial(drawn: tuple[Any, ...], records: list[Record], target: str) -> Trial:
    maes: dict[int, float] = {}
    for record in records:
        for entry in record.replicas:
            if entry.target == target:
                maes.setdefault(entry.seed, entry.validation.mae)
    number = min(record.trial for record in records if record.trial is not None)
    return Trial(number, drawn, float(np.mean(list(maes.values()))) if maes else math.inf)


def expected_best(errors: Floats) -> Floats:
    """Estimate without bias the expected lowest error of n trials, for n from 1 to as many as there are.

    It is the mean of the minimum over all subsets of n of the B trials, E[min] = sum over i of
    C(B-i, n-1) / C(B, n) x_(i), with x_(i) the i-th lowest (Tang et al. 2020, Showing Your Work Doesn't Always Work,
    ACL, 2766).

    Args:
        errors: the errors of trials, `[..., B]`; infinite for those that found nothing, which makes the expectation
            infinite for every n up to their number.

    Returns:
        The expectation for each n, `[..., B]`.
    """
    count = errors.shape[-1]
    ascending = np.sort(errors, axis=-1)
    # C(B-i, n-1) / C(B, n) is n/B at i = 1, and from then on (B-i-n+1) / (B-i) times the one before.
    n, i = np.arange(1, count + 1)[:, None], np.arange(1, count)
    steps = np.maximum(count - i - n + 1, 0) / (count - i)
    weights = np.cumprod(np.concatenate([n / count, steps], axis=1), axis=1)
    known = np.isfinite(ascending)
    expected = np.where(known, ascending, 0.0) @ weights.T
    missing = (~known).sum(axis=-1, keepdims=True)
    return np.where(missing >= n[:, 0], np.inf, expected)


def expected_best_interval(errors: Floats) -> tuple[Floats, Floats]:
    """Return the 95 % interval of `expected_best` `[B]`, by a bootstrap over trials.

    The percentiles are those that make the interval of a mean of B trials as wide as Student's (expanded percentiles:
    Hesterberg 2015, Am. Stat. 69, 371). A resample has no trial that was not drawn, so that near n = B, where one
    trial decides, no interval holds what it says: from n > B / `TRIALS_OF_EACH` on the ends are nan.
    """
    count = len(errors)
    shown = count // TRIALS_OF_EACH
    if not shown:
        return np.full(count, np.nan), np.full(count, np.nan)
    expanded = np.sqrt(count / (count - 1)) * special.stdtrit(count - 1, ALPHA / 2)
    tail = float(special.ndtr(expanded))
    drawn = np.random.RandomState(0).randint(count, size=(_RESAMPLES, count))
    resampled = expected_best(errors[drawn])
    # A quantile that is one of the values: between two of them, infinite ones would give nan.
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0, method="inverted_cdf")
    low[shown:] = high[shown:] = np.nan
    return low, high
