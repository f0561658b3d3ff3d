"""What a study lacks: runs that a command asked for and that are not done; seeds and sizes that only some rows have."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ibbench.record.agenda import Planned, read_agenda
from ibbench.record.folder import RUNS
from ibbench.record.schema import BrokenError, Record

if TYPE_CHECKING:
    from ibbench.compare.rows import Entry, Group

STATES = ("failed", "unreadable", "not finished")


class MissingRun(NamedTuple):
    """A run whose figures are in no table, though a command was to train it.

    Attributes:
        run: the name of the run.
        state: one of `STATES`.
        note: reason why it is missing, as far as it is known; for a run that is not finished, the overrides that tell
            it from the others of its command.
        path: the file that cannot be read, if that is the reason.
        targets: targets that the run predicts; None where they are unknown.
        train_size: the number of train molecules; None where that is unknown.
    """

    run: str
    state: str
    note: str
    path: Path | None = None
    targets: tuple[str, ...] | None = None
    train_size: int | None = None

    def tell(self, whole_path: bool = True) -> str:
        """Say in a sentence which run is missing, and why.

        Args:
            whole_path: whether to name a file with its whole path; if not, with its path inside the folder of the
                study.
        """
        if self.path:
            path = str(self.path) if whole_path else f"{RUNS}/{self.run}/{self.path.name}"
            return f"Left out: {path} is not readable: {self.note}"
        return f"{self.state.capitalize()}: {self.run}" + (f": {self.note}" if self.note else "")

    def may_be_of(self, group: "Group") -> bool:
        """Whether the run, once finished, could have a row in this group of rows that are compared."""
        of_target = self.targets is None or group.target in self.targets
        return of_target and (self.train_size is None or self.train_size == group.train_size)


def count_missing(missing: Sequence[MissingRun], num_runs: int | None = None) -> str:
    """Say in a sentence how many runs are missing, and why; empty if none is.

    Args:
        missing: the missing runs.
        num_runs: the number of all runs, with the missing ones; None where it is not known.
    """
    if not missing:
        return ""
    count = Counter(one.state for one in missing)
    why = ", ".join(f"{count[state]} {state}" for state in STATES if count[state])
    of = "" if num_runs is None else f" of {num_runs}"
    runs = "run" if (num_runs or len(missing)) == 1 else "runs"
    return f"Incomplete: {len(missing)}{of} {runs} {'is' if len(missing) == 1 else 'are'} missing ({why})."


def find_missing(study: Path, records: Iterable[Record], broken: Iterable[BrokenError]) -> tuple[MissingRun, ...]:
    """Find the runs of a study whose figures are in no table.

    Args:
        study: the folder of the study.
        records: the records that can be read.
        broken: one error for each run whose record or predictions cannot be read.
    """
    planned = read_agenda(study)
    missing, accounted = [], set()
    for error in broken:
        run = error.path.parent.name
        accounted.add(run)
        note = f"{error.reason}. {error.remedy}"
        missing.append(_describe(MissingRun(run, "unreadable", note, error.path), planned.get(run)))
    for record in records:
        accounted.add(record.run)
        if record.error:
            targets = tuple(record.config.get("targets", ())) or None
            missing.append(
                MissingRun(record.run, "failed", record.error.message, targets=targets, train_size=record.train_size)
            )
    for run, one in planned.items():
        if run not in accounted:
            missing.append(_describe(MissingRun(run, "not finished", one.point), one))
    return tuple(sorted(missing, key=lambda one: STATES.index(one.state)))


def _describe(missing: MissingRun, planned: Planned | None) -> MissingRun:
    return missing._replace(targets=planned.targets, train_size=planned.train_size) if planned else missing


class Uneven(NamedTuple):
    """A row that lacks seeds or train sizes which other rows have.

    Attributes:
        row: name of the model, with its variant.
        target: short name of the target.
        train_size: the number of train molecules; None for a model that lacks train sizes.
        lacking: the seeds or train sizes that are missing, in ascending order.
    """

    row: str
    target: str
    train_size: int | None
    lacking: tuple[int, ...]


def uneven_seeds(entries: Sequence["Entry"]) -> list[Uneven]:
    """Find the trained rows that lack seeds which others of their group have."""
    seeds: dict[Group, set[int]] = {}
    trained = [entry for entry in entries if not entry.key.is_baseline]
    for entry in trained:
        seeds.setdefault(entry.key.group, set()).update(entry.sample.seeds)
    return [
        Uneven(entry.key.name, entry.key.group.target, entry.key.group.train_size, tuple(sorted(lacking)))
        for entry in trained
        if (lacking := seeds[entry.key.group] - {*entry.sample.seeds})
    ]


def uneven_sizes(entries: Sequence["Entry"]) -> list[Uneven]:
    """Find the models that were trained at fewer sizes than others on the same molecules and target."""
    sizes: dict[tuple[object, ...], set[int]] = {}
    of_row: dict[tuple[object, ...], dict[tuple[str, str], set[int]]] = {}
    for entry in entries:
        group = entry.key.group
        if not entry.key.is_baseline:
            task = (group.section, group.target, group.unit)
            sizes.setdefault(task, set()).add(group.train_size)
            of_row.setdefault(task, {}).setdefault((entry.key.name, group.target), set()).add(group.train_size)
    return [
        Uneven(name, target, None, tuple(sorted(sizes[task] - found)))
        for task, rows in of_row.items()
        for (name, target), found in rows.items()
        if sizes[task] - found
    ]
