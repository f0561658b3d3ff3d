"""The seeds of a row as an ensemble: how large the error of their mean is, and whether their deviation foretells it.

The deviation between seeds is put to the test as an uncertainty: let the true value of a molecule be one more draw from
what its seeds predict. Then the mean of k seeds with sample deviation s misses it with the variance (1 + 1/k) s^2, and
(mean - true value) / (s sqrt(1 + 1/k)) has Student's t distribution with k - 1 degrees of freedom, if the draws are
normal: this is the usual prediction interval for one further observation. With a normal quantile it would hold 65 % in
the place of 90 % for two seeds, and 76 % for three, even if the assumption held.

The assumption fails where all seeds make the same error, such as where the model cannot express the target or no train
molecule shows an effect: the seeds then agree, and their deviation is too small. The figures of this file show how
often that happens.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import special

from ibbench.compare.cautions import FEW_MOLECULES
from ibbench.compare.distribution import Floats
from ibbench.compare.moderation import degrees_of_scatter
from ibbench.compare.rows import Entry
from ibbench.compare.statistics import Sample
from ibbench.compare.study import gather
from ibbench.errors import InputError
from ibbench.record.folder import StudyFolder

LEVEL = 0.9  # nominal coverage of the interval whose actual coverage is counted
NUM_BINS = 10  # for ENCE; by chance alone ENCE grows with the root of this number, so all tables use the same


class Bin(NamedTuple):
    """Test molecules of similar uncertainty.

    Attributes:
        deviation: root of the mean variance that the seeds state for the error of their mean, in the target's unit.
        rmse: root mean squared error of the mean over seeds.
        ideal: RMSE to expect if the assumption of this module held, in the target's unit. It is larger than `deviation`
            in bins of small deviation, because some molecules have a small deviation by chance. None if unknown.
        num_molecules: number of molecules in the bin.
    """

    deviation: float
    rmse: float
    ideal: float | None
    num_molecules: int


class Calibration(NamedTuple):
    """The mean over the seeds of a row, measured on its test molecules; errors in the target's unit.

    Attributes:
        num_seeds: number of seeds, at least two.
        num_molecules: the number of test molecules.
        mae: mean absolute error of the mean over seeds.
        low: lower end of its 95 % interval, for other sets of as many seeds and other test molecules; None if unknown.
        high: upper end of that interval; None if unknown.
        rmse: root mean squared error of the mean over seeds.
        coverage: share of the molecules whose true value lies in the 90 % interval, 0.9 where the deviation is right.
        ence: expected normalised calibration error over the bins; None where there are no bins, or seeds agree.
        ence_ideal: value that `ence` would have with this number of seeds if the assumption of this module held. It is
            not 0, since the deviation of few seeds is inexact. None if unknown.
        bins: the test molecules by rising deviation; none where there are fewer than 100.
    """

    num_seeds: int
    num_molecules: int
    mae: float
    low: float | None
    high: float | None
    rmse: float
    coverage: float
    ence: float | None
    ence_ideal: float | None
    bins: tuple[Bin, ...]

    @property
    def factor(self) -> float:
        """Half the width of the 90 % interval, in standard deviations between seeds."""
        return interval_factor(self.num_seeds)


def interval_factor(num_seeds: int) -> float:
    """Return by how many standard deviations the 90 % interval extends to each side of the mean over seeds."""
    quantile = float(special.stdtrit(num_seeds - 1, (1 + LEVEL) / 2))
    return quantile * math.sqrt(1 + 1 / num_seeds)


def measure_calibration(entry: Entry) -> Calibration | None:
    """Measure the seeds of a row as an ensemble.

    Returns:
        The calibration; None for one seed, for a run whose predictions were not kept, for a class, whose true value is
        no further draw, for restored molecules, whose predictions are errors already, and for a baseline (nobody
        predicts with the mean of a baseline over seeds).
    """
    group = entry.key.group
    if entry.key.is_baseline or group.is_class or group.is_restored or len(entry.sample.seeds) < 2:
        return None
    errors = entry.signed_errors
    return None if errors is None else calibrate(errors)


def measure_runs(folders: Sequence[Path]) -> dict[str, Calibration]:
    """Measure, for each target, how well runs that predict together predicted their own test molecules.

    Args:
        folders: folders of runs of one study that differ in seeds and targets only.

    Returns:
        The calibration of each target, by its name; targets whose predictions were not kept are left out. Empty if a
        file of the runs cannot be read.
    """
    study = folders[0].resolve().parent.parent
    try:
        records = [StudyFolder.at(study).record(folder.resolve().name) for folder in folders]
        entries = gather(study.name, [record for record in records if record], study).entries
    except InputError:
        return {}
    by_target: dict[str, list[Entry]] = {}
    for entry in entries:
        if not entry.key.is_baseline:
            by_target.setdefault(entry.key.group.target, []).append(entry)
    measured = {target: measure_calibration(of[0]) for target, of in by_target.items() if len(of) == 1}
    return {target: one for target, one in measured.items() if one}


def calibrate(errors: Floats) -> Calibration:
    """Measure an ensemble on its test molecules.

    Args:
        errors: predicted minus true value of each seed and molecule, `[S, M]`, in the target's unit; S is at least 2.
    """
    num_seeds, num_molecules = errors.shape
    mean, deviation = errors.mean(0), errors.std(0, ddof=1)
    low, high = _interval(errors, mean) or (None, None)
    scale = 1 + 1 / num_seeds
    bins: tuple[Bin, ...] = ()
    if num_molecules >= FEW_MOLECULES:
        stated = deviation**2
        expected = expect_variances(stated, num_seeds - 1)
        bins = divide(mean, scale * stated, None if expected is None else scale * expected)
    return Calibration(
        num_seeds,
        num_molecules,
        mae=float(np.abs(mean).mean()),
        low=low,
        high=high,
        rmse=float(np.sqrt(np.square(mean).mean())),
        coverage=float((np.abs(mean) <= interval_factor(num_seeds) * deviation).mean()),
        ence=ence([(one.deviation, one.rmse) for one in bins]),
        ence_ideal=ence([(one.deviation, one.ideal) for one in bins if one.ideal is not None]),
        bins=bins,
    )


def _interval(errors: Floats, mean: Floats) -> tuple[float, float] | None:
    """Return the 95 % interval of the MAE of the mean over seeds, for other seeds and molecules; None if unknown.

    The MAE of the mean is itself a mean over seeds: each seed contributes its error times the sign of the mean error.
    To first order these contributions vary as the MAE does (the infinitesimal jackknife), so the interval is computed
    as for any other mean over seeds and molecules.

    Args:
        errors: predicted minus true value of each seed and molecule, `[S, M]`.
        mean: mean of `errors` over seeds, `[M]`.
    """
    parts = errors * np.sign(mean)
    of_seeds = parts.mean(1)
    return Sample(tuple(range(len(errors))), of_seeds, parts).mae_interval()


def divide(
    errors: Floats, variances: Floats, expected: Floats | None = None, num_bins: int = NUM_BINS
) -> tuple[Bin, ...]:
    """Sort molecules by stated variance, and divide them into bins of equal size.

    Args:
        errors: errors of the predictions, `[M]`, in the target's unit.
        variances: variances that are stated for these errors, `[M]`, in the square of that unit.
        expected: squared errors to expect instead, `[M]`, see `Bin.ideal`; None if unknown.
        num_bins: number of bins.
    """
    order = np.argsort(variances, kind="stable")
    return tuple(
        Bin(
            math.sqrt(variances[part].mean()),
            math.sqrt(np.square(errors[part]).mean()),
            None if expected is None else math.sqrt(expected[part].mean()),
            len(part),
        )
        for part in np.array_split(order, num_bins)
    )


def ence(bins: Sequence[tuple[float, float]]) -> float | None:
    """Return the expected normalised calibration error, |RMV - RMSE| / RMV on average over bins.

    From Levi et al. 2019 (arXiv:1905.11659). It is 0 if the error in each bin is as large as stated, and 1 if all
    errors are twice as large as stated.

    Args:
        bins: root of the mean variance (RMV) and root mean squared error (RMSE) of each bin, in the same unit.

    Returns:
        The mean, without a unit; None if there are no bins, or if a bin states an error of 0.
    """
    if not bins or min(stated for stated, _ in bins) <= 0:
        return None
    return float(np.mean([abs(stated - found) / stated for stated, found in bins]))


def expect_variances(variances: Floats, degrees: float) -> Floats | None:
    """Estimate the true variance of each molecule from its sample variance over few seeds.

    The true variances are taken as drawn from an inverse gamma distribution, which is fitted to how the logarithms of
    the sample variances scatter (Smyth 2004, Stat. Appl. Genet. Mol. Biol. 3, 3). The estimate is the mean of the true
    variance given the sample variance.

    Args:
        variances: sample variances, `[M]`.
        degrees: degrees of freedom of each sample variance.

    Returns:
        The expected true variances, `[M]`; None if at least half of the sample variances are 0, or if the true ones
        scatter so much that they have no mean.
    """
    known = variances[variances > 0]
    if 2 * len(known) <= len(variances):
        return None
    logarithms = np.log(known) - special.digamma(degrees / 2) + math.log(degrees / 2)
    prior = degrees_of_scatter(max(0.0, float(logarithms.var(ddof=1) - special.polygamma(1, degrees / 2))))
    if prior + degrees <= 2 or prior <= 0:
        return None
    common = math.exp(float(logarithms.mean() + special.digamma(prior / 2)) - math.log(prior / 2))
    return np.asarray((prior * common + degrees * variances) / (prior + degrees - 2))
