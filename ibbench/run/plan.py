"""The plan of a run: all that follows from its config before training, such as its data, its width and its name."""

import contextlib
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ibbench.baselines import is_baseline
from ibbench.budget.cost import count_training_flops
from ibbench.budget.width import fit_to_budget
from ibbench.data.atom_labels import add_atom_targets, find_atom_targets
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.division import OF_SOURCE
from ibbench.data.identity import FEATURES
from ibbench.data.layout import Padding
from ibbench.data.splits import Split, find_unlabelled, split_dataset
from ibbench.errors import InputError
from ibbench.models.registry import get_model
from ibbench.options.config import Config
from ibbench.options.data import DataOptions
from ibbench.options.defaults import LEFT_OUT
from ibbench.options.model import ModelOptions
from ibbench.options.trial import draw_trials
from ibbench.plugins.load import blaming
from ibbench.plugins.registry import plugin_of
from ibbench.record.folder import RUNS, study_folder
from ibbench.record.schema import SCHEMA_VERSION
from ibbench.run.itself import complete_targets
from ibbench.run.meaning import check_baselines, check_classes, check_model, lacks_positions
from ibbench.run.output import find_output
from ibbench.run.pace import fit_to_seconds
from ibbench.run.recall import remember
from ibbench.terminal import mention_once
from ibbench.training.device import choose_device, one_thread
from ibbench.training.length import measure_length
from ibbench.training.step import compiler, pays
from ibbench.training.subspace import check_subspace

# Values that stand in for options of the data when data are loaded (`_WHOLE`) or divided (`_DIVIDED`): these options do
# not change the result, so points that differ only in them share the data set and the split in memory.
_DIVIDED: dict[str, Any] = {"train_size": None, "graph": "true", "augmentation": "none"} | {
    name: LEFT_OUT["data"][name] for name in ("label_noise", "labels", "standardise", "centre")
}
_WHOLE = _DIVIDED | {"validation_size": 1, "test_size": 1, "split_seed": 0}
_AT_RANDOM: dict[str, Any] = {"split": "random", "held_out": None, "split_target": None}


class Point(NamedTuple):
    """One point of a sweep, with all that follows from its config before training.

    Attributes:
        config: options as given; they identify the run.
        resolved: options as trained on this machine. The budget is replaced by `model.width` and `model.hidden` that
            meet it, `model.dropout` is the largest one that a trial uses, `trainer.compile` is true, false or graphs.
        dataset: the molecules.
        split: division of that data set.
        facts: all that can change the numbers of the run, as JSON types.
        run: name of the run, `<model>-<hash>`, with a hash of the facts.
    """

    config: Config
    resolved: Config
    dataset: DataSet
    split: Split
    facts: dict[str, Any]
    run: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return study_folder(self.config) / RUNS / self.run


def plan(config: Config, here: bool = True) -> Point:
    """Work out the plan of a run, and check everything that can be wrong before training.

    Args:
        config: config of the run.
        here: whether this machine trains the run. If not, it need not have the device and the compiler for it.

    Raises:
        InputError: the data, the targets, the sizes, the device or the budget are not possible.
    """
    return _plan(config.model_dump_json(), here or (config.budget is not None and config.budget.match == "seconds"))


@functools.cache  # a sweep plans each point for its check, and again to run it in the same process
def _plan(composed: str, here: bool) -> Point:
    config = Config.model_validate_json(composed)
    device = choose_device(config.device if here else "cpu")
    with one_thread(device):
        return _plan_for(config, device, here)


def _plan_for(config: Config, device: torch.device, here: bool) -> Point:
    if config.precision == "tf32" and device.type != "cuda" and (here or config.device == "cpu"):
        raise InputError("`precision=tf32` needs a CUDA device: expected float32 or bfloat16 on the CPU")
    get_model(config.model.name)
    if is_baseline(config.model.name):
        raise InputError(f"`model={config.model.name}` is the name of a baseline: expected a model of another name")
    dataset = complete_targets(config, _with_atom_targets(_load(config.data), config.targets))
    for target in config.targets:
        dataset.column(target)
    split = _divide(config.data)._replace(unlabelled=find_unlabelled(dataset))
    split = split.of_targets(config.targets, config.data.train_size)
    check_classes(config, dataset, split)
    check_baselines(config, dataset, split)
    if split.train_size == 1 and config.model.normalisation == "batch":
        raise InputError("model.normalisation=batch needs a data.train_size of at least 2: one molecule has no spread")
    plugin = plugin_of("model", config.model.name)
    what = f"`model={config.model.name}` cannot be trained"
    with blaming(plugin, what, whatever=True) if plugin else contextlib.nullcontext():
        resolved = _resolve(config, dataset, split, device)
        check_subspace(resolved, dataset.molecules.padding)
        wanted = _is_to_be_compiled(resolved, split, dataset.molecules.padding)
    how = "graphs" if resolved.trainer.compile == "graphs" else True
    resolved = _set_trainer(resolved, compile=how if wanted and _can_compile(resolved, device, here) else False)
    # The facts say whether the run should be compiled, not whether it is: otherwise its name would differ between
    # machines with and without a compiler. Compiling changes rounding only, as the device does.
    facts = config.numerics() | {
        "compiled": wanted,
        "source": dataset.source,
        "sizes": resolved.model.sizes,
        "split": split.fingerprint,
        "features": FEATURES,
        "schema": SCHEMA_VERSION,
    }
    if config.data.features != dataset.layout != "qm9":  # the layout says what `data.features=element` means
        facts["layout"] = dataset.layout
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
    run = f"{config.model.name}-{digest}"
    remember(config, run)
    return Point(config, resolved, dataset, split, facts, run)


def _resolve(config: Config, dataset: DataSet, split: Split, device: torch.device) -> Config:
    """Return the config with the width that meets its budget; errors are those of `find_output` and `_size_model`."""
    predicting = config.model.model_copy(update={"output": find_output(config, dataset)})
    config = config.model_copy(update={"model": predicting})
    model = _size_model(config, dataset, split, device)
    width, hidden = model.sizes
    dropout = max(trial.dropout for seed in config.seeds for trial in draw_trials(config, seed))
    sized = model.model_copy(update={"width": width, "hidden": hidden, "dropout": dropout})
    return config.model_copy(update={"model": sized, "budget": None})


def lacks_coordinates(config: Config) -> bool:
    """Return whether the model reads coordinates that the data do not have, so that `plan` refuses it.

    Raises:
        InputError: there is no such model, or the data are not possible.
    """
    return lacks_positions(config.model, _load(config.data))


def _size_model(config: Config, dataset: DataSet, split: Split, device: torch.device) -> ModelOptions:
    """Return the options of the model, with the width that meets the budget if there is one.

    Raises:
        InputError: the budget cannot be met, the data lack something that the model reads, or an option changes
            something that the model does not read.
    """
    options, budget = config.model, config.budget
    check_model(config, dataset)
    if not budget:
        return options
    if budget.match == "seconds":
        return fit_to_seconds(config, dataset, split, device, study_folder(config))
    return fit_to_budget(dataset.molecules.padding, options, budget)


def _set_trainer(config: Config, **options: Any) -> Config:
    return config.model_copy(update={"trainer": config.trainer.model_copy(update=options)})


def _is_to_be_compiled(config: Config, split: Split, padding: Padding) -> bool:
    """Whether the training step should be compiled where possible; `auto` means if the training is long enough."""
    trainer = config.trainer
    if trainer.compile != "auto":
        return bool(trainer.compile)
    if not get_model(config.model.name).compiles:
        return False  # this model gains nothing from it
    # The longest training decides: each stage of a search has a step of its own to compile.
    length = measure_length(trainer, split.train_size)
    flops = count_training_flops(padding, config.model) * length.molecules * config.num_replicas
    passes = config.passes_per_step
    return pays(length.steps * passes, flops * passes)


def _can_compile(config: Config, device: torch.device, here: bool) -> bool:
    if device.type != "cpu":
        return config.trainer.compile != "auto"  # whether it pays was not measured
    if compiler() is not None:
        return True
    if config.trainer.compile != "auto" and here:
        asked = str(config.trainer.compile).lower()
        raise InputError(
            f"trainer.compile={asked} needs a C++ compiler: expected g++ or clang++ on the PATH, or in CXX"
        )
    return False


def _load(data: DataOptions) -> DataSet:
    whole = _WHOLE if data.split in OF_SOURCE else _WHOLE | _AT_RANDOM
    return _load_once(data.model_copy(update=whole | {"features": data.layout}).model_dump_json())


def _with_atom_targets(dataset: DataSet, targets: Sequence[str]) -> DataSet:
    of_atoms = find_atom_targets(dataset, targets)
    return _add_once(dataset, of_atoms) if of_atoms else dataset


@functools.lru_cache(maxsize=2)
def _add_once(dataset: DataSet, of_atoms: tuple[str, ...]) -> DataSet:
    return add_atom_targets(dataset, of_atoms, mention_once)


def _divide(data: DataOptions) -> Split:
    divided = _DIVIDED | {"features": data.layout}
    return _divide_once(data.model_copy(update=divided).model_dump_json()).take(data.train_size)


@functools.lru_cache(maxsize=2)  # the points of a sweep mostly share data and split
def _load_once(options: str) -> DataSet:
    return load_dataset(DataOptions.model_validate_json(options), mention_once)


@functools.lru_cache(maxsize=2)
def _divide_once(options: str) -> Split:
    data = DataOptions.model_validate_json(options)
    return split_dataset(_load(data), data)
