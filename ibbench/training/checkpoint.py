"""Saving a training between two steps, and going on from there as if nothing had happened."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from ibbench.files import write_atomically
from ibbench.training.saved import UNREADABLE, read_facts, saved_steps
from ibbench.training.state import State

SCHEMA = 3
_SCALARS = ("step", "pending", "pending_molecules", "history", "train_seconds", "validation_seconds")
_TENSORS = ("best_mae", "best_step", "stopped", "loss_sum", "first_bad_step")


class Checkpoints:
    """The two latest states of one pack of replicas, in two files that are written in turn.

    So one file is always whole, even if the disk or the machine fails while the other is written.

    Args:
        folder: the folder of the run.
        number: the number of the part of the run that the checkpoints are for, counted from 0 (see `saved_part`).
        identity: everything that decides the result of the training, as JSON types. A saved state with another
            identity is refused.
    """

    def __init__(self, folder: Path, number: int, identity: dict[str, Any]) -> None:
        self._paths = [folder / f"checkpoint-{number}{slot}.safetensors" for slot in "ab"]
        self._identity = json.loads(json.dumps(identity | {"schema": SCHEMA}))

    def save(self, state: State) -> None:
        """Write a state over the older of the two, whole or not at all.

        The file holds no random state: batch orders and dropout masks are functions of seed and step.

        Raises:
            OSError: the file could not be written; the two older files are still there.
        """
        tensors = {name: getattr(state, name) for name in _TENSORS}
        tensors |= {f"model/{name}": tensor for name, tensor in state.models.snapshot().items()}
        tensors |= {f"best/{name}": tensor for name, tensor in state.best.items()}
        tensors |= {f"average/{name}": tensor for name, tensor in (state.average or {}).items()}
        if state.optimizer.coordinates is not None:
            tensors["coordinates"] = state.optimizer.coordinates.detach()
        for index, slots in state.optimizer.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{slot}": value for slot, value in slots.items() if value is not None}
        content = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
        facts = {"identity": self._identity, "checksum": _checksum(content)}
        facts |= {name: getattr(state, name) for name in _SCALARS}
        self._paths.sort(key=saved_steps)
        write_atomically(self._paths[0], safetensors.torch.save(content, {"facts": json.dumps(facts)}))

    def load(self, state: State) -> list[str]:
        """Put the latest saved state that can be used into a freshly prepared one, in place.

        Returns:
            A sentence for each file that was tried first and could not be used. Such a file is renamed, not deleted.
        """
        problems = []
        by_progress = sorted((path for path in self._paths if path.exists()), key=saved_steps, reverse=True)
        # A file that cannot be read may hold the latest state: it is tried first, so that its problem is reported.
        for path in sorted(by_progress, key=lambda path: saved_steps(path) >= 0):
            problem = self._take_over(path, state)
            if not problem:
                break
            aside = path.with_name(f"refused-{path.name}")
            path.replace(aside)
            problems.append(f"{path.name} is not used, {problem} (it is {aside.name} now)")
        return problems

    def _take_over(self, path: Path, state: State) -> str:
        """Put a saved state into `state`; return why that is not possible, or an empty text."""
        try:
            facts = read_facts(path)
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
            if facts["checksum"] != _checksum(tensors):
                return "it is damaged: its checksum is not that of its content"
            other = list(_differences(facts["identity"], self._identity))
        except UNREADABLE as error:
            return f"it is damaged ({error})"
        if other:
            return f"it is of another training: {'; '.join(other)}"
        _restore(state, facts, tensors)
        return ""


def _restore(state: State, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    device = state.models.device
    state.models.load(_with_prefix("model/", tensors))
    state.best = {name: tensor.to(device) for name, tensor in _with_prefix("best/", tensors).items()}
    if state.average is not None:
        state.average = {name: tensor.to(device) for name, tensor in _with_prefix("average/", tensors).items()}
    if state.optimizer.coordinates is not None:
        state.optimizer.coordinates.data.copy_(tensors["coordinates"])
    for name in _TENSORS:
        setattr(state, name, tensors[name].to(getattr(state, name).device))
    for name in _SCALARS:
        setattr(state, name, facts[name])
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _with_prefix("optimizer/", tensors).items():
        index, slot = key.split("/")
        slots.setdefault(int(index), {})[slot] = tensor
    groups = state.optimizer.optimizer.state_dict()["param_groups"]
    state.optimizer.optimizer.load_state_dict({"state": slots, "param_groups": groups})


def _checksum(tensors: dict[str, Tensor]) -> int:
    total = 0
    for name in sorted(tensors):
        flat = tensors[name].reshape(-1).view(torch.uint8) if tensors[name].numel() else tensors[name]
        total = zlib.crc32(flat.numpy().data, zlib.crc32(name.encode(), total))
    return total


def _differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Name the keys in which two nested dictionaries differ, with both values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*new, *old]):
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield f"{key} was {old}, is {new}"


def _with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
