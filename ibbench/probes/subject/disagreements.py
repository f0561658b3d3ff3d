"""Models whose place after training is another one than their untrained kernels say, and what that may come from."""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from ibbench.compare.rows import Entry
from ibbench.compare.soundness import Doubling, measure_doubling
from ibbench.probes.kernel import EVIDENCE
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.truth import Truth

Cause = Literal["recipe", "features"]
_Values = Mapping[int, float]  # a figure of each seed


class Disagreement(NamedTuple):
    """A model that is trained to another place than its kernel says, against at least one other model.

    Attributes:
        target: short name of the target.
        train_size: the number of labels.
        name: the name of the model.
        cause: `recipe` if training errs more than the model's own kernel does, so that it has not learned what the
            kernel solves exactly; `features` if training errs less, so that it has learned what the kernel lacks.
        others: names of the models that it has changed places with.
        ratio: its test MAE after training over the leave-one-out MAE of its kernel.
        doubling: what twice the steps changed; None if that was not measured.
    """

    target: str
    train_size: int
    name: str
    cause: Cause
    others: list[str]
    ratio: float
    doubling: Doubling | None


class _Model(NamedTuple):
    name: str
    bits: _Values
    entry: Entry
    ratio: float


def find_disagreements(
    table: pd.DataFrame, ranked: pd.DataFrame, candidates: list[Candidate], truth: Truth
) -> list[Disagreement]:
    """Find pairs of models whose order by evidence and by trained error differ, beyond what seeds explain.

    A pair counts if the differences over common seeds of both the evidence and the test MAE are not 0 (Student's t,
    paired, 5 % each, not corrected for the number of pairs), and have opposite signs. Of the two models that one is
    named which explains it: the one that its kernel puts first, if training errs more than that kernel; else the one
    that ends first, since it has learned more than its kernel.

    Args:
        table: the figures of the study, with those of the probe `kernel`.
        ranked: the models as they are ranked, see `ibbench.probes.subject.foretell`.
        candidates: the models.
        truth: the trained models.

    Returns:
        One entry per target, train size, model and cause, those with the most pairs first.
    """
    here = {(one.point.split.train_size, one.point.config.model.name, one.variant): one for one in candidates}
    bits = table[(table["probe"] == "kernel") & (table["quantity"] == EVIDENCE) & (table["part"] == "")]
    of_seeds: dict[Any, dict[int, float]] = {}
    for _, row in bits.iterrows():
        key = tuple(row[["target", "train_size", "model", "variant"]])
        of_seeds.setdefault(key, {})[int(row["seed"])] = float(row["value"])
    found = []
    for _, group in ranked.groupby(["target", "train_size"], sort=False):
        target, size = str(group["target"].iloc[0]), int(group["train_size"].iloc[0])
        models = []
        for _, row in group[group["measured"].notna()].iterrows():
            entry = truth.of(here[size, row["model"], row["variant"]], target)
            if entry:
                seeds = of_seeds[target, size, row["model"], row["variant"]]
                models.append(_Model(row["name"], seeds, entry, row["measured"] / row["mae"]))
        found += _of_group(target, size, models)
    return found


def _of_group(target: str, size: int, models: list[_Model]) -> list[Disagreement]:
    partners: dict[tuple[str, Cause], list[str]] = {}
    for promised in models:
        for ended in models:
            errors = [
                dict(zip(one.entry.sample.seeds, one.entry.sample.maes, strict=True)) for one in (promised, ended)
            ]
            if _is_below(promised.bits, ended.bits) and _is_below(errors[1], errors[0]):
                at_fault: tuple[_Model, Cause] = (promised, "recipe") if promised.ratio > 1 else (ended, "features")
                other = ended if at_fault[0] is promised else promised
                partners.setdefault((at_fault[0].name, at_fault[1]), []).append(other.name)
    of = {one.name: one for one in models}
    found = [
        Disagreement(target, size, name, cause, others, of[name].ratio, measure_doubling(of[name].entry.replicas))
        for (name, cause), others in partners.items()
    ]
    return sorted(found, key=lambda one: -len(one.others))


def _errors(one: _Model) -> _Values:
    return dict(zip(one.entry.sample.seeds, one.entry.sample.maes.tolist(), strict=True))


def _is_below(one: _Values, other: _Values) -> bool:
    """Return whether the values of one model are below those of the other by more than seeds explain, at 5 %."""
    seeds = sorted(set(one) & set(other))
    if len(seeds) < 2:
        return False
    differences = np.array([one[seed] - other[seed] for seed in seeds])
    reach = float(special.stdtrit(len(seeds) - 1, 0.975)) * float(differences.std(ddof=1)) / math.sqrt(len(seeds))
    return bool(differences.mean() + reach < 0)
