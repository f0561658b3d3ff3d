"""Tables of known truth: how often a false verdict comes out of them.

Written apart from the code that is checked: errors are drawn from a stated sum of effects, and nothing is estimated
here. Deviations are those of trained models on the gap of QM9, in eV. All functions return a rate.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ibbench.compare.cautions import Basis
from ibbench.compare.diff import Diff, diff
from ibbench.compare.pairs import compare_pairs, correct
from ibbench.compare.rows import Cost, Entry, Group, Key, Section
from ibbench.compare.side import Place, Side, SideRow
from ibbench.compare.statistics import Sample, Spread, compare
from ibbench.compare.verdict import ALPHA

Draw = Callable[..., np.ndarray]
SECTION = Section("invented", "implicit", "abc")


class Effects(NamedTuple):
    """Standard deviations of what moves the error of one model on one molecule: seed, molecule, and both together."""

    seed: float = 0.005
    molecule: float = 0.15
    both: float = 0.10


def normal(generator: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Draw from the standard normal distribution."""
    return generator.normal(size=size)


def skewed(generator: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Draw from a lognormal distribution of mean 0 and deviation 1, as heavy as errors of molecules are."""
    return (np.exp(generator.normal(size=size)) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)


def errors(
    generator: np.random.Generator,
    seeds: int,
    molecules: int,
    effects: Effects,
    level: float = 1.0,
    draw: Draw = normal,
) -> np.ndarray:
    """Draw the errors of one model, `[S, M]`, whose true MAE is `level`."""
    return (
        level
        + effects.seed * generator.normal(size=(seeds, 1))
        + effects.molecule * draw(generator, (1, molecules))
        + effects.both * generator.normal(size=(seeds, molecules))
    )


def sample(drawn: np.ndarray) -> Sample:
    """Return what a study has of a model."""
    return Sample(tuple(range(len(drawn))), drawn.mean(1), drawn)


def _entries(samples: list[Sample], target: str = "t") -> list[Entry]:
    group = Group(SECTION, target, "eV", 1000)
    return [Entry(Key(group, f"m{i:02}", ""), (), one, Cost(1, 1, 1.0), {}) for i, one in enumerate(samples)]


def equal_models(draws: int, models: int, seeds: int, molecules: int = 300) -> float:
    """Return in what share of tables of equal models one is called better than another."""
    generator = np.random.default_rng(models + seeds)
    found = 0
    for _ in range(draws):
        easy = 0.2 * generator.normal(size=(1, molecules))  # for all models alike
        samples = [sample(easy + errors(generator, seeds, molecules, Effects())) for _ in range(models)]
        found += any(pair.verdict.word in {"better", "worse"} for pair in compare_pairs(_entries(samples)).values())
    return found / draws


def worthless_ladder(draws: int, steps: int = 12, targets: int = 2, seeds: int = 3, molecules: int = 300) -> float:
    """Return in what share of ladders whose rungs are all equal a step is called better or worse."""
    generator = np.random.default_rng(steps)
    found = 0
    for _ in range(draws):
        compared = {}
        for target in range(targets):
            rungs = _entries(
                [sample(errors(generator, seeds, molecules, Effects())) for _ in range(steps + 1)], str(target)
            )
            for before, after in itertools.pairwise(rungs):
                compared[after.key, before.key] = compare(after.sample, before.sample)
        found += any(pair.verdict.word in {"better", "worse"} for pair in correct(compared).values())
    return found / draws


def told_by_table(drawn: np.ndarray, of_molecule: float) -> Sample:
    """Return what a table says of a model: its MAE on each seed, and how much molecules move it."""
    molecules = drawn.shape[1]
    scatter = (drawn.mean(0) - drawn.mean()) @ (drawn.mean(0) - drawn.mean()) / (molecules - 1)
    noise = max(0.0, scatter - of_molecule**2)  # what the seeds brought in is not of the molecules
    return sample(drawn)._replace(errors=None, stated=Spread((scatter - noise) / molecules, molecules))


def compare_tables(old: list[Sample | tuple[float, float, int]], new: list[Sample | tuple[float, float, int]]) -> Diff:
    """Compare two tables; a row is what a table of this version has, or mean, deviation and number of seeds."""

    def row(model: int, told: Sample | tuple[float, float, int]) -> SideRow:
        place = Place(f"m{model}", "", "t", "eV", 1000, *SECTION)
        known = told if isinstance(told, Sample) else None
        mean, deviation, seeds = (known.mae, known.mae_std, len(known.seeds)) if known else told
        return SideRow(place, mean, deviation, seeds, known, None, known is None, Basis(1000))

    sides = (Side(name, [row(*it) for it in enumerate(rows)], None) for name, rows in (("A", old), ("B", new)))
    return diff(*sides, tolerance=0.02)


def diff_of_tables(draws: int, seeds: int, molecules: int, correlation: float, older: bool = False) -> float:
    """Return how often `ibbench diff` of two tables calls a change of no change in the true MAE better or worse.

    Args:
        draws: number of pairs of tables.
        seeds: on both sides.
        molecules: test molecules, the same on both sides.
        correlation: of what makes a molecule hard, between the sides.
        older: whether the tables are of a version that told means and deviations only.
    """
    generator = np.random.default_rng(seeds + molecules)
    own, shared = np.sqrt(1 - correlation), np.sqrt(correlation)
    found = 0
    for _ in range(draws):
        effects = Effects()
        hard = effects.molecule * shared * generator.normal(size=(1, molecules))
        sides = [
            hard + errors(generator, seeds, molecules, effects._replace(molecule=own * effects.molecule)) for _ in "AB"
        ]
        rows = [
            (float(side.mean()), float(side.mean(1).std(ddof=1)), seeds)
            if older
            else told_by_table(side, effects.molecule)
            for side in sides
        ]
        (judged,) = compare_tables([rows[0]], [rows[1]]).rows
        found += judged.verdict.word in {"better", "worse"}
    return found / draws


def regression_is_proven(draws: int, rows: int = 8, worse: float = 0.08, older: bool = False) -> float:
    """Return how often a diff of two tables of two seeds proves that a row whose error is higher is worse."""
    generator = np.random.default_rng(rows)
    found = 0
    for _ in range(draws):
        sides: list[list[Sample | tuple[float, float, int]]] = []
        for level in (1.0, 1 + worse):
            drawn = [errors(generator, 2, 1000, Effects(seed=0.01), level) for _ in range(rows)]
            sides.append(
                [
                    (float(one.mean()), float(one.mean(1).std(ddof=1)), 2) if older else told_by_table(one, 0.15)
                    for one in drawn
                ]
            )
        found += sum(row.verdict.word == "worse" for row in compare_tables(*sides).rows)
    return found / draws / rows


def baseline(draws: int, molecules: int, with_errors: bool = True) -> float:
    """Return how often a model is told from a baseline of the same true MAE, at 5 % a test.

    A baseline hardly varies with the seed, and errs on other molecules than a model.
    """
    generator = np.random.default_rng(molecules)
    found = 0
    for _ in range(draws):
        model = sample(errors(generator, 3, molecules, Effects(), draw=skewed))
        fixed = sample(errors(generator, 3, molecules, Effects(0.001, 0.3, 0.001), draw=skewed))
        p_value = compare(model, fixed if with_errors else fixed._replace(errors=None)).difference.p_value()
        found += p_value is not None and p_value < ALPHA
    return found / draws


def few_molecules(draws: int, molecules: int, draw: Draw, seeds: int = 3) -> float:
    """Return how often two equal models are told apart, at 5 % a test, where all depends on few test molecules."""
    generator = np.random.default_rng(molecules)
    found = 0
    for _ in range(draws):
        effects = Effects(0.002, 0.2, 0.02)
        one, other = (sample(errors(generator, seeds, molecules, effects, 2.0, draw)) for _ in "ab")
        p_value = compare(one, other).difference.p_value()
        found += p_value is not None and p_value < ALPHA
    return found / draws


def some_models_do_not_vary(draws: int, models: int = 6, seeds: int = 3, molecules: int = 300) -> tuple[float, float]:
    """Return how often single pairs of equal models have p below 5 %, and tables a false verdict.

    No seed changes half of the models, so there is little that their variances over seeds have in common.
    """
    generator = np.random.default_rng(models)
    single, tables = [], 0
    for _ in range(draws):
        samples = []
        for model in range(models):
            if model % 2:
                fixed = errors(generator, 1, molecules, Effects(seed=0.0))
                samples.append(sample(np.repeat(fixed, seeds, axis=0)))
            else:
                samples.append(sample(errors(generator, seeds, molecules, Effects(seed=0.02))))
        pairs = compare_pairs(_entries(samples)).values()
        p_values = [pair.comparison.difference.p_value() for pair in pairs]
        single += [p_value < ALPHA for p_value in p_values if p_value is not None]
        tables += any(pair.verdict.word in {"better", "worse"} for pair in pairs)
    return float(np.mean(single)), tables / draws
