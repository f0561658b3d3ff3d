"""A validated config in, all that follows from it before training out: the data, the width, the name of the run."""

import functools
import hashlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import torch

from ibbench.compare.record import SCHEMA_VERSION
from ibbench.config import Config, DataOptions, ModelOptions
from ibbench.data.dataset import DataSet, load_dataset
from ibbench.data.identity import CACHE_FORMAT
from ibbench.data.splits import Split, split_dataset
from ibbench.errors import InputError
from ibbench.models.budget import count_flops, count_parameters, fit_to_budget
from ibbench.models.registry import get_model
from ibbench.recall import remember, study_folder
from ibbench.terminal import say
from ibbench.training.device import choose_device
from ibbench.training.step import compiler, pays


class Point(NamedTuple):
    """One point of a sweep, with all that follows from its config before training.

    Attributes:
        config: as validated.
        options: the model with its width solved.
        dataset: the molecules.
        split: of that data set.
        compiled: whether the training step is.
        run: the run's name, `<model>-<hash>`; the hash covers all that can change the numbers.
    """

    config: Config
    options: ModelOptions
    dataset: DataSet
    split: Split
    compiled: bool
    run: str

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return study_folder(self.config) / "runs" / self.run


def plan(config: Config) -> Point:
    """Find out everything about a run that can be wrong before it is started.

    Raises:
        InputError: the data, the targets, the sizes, the device or the budget are not possible.
    """
    return _plan(config.model_dump_json())


@functools.cache  # the check before a sweep plans each point, and the job that runs in the same process again
def _plan(composed: str) -> Point:
    config = Config.model_validate_json(composed)
    device = choose_device(config.device)
    if config.precision == "tf32" and device.type != "cuda":
        raise InputError("`precision=tf32` needs a CUDA device: expected float32 or bfloat16 on the CPU")
    get_model(config.model.name)
    whole = {"train_size": None, "validation_size": 1, "test_size": 1, "split_seed": 0}
    dataset = _dataset(config.data.model_copy(update=whole).model_dump_json())
    for target in config.targets:
        dataset.column(target)
    split = split_dataset(dataset, config.data)
    num_atoms = dataset.molecules.mask.shape[1]
    options = config.model
    if config.budget:
        options = fit_to_budget(num_atoms, options, config.budget.parameters)
    compiled = _choose_compilation(config, options, split, num_atoms, device)
    facts = config.numerics() | {
        "compiled": compiled,
        "source": dataset.source,
        "sizes": options.sizes,
        "split": split.fingerprint,
        "features": CACHE_FORMAT,
        "schema": SCHEMA_VERSION,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:10]
    run = f"{config.model.name}-{digest}"
    remember(config, run)
    return Point(config, options, dataset, split, compiled, run)


def _choose_compilation(
    config: Config, options: ModelOptions, split: Split, num_atoms: int, device: torch.device
) -> bool:
    wanted = config.trainer.compile
    if wanted is not False and device.type == "cpu" and compiler() is None:
        if wanted is True:
            raise InputError(
                "trainer.compile=true needs a C++ compiler: expected g++ or clang++ on the PATH, or in CXX"
            )
        return False
    if wanted != "auto":
        return wanted
    if device.type != "cpu":
        return False  # not measured
    num_steps = config.trainer.epochs * math.ceil(split.train_size / config.trainer.batch_size)
    num_molecules = config.trainer.epochs * split.train_size * len(config.targets) * len(config.seeds)
    most = 2 * num_atoms * count_parameters(num_atoms, options)  # no model uses a weight more often than once an atom
    return pays(num_steps, most, num_molecules) and pays(num_steps, count_flops(num_atoms, options), num_molecules)


@functools.lru_cache(maxsize=2)  # the points of a sweep mostly share their data, however they are split
def _dataset(options: str) -> DataSet:
    return load_dataset(DataOptions.model_validate_json(options), say)
