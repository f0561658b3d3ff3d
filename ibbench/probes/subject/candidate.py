"""The models that are probed: those of a command line, or those of a study with the weights of its runs."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ibbench.compare.rows import in_full
from ibbench.compare.variants import describe, find_variants_of, flatten
from ibbench.errors import InputError
from ibbench.options.config import Config, read_config
from ibbench.options.defaults import LEFT_OUT, default_options
from ibbench.options.sources import PATHS
from ibbench.plugins.load import plugin_names
from ibbench.plugins.registry import Kind
from ibbench.record.folder import RUNS, StudyFolder, read_finished
from ibbench.record.schema import Record
from ibbench.run.plan import Point, plan


class Candidate(NamedTuple):
    """One model that is probed.

    Attributes:
        point: the options of the model, with the data.
        variant: the options in which it differs from other candidates with the same architecture, as text.
        name: name in tables: that of its rung, or of its model with the variant.
        run: the folder of its finished run, with weights; None if no run is finished, or only its evidence is left.
        folder: the folder that the run has, or would have.
        record: the record of its finished run, which may come from evidence; None if no run is finished.
    """

    point: Point
    variant: str
    name: str
    run: Path | None
    folder: Path
    record: Record | None


def plan_candidates(configs: list[Config], runs: list[Path] | None = None) -> list[Candidate]:
    """Plan the models that are probed: resolve their options, name them, and find their trained runs.

    Args:
        configs: the options of each model.
        runs: the folder of each model's run; None to look where `ibbench train` would put it.

    Raises:
        InputError: a config is not possible, or a run was trained on other data than its options stand for now.
    """
    points = [plan(config) for config in configs]
    variants = [describe(variant) for variant in find_variants_of([one.numerics() for one in configs], apart=False)]
    names = _name(points, variants)
    candidates = []
    for place, (point, variant, name) in enumerate(zip(points, variants, names, strict=True)):
        folder = runs[place] if runs else point.folder
        here = read_finished(folder)
        record = here or _read_evidence(folder)
        if record:
            _refuse_other_data(record, point, folder)
        candidates.append(Candidate(point, variant, name, folder if here else None, folder, record))
    return candidates


def _read_evidence(folder: Path) -> Record | None:
    """Return the record of a finished run of another machine, of which the study has only the evidence."""
    records = StudyFolder.at(folder.parents[1]).foreign_records()
    return next((record for record in records if (record.run, record.status) == (folder.name, "done")), None)


def _name(points: list[Point], variants: list[str]) -> list[str]:
    """Name each model by its rung, or by its architecture; the variant follows if several would have the same name."""
    variants_of: dict[tuple[str, int], set[str]] = {}
    for point, variant in zip(points, variants, strict=True):
        if rung := point.config.rung:
            variants_of.setdefault((rung.name, point.split.train_size), set()).add(variant)
    several = {name for (name, _), found in variants_of.items() if len(found) > 1}
    names = []
    for point, variant in zip(points, variants, strict=True):
        rung = point.config.rung
        if rung and rung.name not in several:
            names.append(rung.name)
        else:
            names.append(in_full(rung.name if rung else point.config.model.name, variant))
    return names


def _refuse_other_data(record: Record, point: Point, folder: Path) -> None:
    """Check that a run was trained on the molecules that its options stand for now."""
    now = point.dataset.source, point.split.fingerprint
    if (record.data_source, record.split_fingerprint) != now:
        raise InputError(
            f"{folder} was trained on other data, or another split, than its options stand for now. A file must be as "
            "it was, and be read as it was"
        )


def read_configs(
    study: Path, defaults: Config, reading: Mapping[str, Any] = MappingProxyType({})
) -> tuple[list[Config], list[Path]]:
    """Return the options of the runs of a study, and their folders.

    Args:
        study: the folder of the study.
        defaults: a config with the options that records leave out, since they change no numbers.
        reading: options of the data that take the place of those in `Record.reading`, such as the path of a CSV that
            lies elsewhere now.

    Raises:
        InputError: no run is finished, a record does not say enough to rebuild its options, options are not possible
            any more, or a plugin is not loaded or has changed.
    """
    records = [record for record in StudyFolder.at(study).records() if record.status == "done"]
    if not records:
        raise InputError(f"{study} has no finished run: expected a study, or options as `ibbench train` takes them")
    configs = [_config_of(record, study, defaults, reading) for record in records]
    return configs, [study / RUNS / record.run for record in records]


def _config_of(record: Record, study: Path, defaults: Config, given: Mapping[str, Any]) -> Config:
    reading = {**(record.reading or {}), **given}
    _check_paths(reading, record, study)
    known = defaults.model_dump(mode="json", exclude={"data", "model", "optimizer", "schedule", "budget", "tuning"})
    options: dict[str, Any] = known | {key: value for key, value in record.config.items() if key != "plugins"}
    options["trainer"] = known["trainer"] | record.config["trainer"]
    at_random = {"split": "random", "held_out": None, "split_target": None}  # the defaults, which records leave out
    options["data"] = at_random | LEFT_OUT["data"] | record.config["data"] | reading
    own = default_options("model", record.config["model"]["name"])
    options["model"] = {key: value for key, value in LEFT_OUT["model"].items() if key in own} | record.config["model"]
    options |= {"name": study.resolve().name, "results_dir": str(study.parent)}
    if record.rung:
        options["rung"] = record.rung.model_dump()
    return _with_same_plugins(options, record, study)


def _check_paths(reading: Mapping[str, Any], record: Record, study: Path) -> None:
    """Check that it is known where the files of a study lie, and that they are there."""
    data = record.config["data"]
    needed = {"path": data.get("source") == "csv", "test_path": data.get("split") == "file"}
    for option in PATHS:
        if needed[option] and option not in reading:
            raise InputError(
                f"{study} does not say where its data lie: expected `ibbench probe {study} data.{option}=FILE`, and "
                "the options of the data that are not the usual ones, such as data.encoding"
            )
        if option in reading and not Path(reading[option]).is_file():
            raise InputError(
                f"{study} was trained on {reading[option]}, which is not there: expected the file in its place, or "
                f"`ibbench probe {study} data.{option}=FILE`"
            )


def _with_same_plugins(options: dict[str, Any], record: Record, study: Path) -> Config:
    """Return the config of a run, if the plugins that it was trained with are loaded, and unchanged.

    Plugins are not loaded from here: a record that was downloaded must not decide which code runs.
    """
    trained = record.plugins or ()
    kinds: dict[str, Kind] = {"model": "model", "source": "source"}
    names = {"model": record.config["model"]["name"], "source": record.config["data"].get("source")}
    for one in trained:
        if one.gives in kinds and names[one.gives] not in plugin_names(kinds[one.gives]):
            raise InputError(
                f"{study / RUNS / record.run} has its {one.gives} from the plugin {one.name}, which is not loaded: "
                f"expected --plugins {one.place}, or where that file is now"
            )
    config = read_config(options)
    now = {key: plugin.digest for key, plugin in config.used_plugins().items() if key in kinds}
    then = {one.gives: one.digest for one in trained if one.gives in kinds}
    if now != then:
        changed = next(key for key in kinds if now.get(key) != then.get(key))
        raise InputError(
            f"{study / RUNS / record.run} was trained with another {changed} of this name: expected the plugin as it "
            "was, or train again"
        )
    return config


def same_options(config: Config) -> frozenset[tuple[str, str]]:
    """Return the options that tell a model from the others of a study, as pairs of name and text.

    Targets and seeds are left out, so that runs of one model for different targets have the same options.
    """
    return recorded_options(flatten(config.numerics()))


def recorded_options(options: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the options that `same_options` returns, from the options of a record with dotted names."""
    ignored = {"targets", "seeds"}
    return frozenset((key, str(value)) for key, value in options.items() if key not in ignored)
