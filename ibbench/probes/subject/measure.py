"""Measures probes on models, as a table with one row per figure, and averages figures over seeds."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

import ibbench
from ibbench.compare.columns import shared
from ibbench.compare.order import model_order, target_order
from ibbench.compare.rows import in_full
from ibbench.probes import BITS, Finding, Moment, PairProbe, Probe, get_probe, probe_names
from ibbench.probes.subject.candidate import Candidate, same_options
from ibbench.probes.subject.kept import Kept
from ibbench.probes.subject.pairs import measure_pairs
from ibbench.probes.subject.request import check_candidates, check_request
from ibbench.probes.subject.subject import Subject

COLUMNS = {
    "target": "short name of the target; empty where no label has a part in the figure",
    **shared("train_size", "model", "variant"),
    "seed": "seed of the weights and of the train molecules; empty where they have no part in it",
    "at": "which weights: `init` as the seed draws them, `trained`, `along` for all on the way; empty if none matter",
    "probe": "name of the probe (`ibbench probe --list`)",
    "quantity": "what of it was measured",
    "part": "of what part of the model or of the molecules, such as a layer or a number of bonds",
    "value": "the figure",
    "unit": "its unit; empty if it has none",
    "measured_with": "digest of options, data, number of molecules and version, which the rows of one model share",
}
KEYS = ["target", "train_size", "model", "variant", "at", "probe", "quantity", "part"]
_LOGARITHMS = {BITS, "bits"}  # units of figures that are logarithms already
_ALMOST_ONE = 1 - 1e-12
_SAME = 1e-5  # difference of predictions, over their deviation, that float32 rounding leaves between equal functions


class Measured(NamedTuple):
    """The figures of some probes on some models.

    Attributes:
        table: one row per figure, with `COLUMNS`.
        names: the name of each model in tables, by its architecture and variant.
        alike: groups of names of models that make equal predictions at initialisation for all seeds.
    """

    table: pd.DataFrame
    names: dict[tuple[str, str], str]
    alike: list[list[str]]

    def name(self, row: "pd.Series[Any]") -> str:
        """Return the name of the model that a row of the table belongs to."""
        key = row["model"], row["variant"]
        return self.names.get(key) or in_full(*key)


def measure(
    candidates: Sequence[Candidate],
    probes: Sequence[str],
    moments: Sequence[Moment],
    limit: int,
    say: Callable[[str], object],
) -> Measured:
    """Measure probes on models.

    Args:
        candidates: the models.
        probes: the names of the probes.
        moments: the weights to look at.
        limit: the largest number of molecules to look at.
        say: a function that is called with one line of progress per model.

    Raises:
        InputError: a model has no trained weights or too few molecules, or the request makes no sense, see
            `check_request`.
    """
    check_request(probes, moments, limit)
    known = {name: get_probe(name)() for name in probes}
    of_pairs = {name: probe for name, probe in known.items() if isinstance(probe, PairProbe)}
    chosen = {name: probe for name, probe in known.items() if name not in of_pairs}
    check_candidates(candidates, known, moments)
    rows: list[dict[str, Any]] = []
    outputs: dict[tuple[str, int], dict[str, Tensor]] = {}
    kept = Kept()
    marks = [measured_with(one, limit) for one in candidates]
    for one, mark in zip(candidates, marks, strict=True):
        say(f"probing {one.name} at {one.point.split.train_size:,} labels")
        for job in _jobs(one, chosen, moments, limit):
            seed = job.subject.seed if job.at else None
            for name, probe in job.probes.items():
                found = kept.findings(job.subject, name, probe)
                rows += [_row(one, mark, seed, job.at, name, finding) for finding in found]
            if job.at == "init":
                split = one.point.split
                same = outputs.setdefault((f"{split.fingerprint} {split.train_size}", job.subject.seed), {})
                same[one.name] = kept.predictions(job.subject)
    if kept.num_read:
        total = kept.num_read + kept.num_measured
        say(f"{kept.num_read} of {total} measurements were made before, and are read from the cache")
    for pair in measure_pairs(candidates, of_pairs, limit):
        mark = measured_with(pair.candidate, limit)
        rows.append(_row(pair.candidate, mark, pair.seed, "trained", pair.probe, pair.finding))
    names = {(one.point.config.model.name, one.variant): one.name for one in candidates}
    return Measured(sort_rows(pd.DataFrame(rows, columns=list(COLUMNS))), names, _find_alike(list(outputs.values())))


class _Job(NamedTuple):
    """The probes that are measured on one subject; `at` is empty if they do not depend on weights."""

    subject: Subject
    at: str
    probes: dict[str, Probe]


def _jobs(one: Candidate, probes: dict[str, Probe], moments: Sequence[Moment], limit: int) -> Iterator[_Job]:
    config = one.point.config
    of_data = {name: probe for name, probe in probes.items() if not probe.moments}
    if of_data:
        yield _Job(Subject(one.point, config.seeds[0], config.targets, "init", limit), "", of_data)
    for moment in moments:
        of_moment = {name: probe for name, probe in probes.items() if moment in probe.moments}
        for seed in config.seeds if of_moment else ():
            if moment == "init":
                yield _Job(Subject(one.point, seed, config.targets, moment, limit), moment, of_moment)
                continue
            for target in config.targets:
                yield _Job(Subject(one.point, seed, [target], moment, limit, one.run, one.record), moment, of_moment)


def measured_with(one: Candidate, limit: int) -> str:
    """Return a digest of what figures of a model depend on but for target, seed and weights, 8 digits."""
    facts = sorted(same_options(one.point.config)), one.point.dataset.source, one.point.split.fingerprint, limit
    return hashlib.sha256(repr((*facts, ibbench.__version__)).encode()).hexdigest()[:8]


def _row(one: Candidate, mark: str, seed: int | None, at: str, probe: str, finding: Finding) -> dict[str, Any]:
    return {
        "target": finding.target,
        "train_size": one.point.split.train_size,
        "model": one.point.config.model.name,
        "variant": one.variant,
        "seed": seed,
        "at": at,
        "probe": probe,
        "quantity": finding.quantity,
        "part": finding.part,
        "value": finding.value,
        "unit": finding.unit,
        "measured_with": mark,
    }


def sort_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Sort rows as in tables of results; rows of one model, probe, moment and seed stay in the order of measurement."""
    order = {name: place for place, name in enumerate(probe_names())}

    def place(row: int) -> tuple[Any, ...]:
        """Return what a row is sorted by."""
        cells = table.iloc[row]
        return (
            target_order(cells["target"]),
            cells["train_size"],
            model_order(cells["model"]),
            cells["variant"],
            order.get(cells["probe"], len(order)),  # a probe of a plugin that is not loaded now
            cells["at"],
            -1 if pd.isna(cells["seed"]) else cells["seed"],
        )

    table["seed"] = pd.Series([None if pd.isna(seed) else int(seed) for seed in table["seed"]], dtype=object)
    # A seed that two runs of a study have in common counts once.
    table = table.drop_duplicates([name for name in COLUMNS if name != "value"])
    return table.iloc[sorted(range(len(table)), key=place)].reset_index(drop=True)


def _find_alike(outputs: list[dict[str, Tensor]]) -> list[list[str]]:
    """Return groups of at least two names of models whose predictions are equal for all seeds."""
    groups: list[list[str]] = []
    for name in dict.fromkeys(name for of_seed in outputs for name in of_seed):
        for group in groups:
            pairs = [(of_seed[group[0]], of_seed[name]) for of_seed in outputs if {group[0], name} <= of_seed.keys()]
            if pairs and all(_is_same(one, other) for one, other in pairs):
                group.append(name)
                break
        else:
            groups.append([name])
    return [group for group in groups if len(group) > 1]


def _is_same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME * one.std())


def average(table: pd.DataFrame) -> pd.DataFrame:
    """Average figures over seeds.

    Args:
        table: measured figures, one row per figure and seed, with `COLUMNS`.

    Returns:
        One row per figure, in the order of the table: `KEYS`, `unit`, `mean`, `low` and `high` (95 % interval of the
        mean by Student's t; None for one seed), and `num_seeds`. If all values of a figure are above 0, the interval is
        computed for their logarithms, so that it stays above 0; bits are excepted, since they are logarithms already,
        and so are quantities that may have either sign, whose interval could not contain 0.
        The interval of a correlation is computed for its inverse hyperbolic tangent (Fisher's transformation), so that
        it stays between -1 and 1.
    """
    rows = []
    for keys, group in table.groupby(KEYS, sort=False, dropna=False):
        values, unit = group["value"].to_numpy(dtype=float), group["unit"].iloc[0]
        named = dict(zip(KEYS, keys, strict=True))
        probe = get_probe(str(named["probe"]))
        is_correlation = named["quantity"] in probe.correlations
        on_logarithm = bool((values > 0).all()) and unit not in _LOGARITHMS and named["quantity"] not in probe.signed
        low, high = _interval(values, _FISHER if is_correlation else _LOGARITHM if on_logarithm else _PLAIN)
        rows.append(
            named
            | {"unit": unit, "mean": values.mean(), "low": low, "high": high}
            | {"num_seeds": 0 if group["seed"].isna().all() else len(values)}
        )
    return pd.DataFrame(rows, columns=[*KEYS, "unit", "mean", "low", "high", "num_seeds"], dtype=object)


class _Scale(NamedTuple):
    """A scale on which intervals are symmetric: the function from values to the scale, and its inverse."""

    there: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    back: Callable[[float], float]


_PLAIN = _Scale(lambda values: values, float)
_LOGARITHM = _Scale(np.log, lambda value: float(np.exp(value)))
_FISHER = _Scale(lambda values: np.arctanh(values.clip(-_ALMOST_ONE, _ALMOST_ONE)), lambda value: float(np.tanh(value)))


def _interval(values: NDArray[np.float64], scale: _Scale) -> tuple[float | None, float | None]:
    """Return the ends of the 95 % interval, which on the scale is symmetric around the mean of the unscaled values."""
    if len(values) < 2:
        return None, None
    scaled = scale.there(values)
    centre = float(scale.there(values.mean(keepdims=True))[0])
    reach = float(special.stdtrit(len(values) - 1, 0.975)) * float(scaled.std(ddof=1)) / math.sqrt(len(values))
    return scale.back(centre - reach), scale.back(centre + reach)
