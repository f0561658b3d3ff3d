"""`ibbench worth`: what assumptions are worth by the learning curves of a study, printed and written to its folder."""

from pathlib import Path

import pandas as pd
from rich.console import Console

from ibbench.compare.table_file import to_csv
from ibbench.record.tables import try_to_write, write_tables
from ibbench.report import markdown, screen
from ibbench.report.document import Remark
from ibbench.report.evidence import name_evidence
from ibbench.report.worth import brief, page
from ibbench.worth.claims import COLUMNS, claim_rows
from ibbench.worth.intrinsic import COLUMNS as INTRINSIC_COLUMNS
from ibbench.worth.worth import read_worth


def show_worth(folder: Path, console: Console, by: str = "labels", at: float | None = None) -> bool:
    """Print what the assumptions of a study's models are worth, and write `worth.md` and CSV files beside it.

    Results are printed also where the files cannot be written, as in a folder of somebody else's.

    Args:
        folder: the folder of the study.
        console: the terminal to print on.
        by: the cost that a better model saves: `labels`, `seconds` or `parameters`.
        at: the size at which the saving is stated, in the unit of `by`; None for the usual size.

    Returns:
        Whether no run of the study is missing.

    Raises:
        InputError: the study has no records or no curves, or an argument is not possible. Nothing is written.
    """
    worth = read_worth(folder, by, at)
    suffix = "" if by == "labels" else f"_{by}"
    tables = {"multipliers": worth.multipliers, "bits": worth.bits, "laws": worth.laws, "ladder": worth.ladder}
    tables["claims"] = pd.DataFrame(claim_rows(worth.claims), columns=list(COLUMNS))
    if worth.generality:
        tables |= {"generality": worth.generality.worth, "rankings": worth.generality.stability}
    tables["intrinsic"] = pd.DataFrame([one.row() for one in worth.intrinsic], columns=list(INTRINSIC_COLUMNS))
    files = {f"{name}{suffix}.csv": to_csv(_with_infinities(table)) for name, table in tables.items() if len(table)}
    reason = try_to_write(lambda: write_tables(folder, files | {f"worth{suffix}.md": markdown.write(page(worth))}))
    outcome = f"Written to {folder}: {', '.join([f'worth{suffix}.md', *files])}"
    told = f"Not written to {folder}: {reason}" if reason else outcome
    screen.show([*brief(worth), *name_evidence(folder), Remark(told)], console, fold=False)
    return not worth.missing


def _with_infinities(table: pd.DataFrame) -> pd.DataFrame:
    """Replace infinite figures, which stand for a bound beyond the trained sizes, by the text `inf`."""
    return table.astype(object).map(lambda cell: "inf" if cell == float("inf") else cell)
