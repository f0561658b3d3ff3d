"""All pairs of models on each target and train size: how far apart, how surely, and the verdict."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pandas as pd

from ibbench.compare.statistics import Comparison, compare
from ibbench.compare.study import Entry, Group, Key, Section
from ibbench.compare.verdict import Verdict, holm, judge

COLUMNS = [
    "target", "unit", "train_size", "a", "a_variant", "b", "b_variant", "num_seeds",
    "difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high",
    "probability_a_lower", "probability_low", "probability_high", "p", "p_holm",
    "verdict", "basis", "hydrogens", "source", "split",
]  # fmt: skip


class Pair(NamedTuple):
    """Model A against model B on one target and train size.

    Attributes:
        a: the row that the verdict is about.
        b: the row that it is compared with.
        comparison: its statistics.
        p_holm: its p-value, corrected over the targets on which the same two are compared; None with one seed.
        verdict: what it tells of A.
    """

    a: Key
    b: Key
    comparison: Comparison
    p_holm: float | None
    verdict: Verdict

    def reversed(self) -> "Pair":
        """Return B against A."""
        return Pair(self.b, self.a, self.comparison.reversed(), self.p_holm, self.verdict.reversed())

    def figures(self) -> dict[str, float | None]:
        """Return the statistics under the names that the tables give them; None where something is unknown."""
        names = COLUMNS[COLUMNS.index("difference") : COLUMNS.index("p_holm")]
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


def compare_pairs(entries: Iterable[Entry], relative_to: str | None = None) -> Pairs:
    """Compare all pairs that a table speaks of, an earlier entry as A with a later one as B.

    These are, on each target and train size: different models of the same variant; any row and each that is the
    best on one of the targets; any row and those of the model `relative_to`. In a study of many variants all pairs
    would be a multiple of that, of which nobody asked most.
    """
    groups = by_group(entries)
    best: dict[tuple[Section, int], set[tuple[str, str, bool]]] = {}
    for group, members in groups.items():
        best.setdefault((group.section, group.train_size), set()).add(best_of(members)[1:])
    comparisons = {}
    for group, members in groups.items():
        references = best[group.section, group.train_size]
        # Of thousands of variants few are compared, so those of each are looked up rather than sought among all pairs.
        wanted = [place for place, (key, *_) in enumerate(members) if key[1:] in references or key.model == relative_to]
        of_variant: dict[str, list[int]] = {}
        for place, entry in enumerate(members):
            of_variant.setdefault(entry.key.variant, []).append(place)
        everywhere = set(wanted)
        for place, a in enumerate(members):
            others = range(len(members)) if place in everywhere else {*wanted, *of_variant[a.key.variant]}
            for b in (members[other] for other in sorted(others) if other > place):
                comparisons[a.key, b.key] = compare(a.sample, b.sample)
    return correct(comparisons)


def correct(comparisons: dict[tuple[Key, Key], Comparison]) -> Pairs:
    """Correct p-values over the targets on which the same two models are compared, all else being the same."""
    families: dict[tuple[Any, ...], list[tuple[Key, Key]]] = {}
    for a, b in comparisons:
        family = (a.group.section, a.group.train_size, a[1:], b[1:])
        families.setdefault(family, []).append((a, b))
    pairs: Pairs = {}
    for members in families.values():
        p_values = {keys: comparisons[keys].difference.p_value() for keys in members}
        tested = {keys: p_value for keys, p_value in p_values.items() if p_value is not None}
        adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
        for keys in members:
            p_holm = adjusted.get(keys)
            pairs[keys] = Pair(*keys, comparisons[keys], p_holm, judge(comparisons[keys], p_holm, len(adjusted)))
    return {keys: pairs[keys] for keys in comparisons}


def versus(pairs: Pairs, a: Key, b: Key) -> Pair:
    """Return A against B, whichever way round they were compared."""
    return pairs[a, b] if (a, b) in pairs else pairs[b, a].reversed()


def pairs_table(pairs: Pairs) -> pd.DataFrame:
    """Return a row a pair, with `COLUMNS`; `verdict` names the better of the two."""
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
    return pd.DataFrame(rows, columns=COLUMNS)


def _in_names(pair: Pair) -> str:
    """Write the verdict with the names of the models: `gnn better` for what is worse than the GNN."""
    better = pair.reversed() if pair.verdict.word in {"worse", "higher"} else pair
    return str(better.verdict) if better.verdict.tied else f"{better.a.name} {better.verdict}"
