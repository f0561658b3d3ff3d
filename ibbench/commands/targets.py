"""`ibbench targets`: the targets of QM9."""

from rich.table import Table

from ibbench.data.targets import QM9_TARGETS
from ibbench.terminal import narrow_table


def list_targets() -> Table:
    """Tabulate the 19 targets with symbol and unit."""
    shown = narrow_table("Targets of QM9", ("target", "symbol", "unit", "description"), ())
    for target in QM9_TARGETS.values():
        shown.add_row(target.name, target.symbol, target.unit, target.description)
    return shown
