"""Pairs of models on each target and train size: the difference of their errors, its certainty, and the verdict."""

from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from ibbench.baselines.pairs import is_pair
from ibbench.compare.columns import interval, shared
from ibbench.compare.moderation import Prior, estimate_prior, moderate, variance_of_seed
from ibbench.compare.rows import Entry, Group, Key, Section
from ibbench.compare.statistics import Comparison, compare
from ibbench.compare.verdict import RELEVANCE, Verdict, holm, judge

COLUMNS = {
    **shared("target", "unit", "train_size"),
    "a": "model A",
    "a_variant": "its variant, if it has one",
    "b": "model B",
    "b_variant": "its variant, if it has one",
    **shared("num_seeds"),
    **interval("difference", "MAE of A minus that of B, averaged over seeds"),
    **interval("ratio", "MAE of A over that of B, the geometric mean over seeds"),
    "probability_a_lower": "share of seeds on which A has the lower MAE, ties counted half; from six seeds on",
    "probability_low": "lower end of its 95 % (Clopper-Pearson) interval",
    "probability_high": "upper end of that interval",
    "p": "p-value of the difference by itself, not corrected",
    **shared("p_holm"),
    "verdict": "which of the two is better, if that is sure",
    "basis": "what the verdict rests on: `predictions` of each test molecule, or `seeds` alone",
    **shared("hydrogens", "source", "split"),
}


class Pair(NamedTuple):
    """Model A against model B on one target and train size.

    Attributes:
        a: the row that the verdict is about.
        b: the row that it is compared with.
        comparison: statistics of A against B.
        p_holm: p-value, corrected over all comparisons of its family; None with one seed.
        verdict: verdict on A.
        num_tests: number of comparisons in the family: all pairs of rows that share target and train size.
        relevance: relative difference below which it does not matter which error is lower.
    """

    a: Key
    b: Key
    comparison: Comparison
    p_holm: float | None
    verdict: Verdict
    num_tests: int
    relevance: float = RELEVANCE

    def reversed(self) -> "Pair":
        """Return B against A."""
        comparison = self.comparison.reversed()
        verdict = judge(comparison, self.p_holm, self.num_tests, self.relevance)
        return self._replace(a=self.b, b=self.a, comparison=comparison, verdict=verdict)

    def figures(self) -> dict[str, float | None]:
        """Return the statistics under the names that the tables give them; None where something is unknown."""
        columns = list(COLUMNS)
        names = columns[columns.index("difference") : columns.index("p_holm")]
        difference, unknown = self.comparison.difference, (None, None, None)
        values = (
            difference.value,
            *(difference.interval() or unknown[:2]),
            *(self.comparison.ratio() or unknown),
            *(self.comparison.probability() or unknown),
            difference.p_value(),
        )
        return dict(zip(names, values, strict=True)) | {"p_holm": self.p_holm}


Pairs = dict[tuple[Key, Key], Pair]


def by_group(entries: Iterable[Entry]) -> dict[Group, list[Entry]]:
    """Divide entries into the groups within which they are compared."""
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.key.group, []).append(entry)
    return groups


def best_of(group: list[Entry]) -> Key:
    """Return the row with the lowest mean MAE of a group."""
    return min(group, key=lambda entry: entry.sample.mae).key


def compare_pairs(
    entries: Iterable[Entry],
    relative_to: str | None = None,
    relevance: float = RELEVANCE,
    also: Iterable[tuple[Entry, Entry]] = (),
) -> Pairs:
    """Compare the pairs of rows that a table shows; A is the entry that comes first.

    On each target and train size these are: pairs of models of the same variant; pairs of any row with a row that is
    the best on at least one target; pairs of any row with a row of the model `relative_to`. Other pairs, such as two
    variants of different models, are left out: a study of many variants has very many of them.

    Args:
        entries: the rows of a study.
        relative_to: model that all rows are compared with; None for the best rows only.
        relevance: relative difference below which it does not matter which error is lower.
        also: pairs of rows of one group that are compared, too, A first.

    Returns:
        Each pair by the keys of A and B. p-values are corrected over all pairs, also over those that are left out.
    """
    groups = by_group(entries)
    best: dict[tuple[Section, int], set[tuple[str, str, bool]]] = {}
    for group, members in groups.items():
        best.setdefault((group.section, group.train_size), set()).add(best_of(members)[1:])
    comparisons = {}
    for group, members in groups.items():
        references = best[group.section, group.train_size]
        # With thousands of variants a loop over all pairs would take long, and most of them are not compared.
        wanted = [place for place, (key, *_) in enumerate(members) if key[1:] in references or key.model == relative_to]
        of_variant: dict[str, list[int]] = {}
        for place, entry in enumerate(members):
            of_variant.setdefault(entry.key.variant, []).append(place)
        everywhere = set(wanted)
        for place, a in enumerate(members):
            others = range(len(members)) if place in everywhere else {*wanted, *of_variant[a.key.variant]}
            for b in (members[other] for other in sorted(others) if other > place):
                comparisons[a.key, b.key] = compare(a.sample, b.sample)
    for a, b in also:
        if (a.key, b.key) not in comparisons and (b.key, a.key) not in comparisons:
            comparisons[a.key, b.key] = compare(a.sample, b.sample)
    # All pairs of a group count as tests: which of them are compared was chosen after the best model was known.
    num_tests = sum(len(members) * (len(members) - 1) // 2 for members in groups.values())
    return correct(comparisons, num_tests, relevance, find_alike(entry for group in groups.values() for entry in group))


def find_alike(entries: Iterable[Entry]) -> dict[Section, Hashable]:
    """Return for each section what it shares with those whose variances over seeds are like its own.

    These are sections of the same molecules, divided in the same way, if by another seed: on another data set, or on
    test molecules unlike those that models train on, seeds may differ by much more.
    """
    return {
        entry.key.group.section: (
            entry.key.group.section._replace(split=""),
            *(entry.options.get(key) for key in ("data.split", "data.held_out")),
        )
        for entry in entries
        if entry.options  # baselines have none
    }


def correct(
    comparisons: dict[tuple[Key, Key], Comparison],
    num_tests: int = 0,
    relevance: float = RELEVANCE,
    alike: Mapping[Section, Hashable] = MappingProxyType({}),
) -> Pairs:
    """Moderate the variances over seeds, and correct the p-values over all comparisons: they are one family.

    Args:
        comparisons: comparison of A with B, by their keys.
        num_tests: number of comparisons in the family, if it is larger than the number of `comparisons`.
        relevance: relative difference below which it does not matter which error is lower.
        alike: what sections share whose variances over seeds inform each other, see `find_alike`; a section that is
            not in it informs itself alone.
    """
    part_of = {keys: alike.get(keys[0].group.section, keys[0].group.section) for keys in comparisons}
    parts: dict[Hashable, dict[tuple[Key, Key], Comparison]] = {}
    for keys, comparison in comparisons.items():
        parts.setdefault(part_of[keys], {})[keys] = comparison
    priors = {part: _common_prior(of_part) for part, of_part in parts.items()}
    moderated = {
        keys: moderate(comparison, priors[part_of[keys]]) if _can_borrow(comparison, keys) else comparison
        for keys, comparison in comparisons.items()
    }
    p_values = {keys: comparison.difference.p_value() for keys, comparison in moderated.items()}
    tested = {keys: p_value for keys, p_value in p_values.items() if p_value is not None}
    family = max(len(tested), num_tests)
    adjusted = dict(zip(tested, holm(list(tested.values()), family), strict=True))
    pairs = {}
    for keys, comparison in moderated.items():
        p_holm = adjusted.get(keys)
        verdict = judge(comparison, p_holm, family, relevance)
        pairs[keys] = Pair(*keys, comparison, p_holm, verdict, family, relevance)
    return pairs


def _common_prior(comparisons: dict[tuple[Key, Key], Comparison]) -> Prior | None:
    """Estimate what the relative variances over seeds of trained models have in common in a table."""
    kept = {keys: comparison for keys, comparison in comparisons.items() if _can_borrow(comparison, keys)}
    models: dict[Group, dict[Key, int]] = {}
    for (a, b), comparison in kept.items():
        models.setdefault(a.group, {}).update(dict.fromkeys((a, b), comparison.difference.num_seeds))
    independent = sum(len(members) - 1 for members in models.values())
    pooled = sum((len(members) - 1) * (min(members.values()) - 1) for members in models.values())
    variances = np.array([variance_of_seed(comparison) for comparison in kept.values()])
    degrees = np.array([comparison.difference.degrees for comparison in kept.values()])
    return estimate_prior(variances, degrees, independent, pooled)


def _can_borrow(comparison: Comparison, keys: tuple[Key, Key]) -> bool:
    """Whether two trained models are compared seed by seed; the variances of other comparisons have other causes.

    A pair of a representation and a regression counts as a model: it depends on its train molecules as one does.
    """
    ratio = comparison.log_ratio
    paired = comparison.wins is not None and ratio is not None and ratio.seed_variance is not None
    return paired and not any(key.is_baseline and not is_pair(key.model) for key in keys)


def versus(pairs: Pairs, a: Key, b: Key) -> Pair:
    """Return the pair with `a` as A and `b` as B, also where they were compared the other way round.

    Raises:
        KeyError: the two were not compared.
    """
    return pairs[a, b] if (a, b) in pairs else pairs[b, a].reversed()


def pairs_table(pairs: Pairs) -> pd.DataFrame:
    """Return a table with one row per pair, with `COLUMNS`; `verdict` names the better of the two models."""
    rows = []
    for pair in pairs.values():
        group = pair.a.group
        rows.append(
            {
                "target": group.target,
                "unit": group.unit,
                "train_size": group.train_size,
                "a": pair.a.model,
                "a_variant": pair.a.variant,
                "b": pair.b.model,
                "b_variant": pair.b.variant,
                "num_seeds": pair.comparison.difference.num_seeds,
                **pair.figures(),
                "verdict": _in_names(pair),
                "basis": pair.comparison.basis,
                **group.section._asdict(),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _in_names(pair: Pair) -> str:
    """Write the verdict with the name of the better model: `gnn better` also where A is worse than B, the GNN."""
    better = pair.reversed() if pair.verdict.word in {"worse", "higher"} else pair
    return str(better.verdict) if better.verdict.tied else f"{better.a.name} {better.verdict}"
