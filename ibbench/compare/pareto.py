"""Which models no other beats in error at the same or lower cost."""

from collections.abc import Sequence

import numpy as np

from ibbench.compare.rows import Entry

COSTS = {"parameters": "parameters", "flops": "flops_per_molecule", "seconds": "train_seconds"}
SAME_COST = 1.02  # budgets are met to within 2 %, so costs count as the same up to this factor


def pareto(group: Sequence[Entry]) -> list[str]:
    """Return for each entry of a group the names of the costs (keys of `COSTS`) for which it is on the Pareto front.

    An entry is off the front of a cost if another has a lower mean MAE at no more than 1.02 times the cost, or the
    same MAE at a cost that is lower by more than that factor. Seconds are those of one replica. An entry whose cost is
    unknown, such as the FLOPs of a baseline, is not on the front, and no other entry is compared with it.

    Args:
        group: entries on the same target and train size.

    Returns:
        Names with blanks between them, such as `parameters flops`, in the order of `group`.
    """
    maes = np.array([entry.sample.mae for entry in group])
    fronts: list[list[str]] = [[] for _ in group]
    for name, field in COSTS.items():
        costs = np.array([cost_of(entry, field) for entry in group])
        for front, mae, cost in zip(fronts, maes, costs, strict=True):
            beaten = (costs <= SAME_COST * cost) & (maes < mae) | (SAME_COST * costs < cost) & (maes == mae)
            if not np.isnan(cost) and not beaten.any():
                front.append(name)
    return [" ".join(front) for front in fronts]


def cost_of(entry: Entry, field: str) -> float:
    """Return a cost of one replica: parameters, FLOPs per molecule or training seconds; NaN where it is unknown.

    Args:
        entry: a row.
        field: one of the values of `COSTS`.
    """
    cost = getattr(entry.cost, field)
    if cost is None:
        return float("nan")
    return cost / len(entry.replicas) if field == "train_seconds" else cost
