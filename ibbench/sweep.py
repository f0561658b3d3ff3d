"""The Hydra side of `ibbench train`: compose all points, check them, run them, tabulate the study."""

import contextlib
import itertools
import os
import re
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ibbench.config import Config, option_names, read_config
from ibbench.errors import InputError, leave, suggest
from ibbench.interrupt import listen, raise_if_asked
from ibbench.recall import read_finished, recall_finished, study_folder
from ibbench.terminal import say, terminal
from ibbench.tuning import TUNED, draw

ROOT_CONFIG = "train"
DONE, FAILED, INTERRUPTED = 0, 1, 130  # exit codes; 2 is `errors.leave`


def config_folder() -> Path:
    """Return the folder of configs: inside the package of an installed wheel, else the checkout's own."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def compose_config(overrides: Sequence[str]) -> Config:
    """Compose and validate one config outside of a sweep.

    Raises:
        InputError: an override or its value is not possible.
    """
    with hydra.initialize_config_dir(str(config_folder()), job_name="ibbench", version_base="1.3"):
        return _validated(overrides, ROOT_CONFIG)


def _validated(overrides: Sequence[str], config_name: str) -> Config:
    try:
        return _read(hydra.compose(config_name, list(overrides)))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise InputError(explain(error)) from None


def _read(composed: DictConfig) -> Config:
    options = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    assert isinstance(options, dict)
    return draw(read_config({str(key): value for key, value in options.items()}))


def explain(error: Exception) -> str:
    """Say what was wrong with an override in one line, with the nearest names that would be right."""
    text = str(error)
    if isinstance(error, MissingConfigException) and error.options is not None:
        group, _, name = (error.missing_cfg_file or "").rpartition("/")
        folder = ""
        if not group.startswith("hydra/"):  # a folder within a group, such as model/ladder, is part of the choice
            group, _, folder = group.partition("/")
        names = [f"{folder}/{option}" if folder else option for option in error.options]
        name = f"{folder}/{name}" if folder else name
        return f"`{group}={name}` is not possible: {suggest(name, names)}"
    if isinstance(error, OverrideParseException):
        return f"`{error.override}` cannot be read: {text.splitlines()[0]}"
    unknown = re.search(r"Could not (?:override|append|delete from) '([^'@]+)", text)
    if unknown and "already" not in text:
        key = unknown[1]
        if key in option_names():
            group = key.partition(".")[0]
            return f"`{key}` is not an option of every choice of `{group}` in this command"
        return f"`{key}` is not an option: {suggest(key, option_names())}"
    return " ".join(line.strip() for line in text.splitlines() if line.strip())


def expand(overrides: Iterable[str]) -> list[list[str]]:
    """List the points of a sweep, in the order in which Hydra's basic sweeper runs them.

    A later override of a key replaces an earlier one; a value with commas is a sweep over its parts.
    """
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(list(overrides)):
        key = override.get_key_element()
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise InputError(f"`{override.input_line}`: a sweep needs single values, such as {key}=1,2,3")
        values = (
            override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in values]
    return [list(point) for point in itertools.product(*choices.values())]


class StudyCallback(Callback):
    """Checks every point before the first is started, and tabulates the study after the last.

    Hydra turns exceptions of callbacks into warnings, so this one leaves through `SystemExit`.
    """

    def __init__(self) -> None:
        self._configs: list[Config] = []
        self._runs: list[str] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose and check all points of the sweep."""
        params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
        self._check([*params, *config.hydra.overrides.task], kwargs["config_name"])

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Compose and check the only point of `hydra.mode=RUN`."""
        self._check(config.hydra.overrides.task, kwargs["config_name"])

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish()

    def on_run_end(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ARG002
        """Write and print the table."""
        self._finish()

    def _check(self, overrides: Iterable[str], config_name: str) -> None:
        from ibbench.compare.table_file import refuse_if_edited

        with _leaving():
            points = expand(overrides)
            self._configs = [_validated(point, config_name) for point in points]
            _refuse_tuned_options(self._configs, points[0])
            if len({study_folder(config) for config in self._configs}) > 1:
                raise InputError("one command fills one study: `name` and `results_dir` cannot be swept")
            study = study_folder(self._configs[0])
            refuse_if_edited(study)
            records = [recall_finished(config) for config in self._configs]
            if all(records):
                say(f"Study {study}: {len(records)} runs")
                for record in records:
                    assert record is not None
                    say(f"  {record.run}: done before")
                self._runs = [record.run for record in records if record]
                self._finish()
                raise SystemExit(DONE)
            self._plan(study)

    def _plan(self, study: Path) -> None:
        from ibbench.compare.record import refuse_double
        from ibbench.plan import plan

        points = [plan(config) for config in self._configs]
        for point in points:
            refuse_double(study, point.run, point.config.numerics(), point.dataset.source, point.split.fingerprint)
        states = ["done" if read_finished(point.folder) else "to do" for point in points]
        self._runs = [point.run for point in points]
        _make_folder(study)
        _announce(points, states)

    def _finish(self) -> None:
        from ibbench.compare.tabulate import tabulate

        study = study_folder(self._configs[0])
        with _leaving():
            missing = [run for run in self._runs if not read_finished(study / "runs" / run)]
            try:
                tabulate(study, terminal())
            except InputError as error:
                if not missing:
                    raise
                say(str(error))  # not even a failure could be recorded, as on a full disk
        if missing:
            say(f"Not finished: {', '.join(missing)}. The same command tries them again.")
            raise SystemExit(FAILED)


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


def _make_folder(study: Path) -> None:
    try:
        (study / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the study {study} cannot be written: {error.strerror or error}; see results_dir") from None


def _announce(points: list[Any], states: list[str]) -> None:
    from ibbench.models.cost import count_parameters

    first = points[0]
    say(
        f"Study {study_folder(first.config)}: {len(points)} runs, {len(first.dataset):,} molecules, "
        f"split {first.split.fingerprint}"
    )
    for point, state in zip(points, states, strict=True):
        width, hidden = point.options.sizes
        parameters = count_parameters(point.dataset.molecules.padding.num_atoms, point.options)
        replicas = len(point.config.targets) * len(point.config.seeds)
        say(
            f"  {point.run}: width {width}, hidden {hidden}, {parameters:,} parameters, {replicas} replicas on "
            f"{point.split.train_size:,} molecules, {state}"
        )


def job(composed: DictConfig) -> str:
    """Run one point; what Hydra's launchers call, in this process or another. It never raises into the sweep.

    Returns:
        The status of its record, `done` or `failed`.
    """
    from ibbench.plan import plan
    from ibbench.run import execute

    raise_if_asked()
    try:
        point = plan(_read(composed))
    except Exception as error:  # it was possible when the sweep was checked: the data or the machine have changed
        say(f"a run could not be started: {error}")
        if not isinstance(error, InputError):
            traceback.print_exc()
        return "failed"
    return execute(point).status


def run_sweep(arguments: list[str]) -> None:
    """Hand the command line to Hydra.

    Raises:
        SystemExit: with exit code 1, 2 or 130 (see `StudyCallback`).
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to us as exceptions, to be said in one line
    sys.argv = ["ibbench train", *arguments]
    listen()
    try:
        hydra.main(version_base="1.3", config_path=str(config_folder()), config_name=ROOT_CONFIG)(job)()
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        leave(InputError(explain(error)))
    except KeyboardInterrupt:
        say("Interrupted. What is finished stays; the same command goes on from there.")
        raise SystemExit(INTERRUPTED) from None
