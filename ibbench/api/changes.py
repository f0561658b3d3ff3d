"""What has changed between two studies: `ibbench.compare(a, b)`."""

from pathlib import Path

from ibbench.api.messages import in_python
from ibbench.api.study import Study
from ibbench.compare.diff import Diff, diff
from ibbench.compare.side import Side, of_study, read_side
from ibbench.compare.verdict import RELEVANCE, check_relevance
from ibbench.errors import InputError


def compare(
    a: Study | Path | str, b: Study | Path | str, tolerance: float = 0.02, relevance: float = RELEVANCE
) -> Diff:
    """Compare the errors of study B with those of study A, and say which differences are more than noise.

    Args:
        a: the old study: a `Study`, the folder of one, a table.csv, or `REVISION:path` of the git repository around
            the current folder.
        b: the new study, given in one of these ways, too.
        tolerance: relative change of the MAE that counts as no change, where one seed leaves nothing to test with.
        relevance: relative difference below which it does not matter which error is lower.

    Returns:
        `table`, a DataFrame with one row per model, target and train size; `regressions`, the rows that are worse in B;
        `changes`, sentences about other options, splits and versions; and `cautions`, sentences of warning.

    Raises:
        InputError: a study cannot be read, the two have no row in common, a unit differs, or a number is not possible.
    """
    if not 0 <= tolerance < 1:
        raise InputError(f"tolerance {tolerance} is not possible: expected a fraction, such as 0.02 for 2 %")
    with in_python():
        check_relevance(relevance)
        return diff(_side(a), _side(b), tolerance, relevance)


def _side(given: Study | Path | str) -> Side:
    return of_study(str(given.path), given.gathered) if isinstance(given, Study) else read_side(str(given))
