"""Claims: which comparisons of two models survive other recipes, in a study that was trained with several."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ibbench.compare.pairs import Pair, correct, versus
from ibbench.compare.soundness import find_faults
from ibbench.compare.statistics import compare
from ibbench.compare.study import Entry, Key, Section, Study

COLUMNS = [
    "target", "unit", "train_size", "a", "b", "recipe", "ratio", "ratio_low", "ratio_high", "verdict", "fault", "holds",
    *Section._fields,
]  # fmt: skip
THE_RECIPE = "the recipe itself"


class Recipe(NamedTuple):
    """One way in which models of a study were trained: a variant, on one division of the molecules."""

    section: Section
    variant: str


class Tried(NamedTuple):
    """What came of a claim under one recipe.

    Attributes:
        recipe: its options that differ from those of most recipes, or `THE_RECIPE`.
        section: the molecules and their division.
        ratio: MAE of A over that of B, with the ends of its 95 % interval where they are known.
        verdict: what the table says of A.
        fault: why one of the two rows supports no claim; empty if both do.
        holds: whether A is better there, surely, and both rows are sound.
    """

    recipe: str
    section: Section
    ratio: tuple[float, float | None, float | None]
    verdict: str
    fault: str
    holds: bool


class Claim(NamedTuple):
    """That model A has a lower error than B, and under which recipes it was tried.

    Attributes:
        target: the short name of the target.
        unit: the unit of its errors.
        train_size: number of labels.
        a: the model that is better under most recipes, if it is under any.
        b: the other one.
        trials: one per recipe, in the order of the recipes.
    """

    target: str
    unit: str
    train_size: int
    a: str
    b: str
    trials: tuple[Tried, ...]

    @property
    def num_held(self) -> int:
        """Under how many recipes it holds."""
        return sum(trial.holds for trial in self.trials)


def find_claims(study: Study) -> list[Claim]:
    """Find for all pairs of models, which were trained with two recipes or more, which of them is better where.

    Verdicts are corrected over all of these comparisons. (The table of such a study corrects over the pairs of all its
    rows, also of different recipes, which are many times as many.)
    """
    trained = [entry for entry in study.entries if not entry.key.is_baseline and not entry.rung]
    cells: dict[tuple[str, str, int], dict[Recipe, dict[str, Entry]]] = {}
    for entry in trained:
        group = entry.key.group
        task = cells.setdefault((group.target, group.unit, group.train_size), {})
        task.setdefault(Recipe(group.section, entry.key.variant), {})[entry.key.model] = entry
    if not any(len(recipes) > 1 for recipes in cells.values()):
        return []
    compared = {
        (one.key, other.key): compare(one.sample, other.sample)
        for recipes in cells.values()
        for found in recipes.values()
        for one, other in itertools.combinations(found.values(), 2)
    }
    pairs, faults = correct(compared), find_faults(study.entries)
    claims = []
    for (target, unit, train_size), recipes in cells.items():
        names = _name_recipes(list(recipes))
        models = list(dict.fromkeys(model for of_recipe in recipes.values() for model in of_recipe))
        for one, other in itertools.combinations(models, 2):
            tried = {
                recipe: versus(pairs, found[one].key, found[other].key)
                for recipe in sorted(recipes, key=lambda recipe: names[recipe] != THE_RECIPE)
                if {one, other} <= (found := recipes[recipe]).keys()
            }
            claim = _claim((one, other), names, tried, faults)
            if claim:
                claims.append(Claim(target, unit, train_size, *claim))
    return claims


def _claim(
    models: tuple[str, str], names: dict[Recipe, str], compared: dict[Recipe, Pair], faults: dict[Key, str]
) -> tuple[str, str, tuple[Tried, ...]] | None:
    """Return the better model under most recipes, the other one, and the trials; None with one recipe."""
    words = Counter(pair.verdict.word for pair in compared.values())
    if len(compared) < 2:
        return None
    turned = words["worse"] > words["better"]
    trials = []
    for recipe, pair in compared.items():
        told = pair.reversed() if turned else pair
        ratio = told.comparison.ratio()
        fault = "; ".join(f"{key.model}: {faults[key]}" for key in (told.a, told.b) if key in faults)
        known = ratio or (float("nan"), None, None)
        holds = told.verdict.word == "better" and not fault
        trials.append(Tried(names[recipe], recipe.section, known, str(told.verdict), fault, holds))
    better, other = reversed(models) if turned else models
    return better, other, tuple(trials)


def _name_recipes(recipes: Sequence[Recipe]) -> dict[Recipe, str]:
    """Name each recipe by the options in which it is not like most of them, and by its split if that is another."""
    options = {recipe: dict(word.partition("=")[::2] for word in recipe.variant.split()) for recipe in recipes}
    keys = list(dict.fromkeys(key for of_recipe in options.values() for key in of_recipe))
    usual = {key: Counter(options[recipe].get(key, "") for recipe in recipes).most_common(1)[0][0] for key in keys}
    section = Counter(recipe.section for recipe in recipes).most_common(1)[0][0]
    names = {}
    for recipe in recipes:
        words = [
            f"{key}={value}"
            for key, value in options[recipe].items()
            if value != usual[key] and key != "data.split_seed"  # which is another split
        ]
        words += [
            "another split" if field == "split" else f"{field} {getattr(recipe.section, field)}"
            for field in Section._fields
            if getattr(recipe.section, field) != getattr(section, field)
        ]
        names[recipe] = ", ".join(words) or THE_RECIPE
    return names


def claim_rows(claims: Sequence[Claim]) -> list[dict[str, object]]:
    """Return one row per claim and recipe, with `COLUMNS`."""
    return [
        {
            "target": claim.target,
            "unit": claim.unit,
            "train_size": claim.train_size,
            "a": claim.a,
            "b": claim.b,
            "recipe": trial.recipe,
            "ratio": trial.ratio[0],
            "ratio_low": trial.ratio[1],
            "ratio_high": trial.ratio[2],
            "verdict": trial.verdict,
            "fault": trial.fault,
            "holds": trial.holds,
            **trial.section._asdict(),
        }
        for claim in claims
        for trial in claim.trials
    ]
