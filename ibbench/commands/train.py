"""`ibbench train`: the command line is handed to Hydra, whose callbacks run a `Sweep`."""

import contextlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ibbench.errors import INTERRUPTED, InputError, leave
from ibbench.options.compose import (
    ROOT_CONFIG,
    compose_points,
    expand,
    explain,
    pack_sweeps,
    read_composed,
)
from ibbench.options.defaults import config_folder
from ibbench.options.extension import with_plugins
from ibbench.options.flags import check_flags, check_folders
from ibbench.options.typed import as_hydra_reads
from ibbench.record.made import note_command
from ibbench.run.interrupt import listening
from ibbench.sweep.point import run_point
from ibbench.sweep.sweep import Sweep
from ibbench.terminal import be_quiet, is_quiet, say, terminal

DONE, FAILED = 0, 1  # exit codes; `errors.leave` exits with 2


def run_sweep(arguments: list[str], dry_run: bool = False, detach: bool = False, quiet: bool = False) -> None:
    """Run `ibbench train`: check, train and tabulate the runs of a study, by way of Hydra.

    Args:
        arguments: the words after `ibbench train`, without its own flags: overrides, and flags of Hydra.
        dry_run: whether only to show which runs there would be, and what they would cost.
        detach: whether to leave when the jobs of a cluster are submitted.
        quiet: whether to print no progress.

    Raises:
        InputError: both `dry_run` and `quiet` are set, although a dry run only prints progress.
        SystemExit: with exit code 1 if a run has failed, 2 on bad input, 130 after an interrupt.
    """
    if dry_run and quiet:
        raise InputError("`--dry-run` prints what `--quiet` leaves out: expected one of them")
    be_quiet(quiet)
    note_command(["ibbench", "train", *arguments])
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us as exceptions, to be said in one line
    # Threads that wait for others sleep, and leave their core to other processes. Set before torch is loaded.
    for name, value in (("OMP_WAIT_POLICY", "PASSIVE"), ("KMP_BLOCKTIME", "0")):
        os.environ.setdefault(name, value)
    try:
        sys.argv = ["ibbench train", *_for_hydra(arguments, dry_run, detach)]
        with listening():
            hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(job)()
    except InputError as error:
        leave(error)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        leave(InputError(explain(error)))
    except KeyboardInterrupt:
        say("Interrupted. What is finished stays; the same command goes on from there.")
        raise SystemExit(INTERRUPTED) from None


def _for_hydra(arguments: list[str], dry_run: bool, detach: bool) -> list[str]:
    """Return the arguments as Hydra's own parser takes them."""
    check_flags(arguments)
    flags = [
        f"hydra.callbacks.study.{name}=true" for name, given in (("dry_run", dry_run), ("detach", detach)) if given
    ]
    readable = as_hydra_reads(with_plugins(arguments))
    packed = pack_sweeps(readable)
    for argument, as_list in packed.items():  # on stderr, so that the config which `--cfg` prints stays readable
        if not (is_quiet() or argument.startswith(("log=", "baselines="))):
            sys.stderr.write(f"{argument} trains as one pack, as '{as_list}' does; see --help for runs of their own\n")
    # Without --multirun Hydra composes the config to learn its mode, and on a mistake in it runs a sweep as one point.
    mode = [] if any(argument.startswith(("-", "hydra.mode=")) for argument in arguments) else ["--multirun"]
    given = [packed.get(argument, argument) for argument in readable]
    # Hydra's parser wants all overrides in one place, between options of its own.
    place = next((at for at, word in enumerate(given) if "=" in word and not word.startswith("-")), 0)
    return [*mode, *given[:place], *flags, *given[place:]]


def job(composed: DictConfig) -> str:
    """Run one point. Hydra's launchers call this function, in this process or in another."""
    return run_point(read_composed(composed))


class StudyCallback(Callback):
    """Checks every point before Hydra starts the first, and tabulates the study after the last.

    Hydra turns exceptions of callbacks into warnings, so this one leaves through `SystemExit`.

    Args:
        dry_run: whether to show the points, and leave.
        detach: whether to leave when the jobs are submitted.

    Attributes:
        sweep: the runs of this command; None before Hydra starts the sweep, and in the processes of jobs.
    """

    def __init__(self, dry_run: bool, detach: bool) -> None:
        self.sweep: Sweep | None = None
        self._dry_run, self._detach = dry_run, detach

    def __getstate__(self) -> dict[str, Any]:
        """Leave the sweep out of the copies of this callback that are sent to jobs, which do not use it."""
        return self.__dict__ | {"sweep": None}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check and plan all points of the sweep."""
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        self._begin(config, [*params, *_given(config)], kwargs["config_name"])

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Check and plan the only point of `hydra.mode=RUN`."""
        self._begin(config, _given(config), kwargs["config_name"])

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:  # noqa: ARG002
        """Note a run that this process left out since another process is training it."""
        if self.sweep and job_return.status == JobStatus.COMPLETED and job_return.return_value == "elsewhere":
            self.sweep.note_taken(OmegaConf.select(config, "hydra.job.num") or 0)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish()

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish()

    def _begin(self, config: DictConfig, overrides: Iterable[str], config_name: str) -> None:
        from ibbench.record.tables import refuse_if_edited

        with _exit_on_errors():
            check_folders(config)
            points = expand(overrides)
            own = [override for override in config.hydra.overrides.hydra if "hydra.searchpath" in override]
            configs = compose_points([[*point, *own] for point in points], config_name)
            here = not detaches(config)
            self.sweep = Sweep(configs, points, _tabulate, here=here, dry_run=self._dry_run, detach=self._detach)
            self.sweep.check()
            refuse_if_edited(self.sweep.study)
            if not self.sweep.plan():
                raise SystemExit(DONE if self._dry_run or self.sweep.finish() else FAILED)

    def _finish(self) -> None:
        with _exit_on_errors():
            if self.sweep and not self.sweep.finish():
                raise SystemExit(FAILED)


def _given(config: DictConfig) -> list[str]:
    """Return the overrides as they were typed, unresolved: `${...}` in them differs from point to point."""
    overrides: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    return list(overrides)


def sweep_of(launcher: Any) -> Sweep:
    """Return the sweep whose points a launcher of Hydra runs.

    Args:
        launcher: the launcher, after Hydra has called its `setup`.
    """
    callbacks = launcher.hydra_context.callbacks.callbacks
    sweep = next(callback.sweep for callback in callbacks if isinstance(callback, StudyCallback))
    assert sweep is not None
    return sweep


def detaches(config: DictConfig) -> bool:
    """Return whether the launcher of a command submits jobs that go on when the command has ended.

    Args:
        config: the composed config, with Hydra's own part.

    Raises:
        InputError: the config names a launcher that is not there.
    """
    chosen = config.hydra.launcher.get("_target_")
    launchers = {f"{kind.__module__}.{kind.__name__}": kind for kind in Plugins.instance().discover(Launcher)}
    if chosen not in launchers:
        raise InputError(f"`hydra.launcher._target_={chosen}` is not possible: expected cluster=NAME")
    return bool(getattr(launchers[chosen], "detaches", False))


def _tabulate(study: Path) -> bool:
    from ibbench.commands.table import tabulate

    outcome = tabulate(study, terminal())
    return outcome.is_written and outcome.is_readable


@contextlib.contextmanager
def _exit_on_errors() -> Iterator[None]:
    """Leave through `SystemExit` on any error: Hydra would turn the exception of a callback into a warning."""
    try:
        yield
    except InputError as error:
        leave(error)
    except (HydraException, OmegaConfBaseException) as error:
        leave(InputError(explain(error)))
    except OSError as error:
        leave(InputError(str(error)))
    except Exception:
        traceback.print_exc()
        raise SystemExit(FAILED) from None
