"""Which bias to try first: models ranked by how likely their untrained kernels find the labels."""

import pandas as pd
from scipy import stats

from ibbench.compare.columns import interval, shared
from ibbench.compare.study import Study
from ibbench.probes.kernel import EVIDENCE, MAE
from ibbench.probes.subject.candidate import Candidate, recorded_options, same_options
from ibbench.probes.subject.measure import average

NEEDED = ("floor", "kernel")
FEWEST_RANKED = 4  # models that a rank correlation needs at least
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


def foretell(table: pd.DataFrame, candidates: list[Candidate], study: Study | None) -> pd.DataFrame:
    """Rank models by the evidence of their untrained kernels, the model with the fewest bits per label first.

    Args:
        table: the measured figures, with those of the probe `kernel`; see `ibbench.probes.subject.measure.COLUMNS`.
        candidates: the models.
        study: the study with trained models, whose test MAEs stand beside the ranks; None if there is none.

    Returns:
        One row per target, train size and model, with `COLUMNS`: evidence in bits per label, leave-one-out MAE in the
        target's unit, and the test MAE of the trained model with the same options if the study has one, each with its
        95 % interval.
    """
    means = average(table[(table["probe"] == "kernel") & (table["part"] == "")])
    names = {(one.point.config.model.name, one.variant, one.point.split.train_size): one for one in candidates}
    measured = _measured(study) if study else {}
    rows = []
    for _, group in means.groupby(["target", "train_size", "model", "variant"], sort=False):
        bits, mae = (group[group["quantity"] == name].iloc[0] for name in (EVIDENCE, MAE))
        target, size, model, variant = (bits[name] for name in ("target", "train_size", "model", "variant"))
        one = names[model, variant, size]
        found = measured.get((target, size, same_options(one.point.config)), (None, None, None))
        rows.append(
            {"target": target, "train_size": size, "model": model, "variant": variant, "name": one.name}
            | {"num_seeds": bits["num_seeds"], "unit": mae["unit"]}
            | {"bits": bits["mean"], "bits_low": bits["low"], "bits_high": bits["high"]}
            | {"mae": mae["mean"], "mae_low": mae["low"], "mae_high": mae["high"]}
            | dict(zip(("measured", "measured_low", "measured_high"), found, strict=True))
        )
    ranked = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    together = ["target", "train_size"]
    ranked["rank"] = ranked.groupby(together, sort=False)["bits"].rank(method="min").astype(int)
    parts = [group.sort_values("rank", kind="stable") for _, group in ranked.groupby(together, sort=False)]
    return pd.concat(parts, ignore_index=True)


_Errors = dict[tuple[str, int, frozenset[tuple[str, str]]], tuple[float | None, ...]]


def _measured(study: Study) -> _Errors:
    """Return the test MAE of each trained model, and the ends of its interval, by target, train size and options."""
    found: _Errors = {}
    for entry in study.entries:
        if entry.options:
            group = entry.key.group
            interval = entry.sample.mae_interval() or (None, None)
            found[group.target, group.train_size, recorded_options(entry.options)] = entry.sample.mae, *interval
    return found


def rank_correlation(ranked: pd.DataFrame) -> tuple[float, int] | None:
    """Return Spearman's correlation of evidence with the measured MAE, and the number of models that it is over.

    Args:
        ranked: the rows of one target and train size, as `foretell` returns them.

    Returns:
        The correlation and the number; None if fewer than 4 of the models are trained.
    """
    known = ranked[ranked["measured"].notna()]
    if len(known) < FEWEST_RANKED:
        return None
    return float(stats.spearmanr(known["bits"].astype(float), known["measured"].astype(float))[0]), len(known)
