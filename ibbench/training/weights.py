"""The weights file of a run: one file that holds everything that predictions need."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ibbench.data.identity import FEATURES
from ibbench.data.layout import LAYOUTS, FeatureLayout, Padding
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.models import built_in_models
from ibbench.options.model import AnyModelOptions
from ibbench.plugins.load import load_installed
from ibbench.plugins.registry import plugin_of
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling

FORMAT_VERSION = 3  # raise it when predictions need other contents of the file than are written now
_SCALING = "target_"  # the prefix of the names of the scaling's tensors


class PluginFacts(BaseModel):
    """The plugin that a model is from: see `ibbench.plugins.code.Plugin`. Nothing is loaded because a file says so."""

    model_config = ConfigDict(frozen=True)

    name: str
    place: str
    digest: str


class WeightFacts(BaseModel):
    """The facts that a weights file holds beside its tensors.

    Attributes:
        format_version: the version of the file's format.
        features: the version of the features that the models read.
        elements: the atomic numbers of the E elements, in the order of the atom references.
        replicas: the target and the seed of each of the R replicas.
        units: the unit of each replica's predictions.
        options: the model, with its width.
        num_atoms: N, the number of atoms that molecules were padded to.
        layout: the features that atoms were computed with, a name of `LAYOUTS`; files without it have those of QM9.
        hydrogens: `explicit` if hydrogens are atoms of their own, `implicit` if not; see `featurize`.
        graph: the alteration of the molecules' graphs, see `alter_graph`.
        feature_set: the features of an atom that the models see, see `hide_features`.
        precision: the precision of the arithmetic: `float32`, `tf32` or `bfloat16`.
        plugin: the plugin that the model is from; None for a model of ibbench.
        classes: the targets that are classes: for these, the scaling returns logits, and a prediction is a probability.
    """

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    features: int = FEATURES
    elements: tuple[PositiveInt, ...]
    replicas: tuple[Replica, ...]
    units: tuple[str, ...]
    options: AnyModelOptions
    num_atoms: PositiveInt
    layout: FeatureLayout = "qm9"
    hydrogens: Literal["implicit", "explicit"]
    graph: str
    feature_set: str
    precision: str
    plugin: PluginFacts | None = None
    classes: tuple[str, ...] = ()

    @property
    def is_class(self) -> Tensor:
        """Whether the target of each replica is a class, bool `[R]`."""
        return torch.tensor([target in self.classes for target, _ in self.replicas])

    @property
    def padding(self) -> Padding:
        """The sizes of the molecules that the models were built for, all but that of the tokens."""
        return Padding(self.num_atoms, 0, len(LAYOUTS[self.layout]))


class Weights(NamedTuple):
    """The contents of a weights file.

    Attributes:
        facts: the facts beside the tensors.
        models: the weights and the input scaling of the R replicas, name -> `[R, ...]`, see `Replicas.snapshot`.
        scaling: the map from the replicas' predictions to values in the targets' units.
    """

    facts: WeightFacts
    models: dict[str, Tensor]
    scaling: TargetScaling


def to_tensors(models: dict[str, Tensor], scaling: TargetScaling) -> dict[str, Tensor]:
    """Return the tensors of a weights file, of models and of their scaling together, name -> `[R, ...]`, on the CPU."""
    tensors = models | {_SCALING + name: tensor for name, tensor in scaling._asdict().items()}
    return {name: tensor.cpu() for name, tensor in tensors.items()}


def write_weights(path: Path, tensors: dict[str, Tensor], facts: WeightFacts) -> None:
    """Write a weights file, as safetensors: the tensors of `to_tensors`, and each fact as JSON in the metadata."""
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    described = facts.model_dump(mode="json")
    if facts.options.output == "molecule":  # so that files of targets of molecules stay as they were
        del described["options"]["output"]
    metadata = {name: json.dumps(value) for name, value in described.items()}
    if facts.plugin is None:
        del metadata["plugin"]
    if not facts.classes:  # so that files without classes stay as they were
        del metadata["classes"]
    if facts.layout == "qm9":  # so that files are what they were when there was no other layout
        del metadata["layout"]
    write_atomically(path, safetensors.torch.save(content, metadata))


def read_weights(path: Path) -> Weights:
    """Read a weights file.

    Raises:
        InputError: the file is missing or broken, or this version of ibbench cannot predict with it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except FileNotFoundError:
        raise InputError(f"there is no {path}: expected the folder of a run that is done, with its weights") from None
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} is not readable: {error}. Move its folder away and run again") from None
    if "format_version" not in metadata:
        raise InputError(f"{path} was trained before weights could predict; rerun=true makes new ones")
    try:
        facts = {name: json.loads(value) for name, value in metadata.items()}
        _check_versions(path, facts)
        _check_plugin(path, facts)
        if facts["format_version"] == 1:
            _upgrade(facts, tensors)
        if facts["format_version"] < 3:  # the only logarithm was log(1 + value)
            tensors[_SCALING + "log_offset"] = torch.ones_like(tensors[_SCALING + "factor"])
        scaling = TargetScaling(*(tensors.pop(_SCALING + name) for name in TargetScaling._fields))
        weights = Weights(WeightFacts.model_validate(facts), tensors, scaling)
        _check_shapes(weights)
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise InputError(f"{path} is not readable: {reason}. Move its folder away and run again") from None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is not readable: {error!r}. Move its folder away and run again") from None
    return weights


def _upgrade(facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Add the facts and tensors that files of version 1 lack, because there was no choice then, such as slopes of 0."""
    facts["feature_set"] = "qm9"
    facts["options"] = {"pooling": "sum", "final_norm": False} | facts["options"]
    if "heads" in facts["options"]:
        facts["options"]["weighting"] = "softmax"
    if "max_hops" in facts["options"]:
        facts["options"] |= {"degrees": False, "token": False}
    tensors[_SCALING + "slope_per_element"] = torch.zeros_like(tensors[_SCALING + "reference_per_element"])


def _check_versions(path: Path, facts: dict[str, Any]) -> None:
    if facts["format_version"] > FORMAT_VERSION:
        raise InputError(
            f"{path} was written by a newer ibbench: its format is {facts['format_version']}, "
            f"and this version reads {FORMAT_VERSION}"
        )
    if facts["features"] != FEATURES:
        raise InputError(
            f"{path} was trained on features of version {facts['features']}, and this version of ibbench computes "
            f"those of version {FEATURES}; rerun=true trains on them"
        )


def _check_plugin(path: Path, facts: dict[str, Any]) -> None:
    """Check that the model is there as it was trained: a plugin is loaded by who names it, and not by its weights."""
    model = str(facts["options"]["name"])
    trained = PluginFacts.model_validate(facts["plugin"]) if facts.get("plugin") else None
    known = None if model in built_in_models() else load_installed("model", model) and plugin_of("model", model)
    if trained and not known:
        raise InputError(
            f"{path} is of the model `{model}` from the plugin {trained.name}, which is not loaded: expected "
            f"--plugins {trained.place}, or where that file is now (its SHA-256 begins with {trained.digest})"
        )
    if (trained.digest if trained else None) != (known.digest if known else None):
        then = f"of {trained.name} with the SHA-256 {trained.digest}…" if trained else "of ibbench itself"
        now = f"from {known.place} with {known.digest}…" if known else "one of ibbench"
        raise InputError(
            f"{path} is of the model `{model}` {then}, and the one here is {now}: expected the plugin as it was, or "
            "train again"
        )


def _check_shapes(weights: Weights) -> None:
    facts, scaling = weights.facts, weights.scaling
    count = len(facts.replicas)
    expected: dict[str, tuple[int, ...]] = dict.fromkeys(TargetScaling._fields, (count,))
    for name in ("reference_per_element", "slope_per_element"):
        expected[name] = (count, len(facts.elements))
    found = {name: tuple(tensor.shape) for name, tensor in scaling._asdict().items()}
    if found != expected or len(facts.units) != count:
        raise ValueError(f"its target scaling is not that of {count} replicas")
