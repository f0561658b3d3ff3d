"""What a run says of itself in its record and beside its weights: options, versions, data, device."""

import importlib.metadata
import platform
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ibbench.data.dataset import DataSet
from ibbench.data.repeats import count_repeats
from ibbench.data.sources import get_source
from ibbench.data.splits import Split
from ibbench.data.targets import Target
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.options.data import DataOptions
from ibbench.options.sources import OF_CONTENT, PATHS
from ibbench.plugins.registry import plugin_of
from ibbench.record.folder import name_in_study
from ibbench.record.made import describe_making
from ibbench.record.metrics import AnyMetricsEntry, AtomMetricsEntry, ClassMetricsEntry, MetricsEntry
from ibbench.record.schema import SCHEMA_VERSION, DataEntry, PluginEntry, Record, SplitSizesEntry, UnseenEntry
from ibbench.run.plan import Point
from ibbench.run.sight import count_for, sight_of
from ibbench.training.class_metrics import measure_class
from ibbench.training.device import choose_device, describe_device
from ibbench.training.metrics import measure
from ibbench.training.replicas import Replica
from ibbench.training.weights import FORMAT_VERSION, PluginFacts, WeightFacts

_PACKAGES = ("ibbench", "torch", "numpy", "rdkit")


def describe_weights(point: Point, replicas: list[Replica], elements: tuple[int, ...]) -> WeightFacts:
    """Return what a file of weights says of the replicas that it holds.

    Args:
        point: the run.
        replicas: target and seed of each replica.
        elements: atomic numbers, in the order of the scaling of the target.
    """
    config, dataset = point.resolved, point.dataset
    targets = [dataset.targets[dataset.column(target)] for target, _ in replicas]
    classes = tuple(dict.fromkeys(target.name for target in targets if target.is_class))
    plugin = plugin_of("model", config.model.name)
    return WeightFacts(
        format_version=FORMAT_VERSION,
        elements=elements,
        replicas=tuple(replicas),
        units=tuple("probability" if target.is_class else target.unit for target in targets),
        classes=classes,
        options=config.model,
        num_atoms=dataset.molecules.padding.num_atoms,
        layout=dataset.layout,
        hydrogens=config.data.hydrogens,
        graph=config.data.graph,
        feature_set=config.data.features,
        precision=config.precision,
        plugin=PluginFacts(name=plugin.name, place=plugin.place, digest=plugin.digest) if plugin else None,
    )


def describe_errors(prediction: Tensor, truth: Tensor, target: Target) -> AnyMetricsEntry:
    """Measure predictions of a target, as a record holds the errors.

    Args:
        prediction: predicted values, or logits of a class, float64 `[m]`; of a target of atoms `[m, N]`.
        truth: true values, or classes, float64 of the same shape. Where it is NaN, there is no label or no atom, and
            predictions do not count.
        target: the target.
    """
    labelled = ~truth.isnan()
    prediction, truth = prediction[labelled], truth[labelled]
    if target.is_class:
        return ClassMetricsEntry(**measure_class(prediction, truth)._asdict())
    if target.output == "atoms":
        return AtomMetricsEntry(**measure(prediction, truth)._asdict(), atoms=len(truth))
    return MetricsEntry(**measure(prediction, truth)._asdict())


def make_record(point: Point, status: Literal["done", "failed"], **outcome: Any) -> Record:
    """Return a record of a run as it ends now.

    Args:
        point: the run.
        status: whether the run is done or has failed.
        outcome: further fields of `Record`: costs and errors of a run that is done, the error of one that failed.
    """
    width, hidden = point.resolved.model.sizes
    split = point.split
    return Record(
        schema_version=SCHEMA_VERSION,
        status=status,
        run=point.run,
        config=point.config.numerics(),
        width=width,
        hidden=hidden,
        assumptions=get_model(point.config.model.name).assumptions(),
        train_size=split.train_size,
        split_fingerprint=split.fingerprint,
        split_sizes=_count_parts(split),
        labelled=_count_labelled(point),
        data_source=point.dataset.source,
        versions={"python": platform.python_version()} | _versions(point.config.data.source),
        device=describe_device(choose_device(point.config.device)),
        data=_count_data(point.dataset),
        made=describe_making(),
        plugins=_list_plugins(point.config),
        reading=_describe_reading(point.config.data),
        unseen=UnseenEntry(sight=sight_of(point.resolved.model), **count_for([point]).model_dump()),
        **name_in_study(point.config),
        **outcome,
    )


def _count_parts(split: Split) -> SplitSizesEntry:
    return SplitSizesEntry(train_pool=len(split.train_pool), validation=len(split.validation), test=len(split.test))


def _count_labelled(point: Point) -> dict[str, SplitSizesEntry] | None:
    targets = [target for target in point.config.targets if target in point.split.unlabelled]
    return {target: _count_parts(point.split.of_target(target)) for target in targets} or None


def _list_plugins(config: Config) -> tuple[PluginEntry, ...] | None:
    used = config.used_plugins()
    entries = (
        PluginEntry(gives=key, name=plugin.name, place=plugin.place, digest=plugin.digest)
        for key, plugin in used.items()
    )
    return tuple(entries) or None


def _describe_reading(data: DataOptions) -> dict[str, Any] | None:
    """Return the options that say how the data are read, and are no part of the name of a run; paths are absolute."""
    usual = {name: field.default for name, field in DataOptions.model_fields.items()}
    given = {name: getattr(data, name) for name in OF_CONTENT if getattr(data, name) != usual[name]}
    return {name: str(Path(value).absolute()) if name in PATHS else value for name, value in given.items()} or None


def _count_data(dataset: DataSet) -> DataEntry:
    return DataEntry(molecules=len(dataset), rejected=dataset.rejected, **count_repeats(dataset)._asdict())


def _versions(source: str) -> dict[str, str]:
    versions = {}
    for package in (*_PACKAGES, *get_source(source).packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
