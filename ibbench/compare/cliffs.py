"""Errors on activity cliffs: of test molecules whose likes differ much in activity, as the source marks them.

MoleculeACE (van Tilborg et al. 2022, J. Chem. Inf. Model. 62, 5938) tells the root mean square error over the test
molecules that have at least one partner across a cliff. It is told here from the same errors as all other figures, and
beside it the mean absolute error, which can be compared with that of all test molecules.
"""

from typing import Any

import numpy as np

from ibbench.compare.rows import Entry
from ibbench.compare.statistics import Sample
from ibbench.compare.study import mean_of

COLUMNS = {
    "cliff_mae_mean": "mean absolute error on the test molecules on activity cliffs, averaged over seeds",
    "cliff_mae_low": "lower end of its 95 % interval, for other seeds and other such molecules",
    "cliff_mae_high": "upper end of that interval",
    "cliff_rmse_mean": "root mean square error on these molecules, averaged over seeds: MoleculeACE's `RMSE_cliff`",
    "num_cliffs": "number of test molecules on activity cliffs",
}


def cliff_figures(entry: Entry) -> dict[str, Any]:
    """Return the columns of `COLUMNS` of a row; none where marks or errors are not known, or no molecule is marked."""
    errors = entry.sample.errors
    if entry.cliffs is None or errors is None or not entry.cliffs.any():
        return {}
    marked = errors[:, entry.cliffs]
    low, high = Sample(entry.sample.seeds, marked.mean(1), marked).mae_interval() or (None, None)
    return {
        "cliff_mae_mean": float(marked.mean()),
        "cliff_mae_low": low,
        "cliff_mae_high": high,
        "cliff_rmse_mean": mean_of(np.sqrt((marked**2).mean(1)).tolist()),
        "num_cliffs": marked.shape[1],
    }
