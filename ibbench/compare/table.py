"""The comparison table of a study: one row per model, target and train size, with errors, cost and verdict."""

from typing import Any

import pandas as pd

from ibbench.compare import classes, cliffs
from ibbench.compare.calibration import measure_calibration
from ibbench.compare.columns import shared
from ibbench.compare.pairs import Pairs, best_of, by_group, compare_pairs, versus
from ibbench.compare.pareto import pareto
from ibbench.compare.rows import Entry, Key, Section
from ibbench.compare.soundness import find_faults, measure_doubling
from ibbench.compare.study import Study, mean_of
from ibbench.errors import InputError, suggest

_VERSUS = {  # of a row against another one; `{0}` is `best`, or the model of `--relative-to`
    "verdict_vs_{}": "verdict on the row against `{0}`; for that row itself its name",
    "difference_to_{}": "MAE of the row minus that of `{0}`",
    "difference_to_{}_low": "lower end of its 95 % interval, over seeds and test molecules",
    "difference_to_{}_high": "upper end of that interval",
    "ratio_to_{}": "MAE of the row over that of `{0}`, the geometric mean over seeds",
    "ratio_to_{}_low": "lower end of its 95 % interval, over seeds and test molecules",
    "ratio_to_{}_high": "upper end of that interval",
    "p_vs_{}": "p-value of the difference, after Holm's correction over all pairs of the study on one task",
}
_FIGURES = ["difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high", "p_holm"]
BEST = "best"
SO_FAR = "lowest so far"  # verdict on the best finished row while a run of its group is missing


def describe_versus(name: str) -> dict[str, str]:
    """Return the columns that compare a row with the best one, or with the model called `name`, and what they mean."""
    return {column.format(name): text.format(name) for column, text in _VERSUS.items()}


COLUMNS = {
    **shared("model", "variant", "target", "unit", "train_size", "num_seeds"),
    "mae_mean": "mean absolute error on the test molecules, averaged over seeds; of a class (`unit` is nats) its log "
    "loss, in this and in all columns that speak of the MAE",
    "mae_std": "sample standard deviation of the MAE over seeds; empty for one seed",
    "mae_low": "lower end of the 95 % interval of the MAE, for other seeds and other test molecules",
    "mae_high": "upper end of that interval",
    "rmse_mean": "root mean square error on the test molecules, averaged over seeds",
    "r2_mean": "coefficient of determination R² on the test molecules, averaged over seeds",
    "mae_over_std_mean": "MAE over the standard deviation of the target on the test molecules, averaged over seeds",
    "mae_over_chemical_accuracy": "MAE over the chemical accuracy of the target; empty where none is known",
    "train_mae_mean": "mean absolute error on the train molecules, averaged over seeds; against the labels that were "
    "trained on, which `data.labels` and `data.label_noise` alter",
    "among_best": "whether the row is the best of its group or not distinguishable from it; empty while runs are "
    "missing that could be better",
    **describe_versus(BEST),
    "doubling": "by what share the MAE changed when the steps were doubled: -0.1 is 10 % lower; empty if not measured",
    "doubling_low": "lower end of its 95 % interval over seeds",
    "doubling_high": "upper end of that interval",
    "fault": "why the row supports no claim; empty if it does",
    "ensemble_mae": "MAE of the mean prediction over seeds; empty for one seed and without predictions",
    "ensemble_mae_low": "lower end of its 95 % interval, for other seeds and other test molecules",
    "ensemble_mae_high": "upper end of that interval",
    "ensemble_rmse": "root mean square error of the mean prediction over seeds",
    "coverage_90": "share of test molecules in the 90 % interval of the deviation between seeds; 0.9 if that is right",
    "ence": "expected normalised calibration error of that deviation; to be compared with `ence_ideal`",
    "ence_ideal": "the `ence` that so few seeds would have by chance alone, if their deviation were right",
    "pareto": "costs (`parameters`, `flops`, `seconds`) at which no other row has a lower MAE for the same or less",
    "parameters": "parameters of one replica",
    "flops_per_molecule": "floating point operations of one prediction; empty for a baseline",
    "train_seconds": "seconds of the training steps of all seeds together",
    "molecules_per_second": "molecules trained on per second, over all seeds that train together",
    "train_share": "share of the train pool that one seed trains on",
    "num_test_molecules": "number of test molecules",
    "molecule_variance": "variance of the mean MAE over other test molecules, in the square of the unit",
    "seeds": "the seeds, with blanks between them",
    "seed_maes": "the MAE of each seed, in their order",
    **shared("hydrogens", "source", "split"),
}


def build_table(study: Study, pairs: Pairs | None = None, relative_to: str | None = None) -> pd.DataFrame:
    """Aggregate the replicas of each row over its seeds, and compare it with the best of its group.

    Args:
        study: a study as read.
        pairs: the pairs of its entries, if they were compared already.
        relative_to: model that each row is compared with in further columns, `ratio_to_<model>` and so on.

    Returns:
        One row per entry, in their order, with `COLUMNS`, behind them those of `compare.classes` if a target is a
        class, and those of `compare.cliffs` if molecules are known to lie on activity cliffs. `mae_std` is the sample
        standard deviation over seeds, missing for one seed; `mae_low` and `mae_high` bound the MAE at 95 % for other
        seeds and test molecules (for other molecules only with one seed, for other seeds only where there are no
        predictions).
        `among_best` is true for the best row of a group and those that are not distinguishable from it; it is missing
        where a run could have another row in the group, and the row that is then lowest is not called the best.
        `doubling` is the relative change of the MAE when the steps were doubled, with its 95 % interval over
        seeds; missing where that was not measured. `fault` says why a row supports no claim (`compare.soundness`).
        `ensemble_mae` is the MAE of the mean over seeds, an ensemble that costs as many trainings as there are seeds,
        with the others of `compare.calibration`; missing for one seed, without predictions, and for baselines.
        `train_seconds` is the time that the row's replicas took. `train_share` is the share of the train pool that a
        seed trains on. What `ibbench diff` needs to compare tables without their runs: `molecule_variance` (of the MAE
        averaged over seeds, for other test molecules, in the square of the unit), `seeds`, and `seed_maes` in their
        order.

    Raises:
        InputError: `relative_to` is not a model of the study.
    """
    pairs = compare_pairs(study.entries, relative_to) if pairs is None else pairs
    if relative_to is not None and relative_to not in {entry.key.model for entry in study.entries}:
        models = dict.fromkeys(entry.key.model for entry in study.entries)
        raise InputError(f"{study.name} has no model `{relative_to}`: {suggest(relative_to, models)}")
    faults = find_faults(study.entries)
    rows = []
    for task, group in by_group(study.entries).items():
        best = best_of(group)
        whole = not any(missing.may_be_of(task) for missing in study.missing)
        for entry, front in zip(group, pareto(group), strict=True):
            among_best = entry.key == best or versus(pairs, entry.key, best).verdict.tied
            row = _figures(entry) | {"fault": faults.get(entry.key, "")}
            row |= {"among_best": among_best if whole else None, "pareto": front}
            row |= _versus(pairs, entry.key, best, BEST, BEST if whole else SO_FAR)
            if relative_to is not None:
                row |= _versus(pairs, entry.key, _reference(entry.key, group, relative_to), relative_to)
            rows.append(row)
    further = describe_versus(relative_to) if relative_to is not None else {}
    kinds: dict[Any, Any] = {"flops_per_molecule": "Int64", "num_test_molecules": "Int64"}
    if any(entry.key.group.is_class for entry in study.entries):  # tables without classes stay as they were
        further = classes.COLUMNS | further
    if any(entry.cliffs is not None for entry in study.entries):
        further, kinds = cliffs.COLUMNS | further, kinds | {"num_cliffs": "Int64"}
    return pd.DataFrame(rows, columns=[*COLUMNS, *further]).astype(kinds)


def _figures(entry: Entry) -> dict[str, Any]:
    key, sample, cost = entry.key, entry.sample, entry.cost
    tests = [replica.tested for replica in entry.replicas]
    low, high = sample.mae_interval() or (None, None)
    spread = sample.spread()
    doubling = measure_doubling(entry.replicas)
    accuracy, seconds = key.group.chemical_accuracy, cost.train_seconds
    molecules = sum(replica.molecules or replica.epochs * key.group.train_size for replica in entry.replicas)
    return {
        "model": key.model,
        "variant": key.variant,
        "target": key.group.target,
        "unit": key.group.unit,
        "train_size": key.group.train_size,
        "num_seeds": len(sample.seeds),
        "mae_mean": entry.sample.mae,
        "mae_std": sample.mae_std,
        "mae_low": low,
        "mae_high": high,
        "rmse_mean": mean_of([test.rmse for test in tests]),
        "r2_mean": mean_of([test.r2 for test in tests]),
        "mae_over_std_mean": mean_of([test.mae_over_std for test in tests]),
        "mae_over_chemical_accuracy": entry.sample.mae / accuracy if accuracy else None,
        "train_mae_mean": mean_of([replica.train.mae for replica in entry.replicas]),
        "doubling": doubling.change if doubling else None,
        "doubling_low": doubling.low if doubling else None,
        "doubling_high": doubling.high if doubling else None,
        **(_class(entry) if key.group.is_class else _ensemble(entry) | cliffs.cliff_figures(entry)),
        "parameters": cost.parameters,
        "flops_per_molecule": cost.flops_per_molecule,
        "train_seconds": seconds,
        "molecules_per_second": molecules / seconds if seconds else None,
        "train_share": entry.basis.shared,
        "num_test_molecules": entry.basis.num_test,
        "molecule_variance": spread.variance if spread else None,
        "seeds": " ".join(map(str, sample.seeds)),
        "seed_maes": " ".join(repr(mae) for mae in sample.maes.tolist()),
        **key.group.section._asdict(),
    }


def _ensemble(entry: Entry) -> dict[str, float | None]:
    """Return the figures of the mean over seeds. Verdicts ignore them: they cost several trainings."""
    measured = measure_calibration(entry)
    if measured is None:
        return {}
    return {
        "ensemble_mae": measured.mae,
        "ensemble_mae_low": measured.low,
        "ensemble_mae_high": measured.high,
        "ensemble_rmse": measured.rmse,
        "coverage_90": measured.coverage,
        "ence": measured.ence,
        "ence_ideal": measured.ence_ideal,
    }


def _class(entry: Entry) -> dict[str, Any]:
    """Return the figures of a row whose target is a class, and the log loss of the mean probability over seeds."""
    figures = classes.class_figures(entry)
    if entry.key.is_baseline or len(entry.sample.seeds) < 2 or entry.sample.errors is None:
        return figures
    names = ("ensemble_mae", "ensemble_mae_low", "ensemble_mae_high")
    return figures | dict(zip(names, classes.measure_mean(entry.sample.errors), strict=True))


def _versus(pairs: Pairs, key: Key, reference: Key | None, name: str, itself: str = "") -> dict[str, Any]:
    """Return the columns of `_VERSUS`: the row against the best one or against a model.

    Args:
        pairs: the pairs that have the row with its reference.
        key: the key of the row.
        reference: the key of the row that it is compared with; None where no single row of the model fits.
        name: the name that the columns have for the reference.
        itself: the verdict in the row of the reference; `name` by default.
    """
    columns = [column.format(name) for column in _VERSUS]
    if reference is None or key == reference:
        words = (itself or name) if reference else f"no single {name} of this variant"
        return dict.fromkeys(columns) | {columns[0]: words}
    pair = versus(pairs, key, reference)
    figures = pair.figures()
    return dict(zip(columns, [str(pair.verdict), *(figures[figure] for figure in _FIGURES)], strict=True))


def _reference(key: Key, group: list[Entry], model: str) -> Key | None:
    """Choose the row of `model` to compare with: that of the same variant, or the only one."""
    candidates = [entry.key for entry in group if entry.key.model == model]
    same = [candidate for candidate in candidates if candidate.variant == key.variant]
    return same[0] if same else candidates[0] if len(candidates) == 1 else None


def select(table: pd.DataFrame, targets: list[str], sort: str | None) -> pd.DataFrame:
    """Keep the rows of some targets (of all, if none is named), and sort rows within their group by a column.

    Args:
        table: the table as built.
        targets: short names of the targets to keep; empty for all.
        sort: name of a column; with `-` before it, the order is descending. None keeps the order.

    Raises:
        InputError: a target or column is not in the table.
    """
    for target in targets:
        if target not in set(table["target"]):
            raise InputError(f"the study has no target `{target}`: {suggest(target, table['target'].unique())}")
    chosen = table[table["target"].isin(targets)] if targets else table
    if sort is None:
        return chosen
    column = sort.removeprefix("-")
    if column not in chosen.columns:
        raise InputError(f"--sort `{column}` is not a column: {suggest(column, chosen.columns)}")
    group = chosen.groupby(list(GROUP), sort=False).ngroup()
    ordered = chosen.assign(_group=group).sort_values(
        ["_group", column], ascending=[True, not sort.startswith("-")], kind="stable"
    )
    return ordered.drop(columns="_group")


GROUP = (*Section._fields, "target", "unit", "train_size")
