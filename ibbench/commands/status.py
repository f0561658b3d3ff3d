"""`ibbench status`: which runs of a study are done, and the state of the others."""

from collections import Counter
from pathlib import Path

from rich.console import Console

from ibbench.record.agenda import read_agenda
from ibbench.report import screen
from ibbench.report.document import Remark, Table
from ibbench.sweep.status import STATES, read_status


def show_status(study: Path, console: Console, everything: bool = False) -> bool:
    """Print how many runs of a study are done, and the state of each run that is not.

    Args:
        study: the folder of the study.
        console: the terminal to print on.
        everything: whether to list the runs that are done, too.

    Returns:
        Whether all runs of the study are done.

    Raises:
        InputError: there is no study.
    """
    states = read_status(study)
    planned = read_agenda(study)
    count = Counter(state.state for state in states)
    told = ", ".join(f"{count[name]:,} {name}" for name in STATES if count[name])
    done = sum(planned[state.run].flops for state in states if state.state == "done" and state.run in planned)
    whole = sum(one.flops for one in planned.values())
    share = f" ({100 * done / whole:.0f} % of the work)" if whole and count["done"] < len(states) else ""
    heading = Remark(f"Study {study}: {len(states):,} runs, {told}{share}")
    rows = [
        {"run": state.run, "point": state.point, "state": state.state, "what is known": state.note}
        for state in sorted(states, key=lambda state: STATES.index(state.state))
        if everything or state.state != "done"
    ]
    table = [Table(rows, text=rows[0], folded=("point", "what is known"))] if rows else []
    screen.show([heading, *table], console, fold=False)
    return count["done"] == len(states)
