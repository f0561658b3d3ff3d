"""All that a study tells: read, compared, written to its folder, printed."""

from typing import NamedTuple

import pandas as pd

from ibbench.compare.pairs import compare_pairs, pairs_table
from ibbench.compare.provenance import Provenance, provenance
from ibbench.compare.study import Section, Study
from ibbench.compare.summary import summarise
from ibbench.compare.table import BEST, build_table
from ibbench.report.search import tuning_table


class Report(NamedTuple):
    """A study with its table (`table.COLUMNS`), its pairs (`pairs.COLUMNS`) and its summary (`summary.COLUMNS`).

    Its tuning (`tuning_table.COLUMNS`) is empty for a study without trials. `reference` is what the ratios that are
    shown relate to: `best`, or a model.
    """

    study: Study
    table: pd.DataFrame
    pairs: pd.DataFrame
    summary: pd.DataFrame
    tuning: pd.DataFrame
    provenance: Provenance
    reference: str

    @property
    def sections(self) -> list[Section]:
        """The sections of the table; rows of two of them are never compared."""
        return list(dict.fromkeys(entry.key.group.section for entry in self.study.entries))


def make_report(study: Study, relative_to: str | None = None) -> Report:
    """Compare all that can be compared in a study.

    Raises:
        InputError: `relative_to` is not a model of the study.
    """
    pairs = compare_pairs(study.entries, relative_to)
    return Report(
        study,
        build_table(study, pairs, relative_to),
        pairs_table(pairs),
        summarise(study.entries),
        tuning_table(study),
        provenance(study),
        relative_to or BEST,
    )


def differing(sections: list[Section]) -> list[str]:
    """Name the fields in which sections differ."""
    return [field for field in Section._fields if len({getattr(section, field) for section in sections}) > 1]
