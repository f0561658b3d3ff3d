"""The runs of one command: checked together before the first is started, and tabulated after the last.

This file does not know Hydra, which runs the points: `commands/train.py` calls these methods when Hydra reports that a
sweep begins or ends. `README.md` in this folder says why things are done in this order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ibbench.baselines import lacking
from ibbench.errors import InputError
from ibbench.options.config import Config
from ibbench.options.trial import TUNED
from ibbench.record.folder import RunIdentity, StudyFolder, adopt_names, record_age, study_folder
from ibbench.record.intact import read_done
from ibbench.record.lease import describe_owner, hold, seconds_since_sign
from ibbench.run.recall import recall_finished
from ibbench.terminal import mention, say
from ibbench.track import check_installed

if TYPE_CHECKING:  # it imports torch, which is not needed to find that all runs are done
    from ibbench.run.plan import Point


class Sweep:
    """The runs of one command, from their check to their table.

    Args:
        configs: the points, in the order in which they are run.
        overrides: the overrides that were given for each point.
        tabulate: function that writes and prints the table of a study, given its folder. It returns whether the table
            could be written and all files of the study could be read.
        here: whether this command trains the points itself. If not, jobs train them that go on when the command has
            ended, perhaps on machines with other devices.
        dry_run: whether to only show the points, and write nothing.
        detach: whether to end as soon as the jobs are submitted.

    Attributes:
        study: the folder of the study that all runs belong to.
        points: the planned points, in their order. Empty before `plan`, and if `plan` finds all runs done.
        detach: whether to end as soon as the jobs are submitted.
    """

    def __init__(
        self,
        configs: list[Config],
        overrides: list[list[str]],
        tabulate: Callable[[Path], bool],
        *,
        here: bool = True,
        dry_run: bool = False,
        detach: bool = False,
    ) -> None:
        self.study = study_folder(configs[0])
        self.points: list[Point] = []
        self.detach = detach
        self._configs, self._overrides, self._tabulate = configs, overrides, tabulate
        self._here, self._dry_run = here, dry_run
        self._folders: list[Path] = []  # folders of all runs, also where `points` is empty
        self._replaced: dict[Path, int] = {}  # with `rerun=true`, the time of each record that is to be replaced
        self._taken: set[int] = set()  # places of points that another process was training when their turn came

    def check(self) -> None:
        """Check the points as far as this is possible without their data.

        Raises:
            InputError: the points belong to several studies, differ in workers, trackers or baselines, or two are the
                same; a value is given for an option that a search draws; `--detach` is given without jobs; or a tracker
                is not installed.
        """
        if self.detach and self._here:
            raise InputError("`--detach` needs jobs that live on without this command: expected cluster=slurm")
        if not self._here and any(config.device == "cuda:all" for config in self._configs):
            raise InputError(
                "`device=cuda:all` divides runs over the GPUs of the machine of this command: expected device=cuda, "
                "with which each job has a GPU of its own"
            )
        _refuse_tuned_options(self._configs, self._overrides[0])
        if len({study_folder(config) for config in self._configs}) > 1:
            raise InputError("one command fills one study: `name` and `results_dir` cannot be swept")
        if len({config.workers for config in self._configs}) > 1:
            raise InputError("one command has one number of workers: `workers` cannot be swept")
        if len({config.log for config in self._configs}) > 1:
            raise InputError("all runs of a command have the same trackers: expected a list, as 'log=[mlflow,wandb]'")
        if len({config.baselines for config in self._configs}) > 1:
            raise InputError("all runs of a command have the same baselines: expected a list, as 'baselines=[a,b]'")
        check_installed(self._configs[0].log)
        _refuse_repeats(self._configs, self._overrides)

    def plan(self) -> bool:
        """Plan all points, print them, and note them in the study for `ibbench status`.

        Returns:
            Whether the points are to be started: False in a dry run, and if all runs are known to be done.

        Raises:
            InputError: a point is not possible, the study cannot be written, or it has a run of the same config that
                another version made.
        """
        if not self._dry_run and self._recall():
            return False
        from ibbench.record.agenda import write_agenda
        from ibbench.run.plan import plan
        from ibbench.sweep.announce import announce, list_planned
        from ibbench.sweep.splits import write_splits

        self.points = [plan(config, self._here) for config in self._configs]
        self._folders = [point.folder for point in self.points]
        wanted = [
            RunIdentity(point.run, point.config.numerics(), point.dataset.source, point.split.fingerprint)
            for point in self.points
        ]
        StudyFolder.at(self.study).refuse_doubles(wanted)
        planned = list_planned(self.points, self._overrides)
        if not self._dry_run:
            self._replaced = {point.folder: record_age(point.folder) for point in self.points if point.config.rerun}
            try:
                write_agenda(self.study, planned)
                write_splits(self.study, self.points)
            except OSError as error:
                reason = error.strerror or error
                raise InputError(f"the study {self.study} cannot be written: {reason}; see results_dir") from None
        announce(self.study, self.points, planned, with_cost=self._dry_run, here=self._here)
        return not self._dry_run

    def note_taken(self, number: int) -> None:
        """Note that another process was training a point when its turn came, so that `finish` waits for it.

        Args:
            number: the place of the point among all points, from 0.
        """
        self._taken.add(number)

    def finish(self, wait: bool = True) -> bool:
        """Wait for the runs that other processes train, and tabulate the study.

        With `detach`, only say how to follow the jobs.

        Args:
            wait: whether to wait for other processes.

        Returns:
            Whether all runs are finished and the table is written; True if the runs are left to jobs.

        Raises:
            InputError: a record or the table cannot be read.
        """
        if self.detach and self.points:
            mention(f"`ibbench status {self.study}` tells how far it is, `ibbench table {self.study}` what is found.")
            return True
        if wait:
            self._wait_for_others()
        missing = [folder.name for folder in self._folders if not self._is_finished(folder)]
        written = True
        try:
            if len(missing) < len(self._folders) or StudyFolder.at(self.study).run_names():
                written = self._tabulate(self.study)
        except InputError as error:  # the record of another run cannot be read
            if not missing:
                raise
            say(str(error))
        if missing:
            say(f"Not finished: {', '.join(missing)}. The same command tries them again.")
        return written and not missing

    def _recall(self) -> bool:
        """Whether all runs are done, by the names that earlier commands worked out for these configs; if so, say it."""
        records = [record for record in map(recall_finished, self._configs) if record]
        if len(records) < len(self._configs):
            return False
        mention(f"Study {self.study}: {len(records)} runs")
        self._folders = [StudyFolder.at(self.study).runs / record.run for record in records]
        for config, folder in zip(self._configs, self._folders, strict=True):
            adopt_names(folder, config)
            mention(f"  {folder.name}: done before")
        return True

    def _wait_for_others(self) -> None:
        """Wait for the runs that other commands train, and train those that their owners give up."""
        for number, point in enumerate(self.points):
            owner = describe_owner(point.folder)
            if not (owner or number in self._taken) or self._is_finished(point.folder):
                continue
            if owner and math.isfinite(seconds_since_sign(point.folder)):
                mention(f"{point.run}: waiting for {owner}")
            if self._here:
                from ibbench.run.execute import execute

                execute(point, patience=-1)
            else:
                with hold(point.folder, patience=-1):
                    pass

    def _is_finished(self, folder: Path) -> bool:
        replaced = folder not in self._replaced or record_age(folder) != self._replaced[folder]
        record = read_done(folder) if replaced else None
        asked = self._configs[0].baselines
        return record is not None and not lacking(asked, {entry.name for entry in record.baselines})


def _refuse_repeats(configs: list[Config], overrides: list[list[str]]) -> None:
    """Refuse two points with the same options, such as those of `model=gnn,gnn`."""
    found: dict[str, int] = {}
    for number, config in enumerate(configs):
        first = found.setdefault(config.model_dump_json(), number)
        if first != number:
            same = [" ".join(overrides[point]) for point in (first, number)]
            which = f"`{same[0]}` twice" if same[0] == same[1] else f"the same as `{same[0]}` and as `{same[1]}`"
            raise InputError(f"this sweep has {which}: leave one out")


def _refuse_tuned_options(configs: list[Config], overrides: list[str]) -> None:
    """Refuse values for options that each seed draws by itself: the values would be ignored."""
    if not any(config.tuning and config.tuning.trials[0] > 1 for config in configs):
        return
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in TUNED:
            name = key.partition(".")[2]
            wanted = f"'tuning.{name}=[low,high]'"
            raise InputError(f"`{override}` is drawn by each seed: expected a range, such as {wanted}")
