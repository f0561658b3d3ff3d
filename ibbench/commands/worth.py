"""`ibbench worth`: what the curves of a study tell, printed and written to its folder."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.record.tables import write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.worth import brief, page
from ibbench.worth.worth import read_worth


def show_worth(folder: Path, console: Console, by: str = "labels", at: float | None = None) -> None:
    """Print what the assumptions of a study's models are worth, and write `worth.md` and CSV files beside it.

    Args:
        folder: the folder of the study.
        console: where to print.
        by: what is saved: `labels`, `seconds` or `parameters`.
        at: the size at which it is told.

    Raises:
        InputError: the study has no records or no curves, or an argument is not possible. Nothing is written.
    """
    worth = read_worth(folder, by, at)
    suffix = "" if by == "labels" else f"_{by}"
    tables = {"multipliers": worth.multipliers, "bits": worth.bits, "laws": worth.laws, "ladder": worth.ladder}
    files = {f"{name}{suffix}.csv": to_csv(_with_infinities(table)) for name, table in tables.items() if len(table)}
    write_tables(folder, files | {f"worth{suffix}.md": markdown.write(page(worth))})
    outcome = f"Written to {folder}: {', '.join([f'worth{suffix}.md', *files])}"
    screen.show([*brief(worth), *name_evidence(folder), Remark(outcome)], console, fold=False)


def _with_infinities(table: pd.DataFrame) -> pd.DataFrame:
    """Write an infinite figure, which lies beyond the sizes that were trained, as `inf`."""
    return table.astype(object).map(lambda cell: "inf" if cell == float("inf") else cell)
