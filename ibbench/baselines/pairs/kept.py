"""The pairs of a run, kept so that they predict molecules without the data set.

The file holds the vectors and the labels of the train molecules, and the settings that were chosen: a fit with these is
repeated in seconds, always gives the same predictions, and needs no format for trees or weights of another package.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ibbench.baselines.pairs import is_pair, split_pair
from ibbench.baselines.pairs.pair import FittedPair, fit_pair
from ibbench.baselines.pairs.vectors import Vectors
from ibbench.baselines.regressors import Settings
from ibbench.baselines.representations import Limits
from ibbench.errors import InputError
from ibbench.files import write_atomically

if TYPE_CHECKING:
    from ibbench.data.dataset import DataSet
    from ibbench.data.splits import Split

_FORMAT = 1


class Part(NamedTuple):
    """One target and seed of a pair, with its unit and the settings that were chosen for it."""

    target: str
    seed: int
    unit: str
    settings: Settings


def keep_pairs(path: Path, dataset: DataSet, split: Split, pairs: Mapping[str, Sequence[Part]]) -> None:
    """Write what the pairs of a run need to predict, whole or not at all.

    Args:
        path: the file.
        dataset: the molecules.
        split: division of these molecules.
        pairs: target, seed and settings of the replicas of each pair, by its name.

    Raises:
        OSError: the file cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {}
    limits: dict[str, Limits] = {}
    for name, parts in pairs.items():
        assert is_pair(name)
        representation = split_pair(name).representation
        vectors = Vectors(dataset, representation)
        # With how sizes of train molecules are counted, which those of asked molecules are compared with.
        limits[representation] = {"hydrogens": dataset.hydrogens} | vectors.representation.limits
        for part in parts:
            subset = split.of_target(part.target).train_subset(part.seed)
            key = f"{representation}/{part.seed}"
            if key not in arrays:
                arrays[key] = np.ascontiguousarray(vectors.at(subset.numpy()))
            arrays[f"labels/{part.target}/{part.seed}"] = dataset.values[subset, dataset.column(part.target)].numpy()
    facts = {"format": _FORMAT, "limits": limits, "pairs": {name: list(parts) for name, parts in pairs.items()}}
    write_atomically(path, safetensors.numpy.save(arrays, {"facts": json.dumps(facts)}))


class KeptPair(NamedTuple):
    """A pair of a run, fitted again.

    Attributes:
        parts: its targets and seeds.
        fits: a regression for each of them.
        limits: what decides the length of its vectors.
    """

    parts: tuple[Part, ...]
    fits: tuple[FittedPair, ...]
    limits: Limits


def read_pair(path: Path, name: str) -> KeptPair:
    """Fit a pair again, as it was fitted in a run.

    Args:
        path: the file that `keep_pairs` has written.
        name: the pair.

    Raises:
        InputError: the file is not there or cannot be read, or does not have the pair.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            if facts.get("format") != _FORMAT or name not in facts["pairs"]:
                raise InputError(f"{path} does not have {name}: `ibbench train` with 'baselines=[{name}]' adds it")
            parts = tuple(Part(*part) for part in facts["pairs"][name])
            representation = split_pair(name).representation
            fits: dict[tuple[str, int], FittedPair] = {}
            for seed in dict.fromkeys(part.seed for part in parts):
                of_seed = [part for part in parts if part.seed == seed]
                labels = np.stack([file.get_tensor(f"labels/{part.target}/{seed}") for part in of_seed], axis=1)
                vectors = file.get_tensor(f"{representation}/{seed}")
                found = fit_pair(name, vectors, labels, [part.settings for part in of_seed])
                fits |= {(part.target, seed): one for part, one in zip(of_seed, found, strict=True)}
    except FileNotFoundError:
        raise InputError(
            f"{path} is not there: it is written where a run is trained with 'baselines=[{name}]'"
        ) from None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not readable: {error}. rerun=true trains its run anew") from None
    return KeptPair(parts, tuple(fits[part.target, part.seed] for part in parts), facts["limits"][representation])
