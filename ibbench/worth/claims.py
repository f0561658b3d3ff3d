"""Claims: which comparisons of two models hold under other recipes, in a study that was trained with several."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ibbench.compare.columns import interval, shared
from ibbench.compare.pairs import Pair, correct, find_alike, versus
from ibbench.compare.rows import Entry, Key, Section
from ibbench.compare.soundness import find_faults
from ibbench.compare.statistics import compare
from ibbench.compare.study import Study
from ibbench.worth.intrinsic import SUBSPACE

COLUMNS = {
    **shared("target", "unit", "train_size"),
    "a": "the model that is better under most recipes",
    "b": "the model that it is compared with",
    "recipe": "the options in which this recipe differs from the others; `the recipe itself` where in none",
    **interval("ratio", "MAE of A over that of B under this recipe"),
    "verdict": "verdict on A under this recipe, corrected over all claims",
    "fault": "why one of the two rows supports no claim; empty if both do",
    "holds": "whether A is surely better under this recipe, and both rows are sound",
    **shared(*Section._fields),
}
THE_RECIPE = "the recipe itself"


class Recipe(NamedTuple):
    """One way in which models of a study were trained: the options of a variant, on one split of the molecules."""

    section: Section
    variant: str


class Tried(NamedTuple):
    """The result of a claim under one recipe.

    Attributes:
        recipe: options in which the recipe differs from most recipes of the study, or `THE_RECIPE` if there are none.
        section: data source, hydrogens and split of the recipe.
        ratio: MAE of A over MAE of B, and the ends of its 95 % interval; None where they are unknown.
        verdict: verdict on A, as a table writes it.
        fault: reason why one of the two rows supports no claim; empty if both support one.
        holds: whether A is significantly better and both rows support a claim.
    """

    recipe: str
    section: Section
    ratio: tuple[float, float | None, float | None]
    verdict: str
    fault: str
    holds: bool


class Claim(NamedTuple):
    """The claim that model A has a lower error than model B, with the recipes under which it was tried.

    Attributes:
        target: the short name of the target.
        unit: the unit of its errors.
        train_size: number of labels.
        a: model that is better under more recipes than the other one.
        b: the other model.
        trials: one result per recipe; the most usual recipe comes first.
    """

    target: str
    unit: str
    train_size: int
    a: str
    b: str
    trials: tuple[Tried, ...]

    @property
    def num_held(self) -> int:
        """The number of recipes under which the claim holds."""
        return sum(trial.holds for trial in self.trials)


def find_claims(study: Study) -> list[Claim]:
    """Compare all pairs of models under each recipe that both were trained with.

    Verdicts are corrected over all of these comparisons. (The table of such a study corrects over all pairs of rows,
    also over those of different recipes: there are many more of them.)

    Args:
        study: a study as read; baselines, rungs of a ladder and trainings in subspaces are left out.

    Returns:
        One claim per target, train size and pair of models with at least two recipes; empty if there is no such pair,
        and for a study of several data sets, of which `ibbench.worth.generality` tells: another data set or another
        split is no recipe.
    """
    trained = [
        entry
        for entry in study.entries
        if not entry.key.is_baseline and not entry.rung and SUBSPACE not in entry.options
    ]
    cells: dict[tuple[str, str, str, int], dict[Recipe, dict[str, Entry]]] = {}
    for entry in trained:
        group = entry.key.group
        task = cells.setdefault((group.section.source, group.target, group.unit, group.train_size), {})
        task.setdefault(Recipe(group.section, entry.key.variant), {})[entry.key.model] = entry
    several = len({source for source, *_ in cells}) > 1
    if several or not any(len(recipes) > 1 for recipes in cells.values()):
        return []
    compared = {
        (one.key, other.key): compare(one.sample, other.sample)
        for recipes in cells.values()
        for found in recipes.values()
        for one, other in itertools.combinations(found.values(), 2)
    }
    pairs, faults = correct(compared, alike=find_alike(trained)), find_faults(study.entries)
    claims = []
    for (_, target, unit, train_size), recipes in cells.items():
        names = _name_recipes({recipe: _length(*of_recipe.values()) for recipe, of_recipe in recipes.items()})
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
    """Return the model that is better under more recipes, the other model, and the trials; None with one recipe."""
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


def _length(*entries: Entry) -> str:
    """Return the option that sets the length of the trainings; empty if they differ."""
    found = {
        f"{key}={entry.options[key]}"
        for entry in entries
        for key in ("trainer.steps", "trainer.epochs")
        if key in entry.options
    }
    return found.pop() if len(found) == 1 else ""


def _name_recipes(lengths: dict[Recipe, str]) -> dict[Recipe, str]:
    """Name each recipe by the options in which it differs from most recipes, and by its split if that differs.

    Args:
        lengths: the recipes, each with the option that sets its length. A variant lacks it where the split tells it.
    """
    recipes = list(lengths)
    options = {recipe: dict(word.partition("=")[::2] for word in recipe.variant.split()) for recipe in recipes}
    keys = list(dict.fromkeys(key for of_recipe in options.values() for key in of_recipe))
    usual = {key: Counter(options[recipe].get(key, "") for recipe in recipes).most_common(1)[0][0] for key in keys}
    section = Counter(recipe.section for recipe in recipes).most_common(1)[0][0]
    most_lengths = Counter(lengths.values()).most_common(1)[0][0]
    names = {}
    for recipe in recipes:
        words = [
            f"{key}={value}"
            for key, value in options[recipe].items()
            if value != usual[key] and key != "data.split_seed"  # it is named as another split below
        ]
        if lengths[recipe] != most_lengths and lengths[recipe].partition("=")[0] not in options[recipe]:
            words.append(lengths[recipe])
        same_kind = not any(word.startswith("data.split=") for word in words)
        words += [
            "another split" if field == "split" else f"{field} {getattr(recipe.section, field)}"
            for field in Section._fields
            if getattr(recipe.section, field) != getattr(section, field) and (field != "split" or same_kind)
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
