"""Which models no other beats in error at the same or lower cost."""

from collections.abc import Sequence

import numpy as np

from ibbench.compare.study import Entry

COSTS = {"parameters": "parameters", "flops": "flops_per_molecule", "seconds": "train_seconds"}
SAME_COST = 1.02  # a budget is met to within 2 %, so costs that near to each other are the same


def pareto(group: Sequence[Entry]) -> list[str]:
    """Name for each entry of a group the costs (of `COSTS`) at which it stands on the Pareto front.

    An entry is off the front of a cost if another has a lower mean MAE at no more than 1.02 times the cost, or the
    same MAE at a cost that is lower by more than that. Seconds are those of a replica. Entries without that cost,
    such as the FLOPs of a baseline, have no part in it.
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
    """Return a cost of one replica, of the fields of `COSTS`; nan where there is none."""
    cost = getattr(entry.cost, field)
    if cost is None:
        return float("nan")
    return cost / len(entry.replicas) if field == "train_seconds" else cost
