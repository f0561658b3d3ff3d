"""`ibbench status`: how far a study is."""

from collections import Counter
from pathlib import Path

from rich.console import Console

from ibbench.record.agenda import read_agenda
from ibbench.sweep.status import STATES, read_status
from ibbench.terminal import narrow_table


def show_status(study: Path, console: Console, everything: bool = False) -> bool:
    """Print how far a study is.

    Args:
        study: its folder.
        console: where to print.
        everything: list the runs that are done, too.

    Returns:
        Whether all of its runs are done.

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
    console.print(f"Study {study}: {len(states):,} runs, {told}{share}", highlight=False, soft_wrap=True)
    shown = [state for state in states if everything or state.state != "done"]
    if shown:
        table = narrow_table("", ("run", "point", "state", "what is known"), (), folded=("point", "what is known"))
        for state in sorted(shown, key=lambda state: STATES.index(state.state)):
            table.add_row(state.run, state.point, state.state, state.note)
        console.print(table)
    return count["done"] == len(states)
