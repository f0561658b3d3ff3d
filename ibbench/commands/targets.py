"""`ibbench targets`: the targets of QM9."""

from rich.console import Console

from ibbench.data.targets import QM9_TARGETS
from ibbench.report import screen
from ibbench.report.document import Table


def show_targets(console: Console) -> None:
    """Print the 19 targets of QM9, each with its symbol, unit and description."""
    rows = [
        {"target": target.name, "symbol": target.symbol, "unit": target.unit, "description": target.description}
        for target in QM9_TARGETS.values()
    ]
    screen.show([Table(rows, "Targets of QM9", text=rows[0])], console)
