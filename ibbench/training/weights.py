"""What a run leaves of its models: all that it takes to predict, in one file."""

import json
from pathlib import Path
from typing import Any, Literal, NamedTuple

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ibbench.data.identity import FEATURES
from ibbench.errors import InputError
from ibbench.files import write_atomically
from ibbench.models import built_in_models
from ibbench.options.model import AnyModelOptions
from ibbench.plugins.load import load_installed
from ibbench.plugins.registry import plugin_of
from ibbench.training.replicas import Replica
from ibbench.training.scaling import TargetScaling

FORMAT_VERSION = 2  # raise it when predicting needs more, or something else, than what is written now
_SCALING = "target_"  # what the names of the tensors of the scaling begin with


class PluginFacts(BaseModel):
    """The plugin that a model is from: see `ibbench.plugins.code.Plugin`. Nothing is loaded because a file says so."""

    model_config = ConfigDict(frozen=True)

    name: str
    place: str
    digest: str


class WeightFacts(BaseModel):
    """What a file of weights says beside its tensors.

    Attributes:
        format_version: that of the file.
        features: version of the features that the models read.
        elements: atomic numbers, in the order of the atom references.
        replicas: target and seed of each of the R replicas.
        units: of each replica's predictions.
        options: the model, with its width.
        num_atoms: N, the number of atoms that molecules were padded to.
        hydrogens: whether they are atoms of their own, see `featurize`.
        graph: what was made of the molecules' graphs, see `alter_graph`.
        feature_set: what the models see of an atom, see `hide_features`.
        precision: of the arithmetic.
        plugin: the one that the model is from; None if it is one of ibbench.
    """

    model_config = ConfigDict(frozen=True)

    format_version: int = FORMAT_VERSION
    features: int = FEATURES
    elements: tuple[PositiveInt, ...]
    replicas: tuple[Replica, ...]
    units: tuple[str, ...]
    options: AnyModelOptions
    num_atoms: PositiveInt
    hydrogens: Literal["implicit", "explicit"]
    graph: str
    feature_set: str
    precision: str
    plugin: PluginFacts | None = None


class Weights(NamedTuple):
    """A file of weights, read.

    Attributes:
        facts: what it says beside its tensors.
        models: weights and input scaling of the replicas, name -> `[R, ...]`, see `Replicas.snapshot`.
        scaling: from what they predict to the targets' units.
    """

    facts: WeightFacts
    models: dict[str, Tensor]
    scaling: TargetScaling


def to_tensors(models: dict[str, Tensor], scaling: TargetScaling) -> dict[str, Tensor]:
    """Return what is written of some replicas, name -> `[R, ...]` on the CPU."""
    tensors = models | {_SCALING + name: tensor for name, tensor in scaling._asdict().items()}
    return {name: tensor.cpu() for name, tensor in tensors.items()}


def write_weights(path: Path, tensors: dict[str, Tensor], facts: WeightFacts) -> None:
    """Write what predicts as safetensors: tensors as of `to_tensors`, and each fact as JSON in the file's metadata."""
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    metadata = {name: json.dumps(value) for name, value in facts.model_dump(mode="json").items()}
    if facts.plugin is None:
        del metadata["plugin"]
    write_atomically(path, safetensors.torch.save(content, metadata))


def read_weights(path: Path) -> Weights:
    """Read a file of weights.

    Raises:
        InputError: it is missing, broken, or of a version that cannot predict here.
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
    """Add what files of version 1 do not say, because there was one way only: no slopes, the sum over atoms."""
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
