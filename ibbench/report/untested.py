"""The validation errors of a study without test molecules: all that is known of how well its models predict."""

import numpy as np

from ibbench.compare.rows import in_full
from ibbench.compare.study import Study
from ibbench.compare.variants import describe, find_variants
from ibbench.report.cells import figure
from ibbench.report.document import Remark, Shape, Table
from ibbench.report.missing import tell_missing

_WHAT = (
    "No run of this study has test molecules (data.test_size=0), so nothing is compared and no table is written. "
    "Validation errors decide which weights are kept: errors on other molecules are higher. `ibbench predict` predicts "
    "with these models."
)


def tell_untested(study: Study) -> list[Shape]:
    """Return the validation error of each model, target and train size: mean and standard deviation over seeds.

    It is the MAE in the unit of the target, and of a class the log loss in nats.

    Args:
        study: a study of which no finished run has test molecules.
    """
    records = [record for record in study.records if record.run in study.untested]
    found: dict[tuple[str, str, str, str, int, str], dict[int, float]] = {}
    for record, variant in zip(records, find_variants(records), strict=True):
        name = in_full(str(record.config["model"]["name"]), describe(variant))
        for replica in record.replicas:
            row = (record.data_source, record.split_fingerprint, replica.target, replica.unit, record.train_size, name)
            found.setdefault(row, {}).setdefault(replica.seed, replica.validation.mae)
    several = len({source for source, *_ in found}) > 1
    rows = [
        ({"source": source} if several else {})
        | {
            "target": target,
            "model": name,
            "train size": f"{size:,}",
            "seeds": str(len(by_seed)),
            "validation error": _tell(list(by_seed.values())),
            "unit": unit,
        }
        for (source, _, target, unit, size, name), by_seed in sorted(found.items())
    ]
    return [*map(Remark, tell_missing(study)), Remark(_WHAT), Table(rows, "Validation errors")]


def _tell(maes: list[float]) -> str:
    spread = f" ± {figure(float(np.std(maes, ddof=1)), 2)}" if len(maes) > 1 else ""
    return f"{figure(float(np.mean(maes)), 4)}{spread}"
