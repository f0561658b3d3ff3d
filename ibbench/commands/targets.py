"""`ibbench targets`: the targets of QM9."""

from rich.console import Console

from ibbench.data.targets import QM9_ATOM_TARGETS, QM9_TARGETS, Target
from ibbench.report import screen
from ibbench.report.document import Table


def show_targets(console: Console) -> None:
    """Print the targets of QM9, of molecules and of atoms, each with its symbol, unit and description."""
    tables = [
        Table(rows, title, text=rows[0])
        for title, targets in (("Targets of QM9", QM9_TARGETS), ("One value per atom", QM9_ATOM_TARGETS))
        if (rows := [_describe(target) for target in targets.values()])
    ]
    screen.show(tables, console)


def _describe(target: Target) -> dict[str, str]:
    return {"target": target.name, "symbol": target.symbol, "unit": target.unit, "description": target.description}
