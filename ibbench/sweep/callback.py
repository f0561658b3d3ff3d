"""The Hydra side of `ibbench train`: check all points of a sweep, run them, tabulate the study."""

import contextlib
import math
import os
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ibbench.errors import InputError, leave
from ibbench.options.compose import (
    compose_points,
    expand,
    read_composed,
)
from ibbench.options.config import Config
from ibbench.options.trial import TUNED
from ibbench.record.folder import read_finished, record_age, study_folder
from ibbench.record.lease import EXPIRES_SECONDS, describe_owner, hold, seconds_since_sign
from ibbench.run.interrupt import Stopped, hand_over, listening, raise_if_asked
from ibbench.run.recall import recall_finished
from ibbench.sweep.workers import stop_working, told_to_stop
from ibbench.terminal import say, terminal

_taken: set[Path] = set()  # runs that this process found being trained by another one
DONE, FAILED, INTERRUPTED = 0, 1, 130  # exit codes; 2 is `errors.leave`


class StudyCallback(Callback):
    """Checks every point before the first is started, and tabulates the study after the last.

    Hydra turns exceptions of callbacks into warnings, so this one leaves through `SystemExit`.

    Args:
        dry_run: show the points, and leave.
        detach: leave when the jobs are submitted.
    """

    latest: ClassVar["StudyCallback"]
    configs: list[Config]  # of the points, in Hydra's order

    def __init__(self, dry_run: bool, detach: bool) -> None:
        StudyCallback.latest = self
        self._dry_run, self._detach = dry_run, detach
        self.configs = []
        self._folders: list[Path] = []
        self._redone: dict[Path, int] = {}  # with `rerun=true`: the age of the records to be replaced

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what the jobs have no use for: each of a thousand is sent its own copy."""
        return self.__dict__ | {"configs": [], "_folders": [], "_redone": {}}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose and check all points of the sweep."""
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        self._check(config, [*params, *config.hydra.overrides.task], kwargs["config_name"])

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose and check the only point of `hydra.mode=RUN`."""
        self._check(config, config.hydra.overrides.task, kwargs["config_name"])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish(config)

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish(config)

    def on_broken_pool(self) -> None:
        """Write and print the table of what is finished; Hydra calls nothing when a launcher fails."""
        with _leaving():
            self._tabulate(study_folder(self.configs[0]))

    def _check(self, config: DictConfig, overrides: Iterable[str], config_name: str) -> None:
        from ibbench.compare.table_file import refuse_if_edited

        with _leaving():
            if self._detach and not _runs_elsewhere(config):
                raise InputError("`--detach` needs jobs that live on without this command: expected +cluster=slurm")
            points = expand(overrides)
            own = [override for override in config.hydra.overrides.hydra if "hydra.searchpath" in override]
            self.configs = compose_points([[*point, *own] for point in points], config_name)
            _refuse_tuned_options(self.configs, points[0])
            if len({study_folder(config) for config in self.configs}) > 1:
                raise InputError("one command fills one study: `name` and `results_dir` cannot be swept")
            study = study_folder(self.configs[0])
            refuse_if_edited(study)
            if self._dry_run:  # which writes nothing, not even new names into records
                self._plan(study, points, here=not _runs_elsewhere(config))
            records = [recall_finished(config) for config in self.configs]
            if all(records):
                say(f"Study {study}: {len(records)} runs")
                for record in records:
                    assert record is not None
                    say(f"  {record.run}: done before")
                    self._folders.append(study / "runs" / record.run)
                self._tabulate(study)
                raise SystemExit(DONE)
            self._plan(study, points, here=not _runs_elsewhere(config))

    def _plan(self, study: Path, overrides: list[list[str]], here: bool) -> None:
        from ibbench.record.agenda import write_agenda
        from ibbench.record.schema import Planned, refuse_doubles
        from ibbench.run.plan import plan
        from ibbench.sweep.announce import announce, list_planned

        points = [plan(config, here) for config in self.configs]
        wanted = [
            Planned(point.run, point.config.numerics(), point.dataset.source, point.split.fingerprint)
            for point in points
        ]
        refuse_doubles(study, wanted)
        self._folders = [point.folder for point in points]
        planned = list_planned(points, overrides)
        if self._dry_run:
            announce(study, points, planned, with_cost=True)
            raise SystemExit(DONE)
        self._redone = {point.folder: record_age(point.folder) for point in points if point.config.rerun}
        try:
            write_agenda(study, planned)
        except OSError as error:
            raise InputError(
                f"the study {study} cannot be written: {error.strerror or error}; see results_dir"
            ) from None
        announce(study, points, planned)

    def _finish(self, config: DictConfig) -> None:
        study = study_folder(self.configs[0])
        with _leaving():
            if self._detach:
                say(f"`ibbench status {study}` tells how far it is, `ibbench table {study}` what is found.")
                return
            self._wait_for_others(config)
            self._tabulate(study)

    def _wait_for_others(self, config: DictConfig) -> None:
        """Wait for the runs that another command trains, and train those that it gives up."""
        here = not _runs_elsewhere(config)
        for one in [] if all(map(self._is_finished, self._folders)) else self.configs:
            from ibbench.run.execute import execute
            from ibbench.run.plan import plan

            point = plan(one, here)
            owner = describe_owner(point.folder)
            if (owner or point.folder in _taken) and not self._is_finished(point.folder):
                if owner and math.isfinite(seconds_since_sign(point.folder)):
                    say(f"{point.run}: waiting for {owner}")
                if here:
                    execute(point, patience=-1)
                    continue
                with hold(point.folder, patience=-1):
                    pass

    def _is_finished(self, folder: Path) -> bool:
        replaced = folder not in self._redone or record_age(folder) != self._redone[folder]
        return replaced and bool(read_finished(folder))

    def _tabulate(self, study: Path) -> None:
        from ibbench.commands.table import tabulate

        missing = [folder.name for folder in self._folders if not self._is_finished(folder)]
        written = True
        try:
            if len(missing) < len(self._folders) or list(study.glob("runs/*/record.json")):
                written = tabulate(study, terminal())
        except InputError as error:  # the record of another run cannot be read
            if not missing:
                raise
            say(str(error))
        if missing:
            say(f"Not finished: {', '.join(missing)}. The same command tries them again.")
        if missing or not written:
            raise SystemExit(FAILED)


def _runs_elsewhere(config: DictConfig) -> bool:
    """Whether the launcher gives the runs to jobs that need no process to stay behind."""
    return _launcher(config.hydra).endswith(("StudySlurmLauncher", "StudyLocalLauncher"))


def _launcher(hydra_config: Any) -> str:
    return str(hydra_config.launcher.get("_target_", ""))


def _refuse_tuned_options(configs: list[Config], overrides: list[str]) -> None:
    """Refuse values for options that a search draws: they would be ignored."""
    if not any(config.tuning for config in configs):
        return
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in TUNED:
            name = key.partition(".")[2]
            raise InputError(f"`{override}` is drawn by the search: expected a range, such as tuning.{name}=[low,high]")


@contextlib.contextmanager
def _leaving() -> Iterator[None]:
    """Leave through `SystemExit` on any error: Hydra would turn the exception of a callback into a warning."""
    try:
        yield
    except InputError as error:
        leave(error)
    except Exception:
        traceback.print_exc()
        raise SystemExit(FAILED) from None


def job(composed: DictConfig) -> str:
    """Run one point; what Hydra's launchers call, in this process or another. It never raises into the sweep.

    Returns:
        The status of its record, `done` or `failed`; `elsewhere` if another process trains it, `stopped` if a signal
        has ended the job of a cluster.
    """
    with listening():
        try:
            raise_if_asked()
            return "stopped" if told_to_stop() else _run(composed)
        except Stopped as stop:
            if _launcher(HydraConfig.get()).endswith("StudyProcessLauncher"):
                stop_working()
                return "stopped"
            if "SUBMITIT_EXECUTOR" in os.environ:
                say(f"stopped by {stop}; what is trained is saved")
            try:
                if not hand_over(stop):  # SLURM's warning: submitit queues the job again, and does not return
                    raise
            except Exception as error:
                say(f"it could not be queued again: {error}")
            return "stopped"


def _run(composed: DictConfig) -> str:
    from ibbench.record.agenda import note_start_error
    from ibbench.run.execute import execute
    from ibbench.run.plan import plan

    config = read_composed(composed)
    try:
        point = plan(config)
    except Exception as error:  # it was possible when the sweep was checked: the data or the machine have changed
        say(f"a run could not be started: {error}")
        if not isinstance(error, InputError):
            traceback.print_exc()
        note_start_error(config, error)
        return "failed"
    # A job of a cluster has to find out for itself whether the last owner is dead; a command does so at its end.
    in_job = "SUBMITIT_EXECUTOR" in os.environ
    record = execute(point, patience=1.25 * EXPIRES_SECONDS if in_job else 0.0)
    if record is None:
        _taken.add(point.folder)
        return "elsewhere"
    return record.status
