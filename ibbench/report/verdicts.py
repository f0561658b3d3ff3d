"""What a study without learning curves found, in sentences: who is best, or what each rung of a ladder changed."""

from collections.abc import Iterator

import pandas as pd

from ibbench.compare.comparison import Report, differing
from ibbench.compare.rows import in_full
from ibbench.compare.table import BEST, GROUP, SO_FAR
from ibbench.report.cells import difference, with_spread
from ibbench.worth.worth import Worth


def tell_verdicts(report: Report) -> Iterator[str]:
    """Say of each target and train size which model is best, and what is known of the others."""
    fields = differing(report.sections)
    for _, rows in report.table.astype(object).groupby(list(GROUP), sort=False):
        first = rows.iloc[0]
        where = "".join(f", {field} {first[field]}" for field in fields)
        by_verdict: dict[str, list[str]] = {}
        for _, row in rows.iterrows():
            word = str(row["verdict_vs_best"]).partition(" (")[0] or "without a verdict"
            mae = f" with {with_spread(row['mae_mean'], row['mae_std'])} {row['unit']}".rstrip()
            named = in_full(row["model"], row["variant"]) + (mae if word in {BEST, SO_FAR} else "")
            by_verdict.setdefault(word, []).append(named)
        order = sorted(by_verdict, key=lambda word: word not in {BEST, SO_FAR})
        told = "; ".join(f"{word}: {', '.join(by_verdict[word])}" for word in order)
        yield f"{first['target']}, {first['train_size']:,} train molecules{where}: {told}."


def tell_rungs(worth: Worth) -> Iterator[str]:
    """Say of each rung of a ladder whether it is better than the one that it differs from in one assumption."""
    for _, row in worth.ladder.astype(object).iterrows():
        if pd.isna(row["gain"]):
            continue
        word = str(row["verdict"]).partition(" (")[0]
        gain = {"difference": row["gain"], "difference_low": row["gain_low"], "difference_high": row["gain_high"]}
        yield (
            f"{row['target']}: {row['rung']} after {row['after']} ({row['adds']}): {word}, "
            f"gain {difference(gain)} {row['unit']}".rstrip()
            + "."
        )
