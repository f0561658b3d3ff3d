"""Which bias to try first: models ranked by how likely their untrained kernels find the labels."""

from typing import NamedTuple

import pandas as pd

from ibbench.compare.columns import interval, shared
from ibbench.probes.kernel import EVIDENCE, MAE
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.disagreements import Disagreement, find_disagreements
from ibbench.probes.subject.measure import average
from ibbench.probes.subject.scores import score
from ibbench.probes.subject.truth import Truth

NEEDED = ("floor", "kernel")
COLUMNS = {
    **shared("target", "train_size"),
    "rank": "place of the model by evidence; 1 is the most likely",
    **shared("model", "variant"),
    "name": "what the model is called in the study, such as its rung",
    **shared("num_seeds"),
    **interval("bits", "evidence of the untrained kernel, in bits per label: fewer are better"),
    **interval("mae", "leave-one-out MAE of the untrained kernel"),
    "unit": "unit of the two errors",
    **interval("measured", "test MAE of the trained model with the same options; empty where the study has none"),
}


class Foretold(NamedTuple):
    """What untrained models foretell, and whether it holds where models are trained.

    Attributes:
        ranked: the models, ranked, with `COLUMNS`; see `rank_models`.
        scores: how well probes and controls foretell, see `ibbench.probes.subject.scores`; no row without trained
            models.
        disagreements: models whose place after training is another one than the kernel says.
    """

    ranked: pd.DataFrame
    scores: pd.DataFrame
    disagreements: list[Disagreement]


def foretell(table: pd.DataFrame, candidates: list[Candidate], truth: Truth, limit: int) -> Foretold:
    """Rank models before any training, and hold the ranks against trained models.

    Args:
        table: the figures of the study, with those of the probe `kernel` of all candidates.
        candidates: the models.
        truth: the trained models; there may be none.
        limit: the largest number of molecules that was looked at.
    """
    ranked = rank_models(table, candidates, truth)
    return Foretold(
        ranked, score(table, candidates, truth, limit), find_disagreements(table, ranked, candidates, truth)
    )


def rank_models(table: pd.DataFrame, candidates: list[Candidate], truth: Truth) -> pd.DataFrame:
    """Rank models by the evidence of their untrained kernels, the model with the fewest bits per label first.

    Args:
        table: the measured figures, with those of the probe `kernel`; see `ibbench.probes.subject.measure.COLUMNS`.
        candidates: the models.
        truth: the trained models, whose test MAEs stand beside the ranks.

    Returns:
        One row per target, train size and model, with `COLUMNS`: evidence in bits per label, leave-one-out MAE in the
        target's unit, and the test MAE of the trained model with the same options if there is one, each with its 95 %
        interval.
    """
    here = {(one.point.config.model.name, one.variant, one.point.split.train_size) for one in candidates}
    of_candidates = [
        key in here for key in table[["model", "variant", "train_size"]].itertuples(index=False, name=None)
    ]
    table = table[of_candidates]
    means = average(table[(table["probe"] == "kernel") & (table["at"] == "init") & (table["part"] == "")])
    names = {(one.point.config.model.name, one.variant, one.point.split.train_size): one for one in candidates}
    rows = []
    for _, group in means.groupby(["target", "train_size", "model", "variant"], sort=False):
        bits, mae = (group[group["quantity"] == name].iloc[0] for name in (EVIDENCE, MAE))
        target, size, model, variant = (bits[name] for name in ("target", "train_size", "model", "variant"))
        one = names[model, variant, size]
        entry = truth.of(one, target)
        ends = (entry.sample.mae_interval() if entry else None) or (None, None)
        rows.append(
            {"target": target, "train_size": size, "model": model, "variant": variant, "name": one.name}
            | {"num_seeds": bits["num_seeds"], "unit": mae["unit"]}
            | {"bits": bits["mean"], "bits_low": bits["low"], "bits_high": bits["high"]}
            | {"mae": mae["mean"], "mae_low": mae["low"], "mae_high": mae["high"]}
            | {"measured": entry.sample.mae if entry else None}
            | dict(zip(("measured_low", "measured_high"), ends, strict=True))
        )
    ranked = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    together = ["target", "train_size"]
    ranked["rank"] = ranked.groupby(together, sort=False)["bits"].rank(method="min").astype(int)
    parts = [group.sort_values("rank", kind="stable") for _, group in ranked.groupby(together, sort=False)]
    return pd.concat(parts, ignore_index=True)
