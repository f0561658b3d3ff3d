"""A study with all that is computed from it: the numbers behind what commands print and write."""

from typing import NamedTuple

import pandas as pd

from ibbench.compare.pairs import compare_pairs, pairs_table
from ibbench.compare.provenance import Provenance, provenance
from ibbench.compare.rows import Section
from ibbench.compare.study import Study
from ibbench.compare.summary import summarise
from ibbench.compare.table import BEST, build_table
from ibbench.compare.verdict import RELEVANCE


class Report(NamedTuple):
    """A study with its comparison.

    Attributes:
        study: study as read from its folder.
        table: one row per model, target and train size, with `table.COLUMNS`.
        pairs: one row per pair of rows that were compared, with `pairs.COLUMNS`.
        summary: one row per model, over all targets, with `summary.COLUMNS`.
        provenance: options, versions and devices that the study was made with.
        reference: denominator of the ratios to show: `best`, or the name of a model.
        relevance: relative difference below which it does not matter which error is lower.
    """

    study: Study
    table: pd.DataFrame
    pairs: pd.DataFrame
    summary: pd.DataFrame
    provenance: Provenance
    reference: str
    relevance: float = RELEVANCE

    @property
    def sections(self) -> list[Section]:
        """The sections of the table; rows of two of them are never compared."""
        return list(dict.fromkeys(entry.key.group.section for entry in self.study.entries))


def make_report(study: Study, relative_to: str | None = None, relevance: float = RELEVANCE) -> Report:
    """Compare all that can be compared in a study.

    Args:
        study: a study as read.
        relative_to: model that ratios are relative to; None for the best one of each group.
        relevance: relative difference below which it does not matter which error is lower.

    Raises:
        InputError: `relative_to` is not a model of the study.
    """
    pairs = compare_pairs(study.entries, relative_to, relevance)
    return Report(
        study,
        build_table(study, pairs, relative_to),
        pairs_table(pairs),
        summarise(study.entries),
        provenance(study),
        relative_to or BEST,
        relevance,
    )


def differing(sections: list[Section]) -> list[str]:
    """Return the names of the fields of `Section` in which some sections differ, such as `split`."""
    return [field for field in Section._fields if len({getattr(section, field) for section in sections}) > 1]
