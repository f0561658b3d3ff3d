"""The Hydra side of `ibbench train`: check all points of a sweep, run them, tabulate the study."""

import contextlib
import math
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, ClassVar

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ibbench.compose import ROOT_CONFIG, compose_points, config_folder, expand, explain, pack_sweeps, read_composed
from ibbench.config import Config
from ibbench.errors import InputError, leave
from ibbench.interrupt import Stopped, hand_over, listening, raise_if_asked
from ibbench.lease import EXPIRES_SECONDS, describe_owner, hold, seconds_since_sign
from ibbench.recall import read_finished, recall_finished, record_age, study_folder
from ibbench.terminal import say, terminal
from ibbench.tuning import TUNED
from ibbench.workers import stop_working, told_to_stop

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
        from ibbench.agenda import write_agenda
        from ibbench.announce import announce, list_planned
        from ibbench.compare.record import Planned, refuse_doubles
        from ibbench.plan import plan

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
            from ibbench.plan import plan
            from ibbench.run import execute

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
        from ibbench.compare.tabulate import tabulate

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
    from ibbench.agenda import note_start_error
    from ibbench.plan import plan
    from ibbench.run import execute

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


def run_sweep(arguments: list[str], dry_run: bool = False, detach: bool = False) -> None:
    """Hand the command line to Hydra.

    Args:
        arguments: of Hydra.
        dry_run: only show what would be run, and what it would cost.
        detach: do not wait for the jobs of a cluster.

    Raises:
        SystemExit: with exit code 1, 2 or 130 (see `StudyCallback`).
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us as exceptions, to be said in one line
    flags = [
        f"hydra.callbacks.study.{name}=true" for name, given in (("dry_run", dry_run), ("detach", detach)) if given
    ]
    packed = pack_sweeps(arguments)
    for argument, as_list in packed.items():  # not into what `--cfg` prints
        sys.stderr.write(f"{argument} trains as one pack, as {as_list} does; see --help for runs of their own\n")
    # Hydra finds `hydra.mode` out by composing, and runs a sweep as one point where a mistake keeps it from that.
    mode = [] if any(argument.startswith(("-", "hydra.mode=")) for argument in arguments) else ["--multirun"]
    given = [packed.get(argument, argument) for argument in arguments]
    # Hydra's parser wants all overrides in one place, between options of its own.
    place = next((at for at, word in enumerate(given) if "=" in word and not word.startswith("-")), len(given))
    sys.argv = ["ibbench train", *mode, *given[:place], *flags, *given[place:]]
    try:
        with listening():
            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(job)()
    except InputError as error:
        leave(error)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        leave(InputError(explain(error)))
    except BrokenExecutor:
        say("A process of +cluster=processes was killed, and the others ended with it.")
        StudyCallback.latest.on_broken_pool()
        raise SystemExit(FAILED) from None
    except KeyboardInterrupt:
        say("Interrupted. What is finished stays; the same command goes on from there.")
        raise SystemExit(INTERRUPTED) from None
