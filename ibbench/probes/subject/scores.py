"""Whether probes foretell the errors of trained models, beside controls that should not, and a rival that might."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ibbench.budget.cost import count_flops, count_parameters, count_training_flops
from ibbench.compare.columns import interval, shared
from ibbench.compare.order import target_order
from ibbench.compare.rows import Entry
from ibbench.compare.verdict import holm
from ibbench.probes import LEAST_MAE
from ibbench.probes.subject.candidate import Candidate
from ibbench.probes.subject.foresight import FEWEST, Floats, concordance, foretell_ratios, rank_correlation
from ibbench.probes.subject.subject import AUGMENTATIONS
from ibbench.probes.subject.truth import Truth

ALL_TARGETS = "all targets"
PROBE, CONTROL, RIVAL = "probe", "control", "rival"
COLUMNS = {
    "target": f"short name of the target; `{ALL_TARGETS}` for all of them together",
    **shared("train_size"),
    "predictor": "the number that is known of a model before it is trained with all labels",
    "kind": "`probe`; `control`, which should foretell nothing; or `rival`, a training on fewer labels",
    "num_models": "number of models that are trained and have this number",
    "spearman": "Spearman's correlation of the number with the test MAE over models; for all targets the mean",
    "p": "its two-sided p-value by permutation of the models",
    "p_holm": "the p-value after Holm's correction over the probes of the same target and train size; empty for others",
    "kendall": "Kendall's tau over all pairs of models",
    "num_steps": "number of steps of the ladder, each a pair of models that differ in one assumption",
    "steps_right": "number of these steps whose direction the number has foretold; a tie is a half",
    "kendall_steps": "Kendall's tau over these steps alone",
    "first_choice": "MAE of the model that the number puts first, over the least MAE; the geometric mean over targets, "
    "and over models that share the first place",
    **interval(
        "ratio_error",
        "factor by which the ratio of a family's MAE to the others' is off, foretold with that family left out",
    ),
    "cost_ratio": "FLOPs of the trainings over those of the probe, or of the rival; empty where it costs nothing",
}


class _Number(NamedTuple):
    """A number that is known of each model before training.

    Attributes:
        kind: `PROBE`, `CONTROL` or `RIVAL`.
        of: returns the number of a model on a target; None if it is not known.
        cost: returns the FLOPs that it takes for one seed of a model, on some targets together; None if it is free.
        is_logarithm: whether it is on a scale on which differences, and not ratios, count.
    """

    kind: str
    of: Callable[[Candidate, str], float | None]
    cost: Callable[[Candidate, list[str]], float] | None = None
    is_logarithm: bool = False


def score(table: pd.DataFrame, candidates: Sequence[Candidate], truth: Truth, limit: int) -> pd.DataFrame:
    """Score how well the figures of probes, and controls, foretell the test errors of trained models.

    Args:
        table: measured figures of untrained models, see `ibbench.probes.subject.measure.COLUMNS`.
        candidates: the models.
        truth: the trained models.
        limit: the largest number of molecules that was looked at.

    Returns:
        One row per target, train size and predictor, with `COLUMNS`, then those of all targets together; no row where
        fewer than 4 models are trained.
    """
    numbers = _numbers(table, truth, limit)
    targets = sorted({target for one in candidates for target in one.point.config.targets}, key=target_order)
    # Runs of one model for other targets or seeds are one model.
    models = {(one.point.split.train_size, one.point.config.model.name, one.variant): one for one in candidates}
    rows = []
    for size in dict.fromkeys(size for size, *_ in models):
        here = [one for one in models.values() if one.point.split.train_size == size]
        tasks = [[target] for target in targets] + ([targets] if len(targets) > 1 else [])
        for together in tasks:
            rows += _of_task(numbers, here, together, truth, size)
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def _of_task(
    numbers: Mapping[str, _Number], candidates: list[Candidate], targets: list[str], truth: Truth, size: int
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, number in numbers.items():
        known = [one for one in candidates if all(_is_known(number, truth, one, target) for target in targets)]
        if len(known) < FEWEST:
            continue
        row = {"target": targets[0] if len(targets) == 1 else ALL_TARGETS, "train_size": size, "predictor": name}
        row |= {"kind": number.kind, "num_models": len(known)}
        rows.append(row | _score_one(number, known, targets, truth))
    of_probes = [row for row in rows if row["kind"] == PROBE and row["p"] is not None]
    for row, corrected in zip(of_probes, holm([float(row["p"]) for row in of_probes]), strict=True):
        row["p_holm"] = corrected
    return rows


def _is_known(number: _Number, truth: Truth, one: Candidate, target: str) -> bool:
    return truth.of(one, target) is not None and number.of(one, target) is not None


def _score_one(number: _Number, known: list[Candidate], targets: list[str], truth: Truth) -> dict[str, Any]:
    foretold = [np.array([number.of(one, target) for one in known], dtype=float) for target in targets]
    measured = [np.array([_error(truth, one, target) for one in known]) for target in targets]
    alike = all(np.ptp(values) == 0 for values in foretold)
    found: dict[str, Any] = {"p": None}
    if not any(np.ptp(values) == 0 for values in foretold):
        found["spearman"], found["p"] = rank_correlation(foretold, measured)
        every = [(a, b) for a in range(len(known)) for b in range(a)]
        both = list(zip(foretold, measured, strict=True))
        found["kendall"] = _mean([concordance(x, y, every).tau for x, y in both])
        found["first_choice"] = float(np.exp(np.mean([np.log(y[x == x.min()] / y.min()).mean() for x, y in both])))
        steps = [concordance(x, y, _steps(known)) for x, y in both]
        if any(one.num_pairs for one in steps):
            found["num_steps"] = sum(one.num_pairs for one in steps)
            found["steps_right"] = sum(one.num_right for one in steps)
            found["kendall_steps"] = 2 * found["steps_right"] / found["num_steps"] - 1
    scaled = [None if alike else _scaled(values, number) for values in foretold]
    if alike or all(values is not None for values in scaled):
        families = [one.point.config.model.name for one in known]
        ratio = foretell_ratios(scaled, measured, families)
        if ratio:
            found |= {"ratio_error": ratio.factor, "ratio_error_low": ratio.low, "ratio_error_high": ratio.high}
    if number.cost:
        found["cost_ratio"] = _training(truth, known, targets) / sum(number.cost(one, targets) for one in known)
    return found


def _scaled(values: Floats, number: _Number) -> Floats | None:
    """Return the logarithm of numbers whose ratios count; None if one of them is not above 0."""
    if number.is_logarithm:
        return values
    return np.log(values) if (values > 0).all() else None


def _error(truth: Truth, one: Candidate, target: str) -> float:
    entry = truth.of(one, target)
    assert entry is not None
    return entry.sample.mae


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _steps(known: list[Candidate]) -> list[tuple[int, int]]:
    """Return the steps of the ladder: the places of each rung and of the rung that it differs from in one assumption.

    A rung whose neighbour is not among the models makes no step.
    """
    places = {one.point.config.rung.name: place for place, one in enumerate(known) if one.point.config.rung}
    rungs = ((place, one.point.config.rung) for place, one in enumerate(known))
    return [(place, places[rung.after]) for place, rung in rungs if rung and rung.after in places]


def _training(truth: Truth, known: list[Candidate], targets: list[str]) -> float:
    """Return the FLOPs of the trainings of one seed of each model on some targets, its trials included."""
    entries = [truth.of(one, target) for one in known for target in targets]
    return sum(_flops_of(entry) for entry in entries if entry)


def _flops_of(entry: Entry) -> float:
    size = entry.key.group.train_size
    molecules = [replica.molecules or replica.epochs * size for replica in entry.replicas]
    passes = (2 if entry.options.get("optimizer.name") == "sam" else 1) * (
        2 if entry.options.get("trainer.symmetry_penalty") else 1
    )
    return 3.0 * passes * (entry.cost.flops_per_molecule or 0) * float(np.mean(molecules))


def _numbers(table: pd.DataFrame, truth: Truth, limit: int) -> dict[str, _Number]:
    """Return what may foretell an error, by its name."""
    numbers = dict(_of_probes(table, limit))
    numbers["FLOPs per molecule"] = _Number(CONTROL, lambda one, _: float(_flops(one)))
    numbers["parameters"] = _Number(CONTROL, lambda one, _: float(_parameters(one)))
    numbers["random numbers"] = _Number(CONTROL, _random, is_logarithm=True)
    # It knows nothing of the model: by it all of them are alike.
    numbers["regression on composition"] = _Number(
        CONTROL, lambda one, target: _guard(truth, one, target), is_logarithm=True
    )
    numbers["training on fewer labels"] = _Number(
        RIVAL,
        lambda one, target: _mae_with_fewer(truth, one, target),
        lambda one, targets: _cost_with_fewer(truth, one, targets),
    )
    return numbers


_PROBES = (  # the probe, its quantity and part; whether the figure is a logarithm; what it is called here
    ("kernel", "evidence", "", True, "kernel: evidence"),
    ("kernel", "leave-one-out MAE", "", False, "kernel: leave-one-out MAE"),
    ("kernel", "effective parameters", "", False, "kernel: effective parameters"),
    ("floor", LEAST_MAE, "", False, "floor: least MAE"),
    ("required_bits", "information required", "RMSE at most 0.5 sd", True, "required_bits: at most 0.5 sd"),
    ("smoothness", "geometric complexity / variance", "", False, "smoothness: geometric complexity"),
    ("smoothness", "mean degree along a line", "", False, "smoothness: mean degree"),
)


def _of_probes(table: pd.DataFrame, limit: int) -> Iterator[tuple[str, _Number]]:
    untrained = table[table["at"].isin(["", "init"])]
    keys = ["target", "train_size", "model", "variant"]
    for probe, quantity, part, is_logarithm, name in _PROBES:
        same = (untrained["probe"] == probe) & (untrained["quantity"] == quantity) & (untrained["part"] == part)
        means: dict[Any, float] = untrained[same].groupby(keys, sort=False)["value"].mean().to_dict()

        def of(one: Candidate, target: str, means: dict[Any, float] = means) -> float | None:
            key = one.point.split.train_size, one.point.config.model.name, one.variant
            return means.get((target, *key), means.get(("", *key)))

        def cost(one: Candidate, targets: list[str]) -> float:  # noqa: ARG001 (all targets share one kernel)
            return _kernel_cost(one, limit)

        if means:
            yield name, _Number(PROBE, of, cost if probe == "kernel" else None, is_logarithm)


def _kernel_cost(one: Candidate, limit: int) -> float:
    """Return the FLOPs of the kernel of one seed: gradients of n molecules, their products, and the eigenvectors."""
    count, gradients = min(one.point.split.train_size, limit), _parameters(one)
    passes = 1 if one.point.config.data.augmentation == "none" else AUGMENTATIONS
    padding, model = one.point.dataset.molecules.padding, one.point.resolved.model
    return passes * count * count_training_flops(padding, model) + 2.0 * count**2 * gradients + 9.0 * count**3


def _flops(one: Candidate) -> int:
    return count_flops(one.point.dataset.molecules.padding, one.point.resolved.model)


def _parameters(one: Candidate) -> int:
    return count_parameters(one.point.dataset.molecules.padding, one.point.resolved.model)


def _random(one: Candidate, target: str) -> float:  # noqa: ARG001 (the same number for all targets, as FLOPs are)
    words = f"{one.point.config.model.name} {one.variant}".encode()
    return float(np.random.RandomState(list(words)).standard_normal())


def _guard(truth: Truth, one: Candidate, target: str) -> float | None:
    entry = truth.guards.get((target, one.point.split.train_size))
    return entry.sample.mae if entry else None


def _mae_with_fewer(truth: Truth, one: Candidate, target: str) -> float | None:
    entry = truth.with_fewer_labels(one, target)
    return entry.sample.mae if entry else None


def _cost_with_fewer(truth: Truth, one: Candidate, targets: list[str]) -> float:
    entries = [truth.with_fewer_labels(one, target) for target in targets]
    return sum(_flops_of(entry) for entry in entries if entry)
