"""What untrained models foretell of trained ones, in words and tables."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ibbench.probes.subject.disagreements import Disagreement
from ibbench.probes.subject.foretell import Foretold
from ibbench.probes.subject.scores import ALL_TARGETS
from ibbench.report.cells import notation_of, task, with_interval
from ibbench.report.document import Points, Remark, Shape, Table, legend

TEXT = {"target", "model", "weights", "part", "predictor", "kind"}
_MOST_FACTOR = 1000  # a larger one is not told in digits
_RANKS = (
    "Fewer bits per label are better: the untrained kernel finds the labels more likely. It says which model to try "
    "first, and nothing of what features training finds. test MAE: of the same options where they are trained. "
    "trained / kernel: that MAE over the leave-one-out MAE; above 1 training has not learned what the kernel solves "
    "exactly, and below 1 it has learned what the kernel lacks."
)
_SCORES = (
    "Spearman: rank correlation of the number with the test MAE over models; for all targets the mean. p: two-sided, "
    "by permutation of the models, the same on all targets, and corrected (Holm) over the probes. Kendall: over all "
    "pairs. Steps: those of the ladder whose direction is right, of all. First choice: the MAE of the model that the "
    "number puts first, over the least MAE; for all targets the geometric mean. Ratios off by: the factor by which the "
    "ratio of a family's MAE to that of the others is typically off, with its 95 % interval over families, if the "
    "number is known of all models and the MAE of all other families; a regression on composition takes all models as "
    "alike. Trainings cost: their FLOPs over those of the probe, one seed each. All targets: `foretold_scores.csv`."
)
_CAUSES = {
    "recipe": "Recipe: training errs more than the kernel of the same weights, so it has not learned what the kernel "
    "solves exactly. More steps or another rate (tuning=halving) tell: if they help, it was the recipe.",
    "features": "Features: training errs less than the kernel, so it has learned features that the first weights lack, "
    "or the models that it passes are not trained to their end. More steps for those tell, and `--probe kernel "
    "--along`: if it was features, the last kernel of the model errs less than the first one by about as much.",
}
_BELOW = (
    "Below the floor: {names}. No model can be, so its floor was measured with other data, or by an older version that "
    "did not count what a regression on composition knows: `--probe floor` measures it again."
)
_MOST_TOLD = 6  # disagreements that are told on a screen


def tell_foretold(foretold: Foretold) -> Iterator[Shape]:
    """Rank the models, hold the ranks against trained models, and name those that disagree, for a screen."""
    yield from _rankings(foretold.ranked)
    yield from _scores(foretold.scores)
    yield from _disagreements(foretold, _MOST_TOLD)


def foretold_page(foretold: Foretold) -> Iterator[Shape]:
    """Tell the same as `tell_foretold`, with all disagreements and what the columns mean, for a file."""
    yield from _rankings(foretold.ranked)
    yield legend(_RANKS)
    if len(foretold.scores):
        yield from _scores(foretold.scores)
        yield legend(_SCORES)
        yield from _disagreements(foretold, len(foretold.disagreements))


def interval_cell(mean: Any, low: Any, high: Any) -> str:
    """Write a figure with its interval, in three digits; a whole number as it is; empty if there is no figure.

    A figure that is far smaller than the ends of its interval gets fewer digits, and these four at most.
    """
    if pd.isna(mean):
        return ""
    if float(mean).is_integer() and (pd.isna(low) or low == high):
        return f"{int(mean):,}"
    largest = max((abs(end) for end in (low, high) if pd.notna(end)), default=0.0)
    size = largest / 10 if abs(mean) < largest / 100 else abs(mean)
    return with_interval(mean, low, high, notation_of(size, 3))


def gaps_to_floor(gaps: pd.DataFrame) -> list[Shape]:
    """Tabulate how far trained models are above their floors, as `ibbench.probes.subject.above_floor` returns it."""
    if gaps.empty:
        return []
    rows = []
    for _, row in gaps.iterrows():
        mae, floor = row["mae"], row["floor"]
        low, high = (None if end is None else end - floor for end in (row["mae_low"], row["mae_high"]))
        rows.append(
            {"target": str(row["target"]), "train size": f"{row['train_size']:,}", "model": str(row["name"])}
            | {"test MAE": interval_cell(mae, row["mae_low"], row["mae_high"])}
            | {"least MAE": interval_cell(floor, None, None)}
            | {"gap to floor": interval_cell(mae - floor, low, high), "unit": str(row["unit"])}
            | {"floor / test MAE": f"{100 * floor / mae:.2g} %"}
        )
    text = (
        "The test MAE less the least MAE that any function of what the model sees has on all molecules of the data "
        "set. More labels or a better training can take away this gap, and no more."
    )
    table = Table(rows, title="Gap to floor", text=TEXT | {"unit"})
    below = list(dict.fromkeys(gaps[gaps["mae"] < gaps["floor"]]["name"]))
    return [table, *([Remark(_BELOW.format(names=", ".join(below)))] if below else []), legend(text)]


def _rankings(ranked: pd.DataFrame) -> Iterator[Shape]:
    trained = bool(ranked["measured"].notna().any())
    for (target, size), group in ranked.groupby(["target", "train_size"], sort=False):
        rows = []
        for _, row in group.iterrows():
            cells = {"rank": str(row["rank"]), "model": str(row["name"])}
            cells["bits per label"] = interval_cell(row["bits"], row["bits_low"], row["bits_high"])
            cells["leave-one-out MAE"] = interval_cell(row["mae"], row["mae_low"], row["mae_high"])
            if trained:
                cells["test MAE"] = interval_cell(row["measured"], row["measured_low"], row["measured_high"])
                cells["trained / kernel"] = _plain(row["measured"] / row["mae"] if pd.notna(row["measured"]) else None)
            rows.append(cells | {"seeds": str(row["num_seeds"])})
        where = task(str(target), group["unit"].iloc[0], f"{size:,}")
        yield Table(rows, title=f"{where}: which bias to try first", text=TEXT)


def _scores(scores: pd.DataFrame) -> Iterator[Shape]:
    """Show how the evidence does on each target, and all predictors on all targets together (or on the only one)."""
    for size, of_size in scores.groupby("train_size", sort=False):
        targets = list(dict.fromkeys(of_size["target"]))
        if len(targets) > 1:
            first = of_size[of_size["predictor"] == of_size["predictor"].iloc[0]]
            rows = [_score(row) for _, row in first.iterrows() if row["target"] != ALL_TARGETS]
            kept = ("target", "models", "Spearman", "p", "Kendall", "steps", "first choice", "ratios off by")
            shown = _without_empty([{name: row[name] for name in kept} for row in rows])
            title = f"{first['predictor'].iloc[0]}, {size:,} train molecules: does it foretell the trained models?"
            yield Table(shown, title=title, text=TEXT)
        chosen = ALL_TARGETS if ALL_TARGETS in targets else targets[0]
        rows = [_score(row) for _, row in of_size[of_size["target"] == chosen].iterrows()]
        rows = [{name: cell for name, cell in row.items() if name not in {"target", "train size"}} for row in rows]
        shown = _without_empty(rows)
        title = f"{chosen}, {size:,} train molecules: what foretells the trained models?"
        yield Table(shown, title=title, text=TEXT, optional=("kind", "models", "Kendall"))


def _score(row: "pd.Series[Any]") -> dict[str, str]:
    corrected = pd.notna(row["p_holm"])
    p = row["p_holm"] if corrected else row["p"]
    steps = f"{row['steps_right']:g} of {row['num_steps']}" if pd.notna(row["num_steps"]) else ""
    cost = row["cost_ratio"]
    return {
        "target": str(row["target"]),
        "train size": f"{row['train_size']:,}",
        "predictor": str(row["predictor"]),
        "kind": str(row["kind"]),
        "models": str(row["num_models"]),
        "Spearman": _plain(row["spearman"]),
        "p": ("" if pd.isna(p) else "< 0.0001" if p < 1e-4 else f"{p:.2g}") + (" (Holm)" if corrected else ""),
        "Kendall": _plain(row["kendall"]),
        "steps": steps,
        "first choice": _plain(row["first_choice"]),
        "ratios off by": _factor(row["ratio_error"], row["ratio_error_low"], row["ratio_error_high"]),
        "trainings cost": "" if pd.isna(cost) else f"{cost:.2g} times as much",
    }


def _factor(value: float, low: float, high: float) -> str:
    """Format a factor with its interval; of what is off by more than a thousand the digits tell nothing."""
    if value > _MOST_FACTOR:
        return f"> {_MOST_FACTOR:,}"
    if high > _MOST_FACTOR:
        return f"{value:.3g} [{low:.3g}, > {_MOST_FACTOR:,}]"
    return interval_cell(value, low, high)


def _without_empty(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave out the columns that are empty in all rows, such as the steps of what is no ladder."""
    return [{name: cell for name, cell in row.items() if any(one[name] for one in rows)} for row in rows]


def _plain(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def _disagreements(foretold: Foretold, most: int) -> Iterator[Shape]:
    """Name the models whose order differs between kernel and training, and say what tells the two causes apart."""
    found = foretold.disagreements
    if not len(foretold.scores):
        return
    if not found:
        yield Remark("Of no two models kernel and training disagree about the order by more than seeds explain.")
        return
    yield Remark("Kernel and training disagree about the order, by more than seeds explain (5 %, each pair by itself):")
    more = [f"{len(found) - most} more: see probes.md."] if len(found) > most else []
    yield Points([*map(_tell_one, found[:most]), *more])
    causes = {one.cause for one in found}
    yield from (Remark(text) for cause, text in _CAUSES.items() if cause in causes)


def _tell_one(one: Disagreement) -> str:
    side = "behind" if one.cause == "recipe" else "before"
    told = (
        f"{one.target}, {one.train_size:,} labels: {one.name} ends {side} {', '.join(one.others)}, against its kernel"
    )
    told += f"; its trained error is {one.ratio:.3g} times that of its kernel ({one.cause})"
    return f"{told}. Twice the steps changed it by {100 * one.doubling.change:+.2g} %." if one.doubling else f"{told}."
