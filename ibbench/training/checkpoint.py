"""Saving a training between two epochs, and going on from there as if nothing had happened."""

import json
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ibbench.files import write_atomically
from ibbench.training.loop import State

SCHEMA = 1
_SCALARS = ("epoch", "history", "train_seconds", "validation_seconds")
_TENSORS = ("best_mae", "best_epoch", "stopped")


def save_checkpoint(path: Path, state: State, run: str) -> None:
    """Write the state of the run `run` to one safetensors file, whole or not at all.

    No random state is in it: batch orders and dropout masks are functions of seed, epoch and step.
    """
    tensors = {name: getattr(state, name) for name in _TENSORS}
    tensors |= {f"model/{name}": tensor for name, tensor in state.models.snapshot().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.best.items()}
    for index, slots in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{slot}": value for slot, value in slots.items() if value is not None}
    facts = {"schema": SCHEMA, "run": run} | {name: getattr(state, name) for name in _SCALARS}
    content = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomically(path, safetensors.torch.save(content, {"facts": json.dumps(facts)}))


def load_checkpoint(path: Path, state: State, run: str) -> str:
    """Put a saved state into a freshly prepared one, in place.

    Returns:
        Empty when the state was taken over or there is no checkpoint; otherwise why it was not taken over.
    """
    if not path.exists():
        return ""
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["facts"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        return f"it is damaged ({error})"
    if (facts["schema"], facts["run"]) != (SCHEMA, run):
        return f"it belongs to run {facts['run']} (schema {facts['schema']}), not {run} (schema {SCHEMA})"
    state.models.load(_below("model/", tensors))
    state.best = {name: tensor.to(state.models.device) for name, tensor in _below("best/", tensors).items()}
    for name in _TENSORS:
        setattr(state, name, tensors[name])
    for name in _SCALARS:
        setattr(state, name, facts[name])
    slots: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _below("optimizer/", tensors).items():
        index, slot = key.split("/")
        slots.setdefault(int(index), {})[slot] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    return ""


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def save_weights(path: Path, weights: dict[str, Tensor], facts: dict[str, object]) -> None:
    """Write what predicts: the replicas' weights and input scaling, stacked `[R, ...]`, as safetensors."""
    content = {name: tensor.contiguous().cpu() for name, tensor in weights.items()}
    metadata = {name: json.dumps(value) for name, value in facts.items()}
    write_atomically(path, safetensors.torch.save(content, metadata))
