"""Claims and the recipes under which they hold, in words."""

from collections.abc import Iterator, Sequence

from ibbench.worth.claims import Claim

CLAIMS_LEGEND = (
    "A claim holds under a recipe if A is better, by the paired test of the table, corrected (Holm) over all "
    "comparisons of this one, and both rows are sound. Recipes are named by what they change of the usual one."
)


def claim_sentences(claims: Sequence[Claim]) -> Iterator[str]:
    """Say for each claim under how many recipes it holds, and under which recipes it does not."""
    for claim in claims:
        where = f"{claim.target}: at {claim.train_size:,} labels, {claim.a} is better than {claim.b}"
        if not claim.num_held:
            yield (
                f"{claim.target}: at {claim.train_size:,} labels, neither {claim.a} nor {claim.b} is shown to be "
                f"better under any of {len(claim.trials)} recipes (MAE ratio {_range(claim)})."
            )
        elif claim.num_held == len(claim.trials):
            yield f"{where}, under all {len(claim.trials)} recipes (MAE ratio {_range(claim)})."
        else:
            failed = [trial for trial in claim.trials if not trial.holds]
            turned = [trial.recipe for trial in failed if trial.verdict.startswith("worse") and not trial.fault]
            others = [trial.recipe for trial in failed if trial.recipe not in turned]
            told = [f"worse under: {', '.join(turned)}"] if turned else []
            told += [f"not shown under: {', '.join(others)}"] if others else []
            yield (
                f"{where} under {claim.num_held} of {len(claim.trials)} recipes (MAE ratio {_range(claim)}); "
                f"{'; '.join(told)}."
            )


def claims_table(claims: Sequence[Claim]) -> list[dict[str, str]]:
    """Format claims as a table for people, with one row per claim and recipe."""
    return [
        {
            "target": claim.target,
            "train size": f"{claim.train_size:,}",
            "A": claim.a,
            "B": claim.b,
            "recipe": trial.recipe,
            "MAE A / MAE B": _ratio(*trial.ratio),
            "holds": "yes" if trial.holds else "no",
            "verdict on A": trial.fault or trial.verdict,
        }
        for claim in claims
        for trial in claim.trials
    ]


def _range(claim: Claim) -> str:
    ratios = [trial.ratio[0] for trial in claim.trials]
    return f"{min(ratios):.2f} to {max(ratios):.2f}"


def _ratio(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"
