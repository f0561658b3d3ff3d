"""Reads from a checkpoint what needs no torch, which is slow to import: `ibbench status` looks at many checkpoints."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError)


def read_facts(path: Path) -> dict[str, Any]:
    """Read the facts that a checkpoint holds beside its tensors, such as its step.

    Raises:
        OSError, SafetensorError, ValueError, KeyError, TypeError: the file is not a whole checkpoint (`UNREADABLE`).
    """
    with safe_open(path, framework="numpy") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        return facts


def saved_steps(path: Path) -> int:
    """Return how many steps were done when a checkpoint was saved; -1 if it cannot be read."""
    try:
        return int(read_facts(path)["step"])
    except UNREADABLE:
        return -1


def saved_part(folder: Path) -> tuple[int, int] | None:
    """Return the part that an interrupted run was training, and how many of its steps are saved; None without any.

    The parts of a run are its packs and their stages (see `run.pack`), counted from 0 in the order of training.
    """
    parts: dict[int, int] = {}
    for path in folder.glob("checkpoint-*.safetensors"):
        number = path.stem.removeprefix("checkpoint-")[:-1]
        if number.isdecimal():
            parts[int(number)] = max(parts.get(int(number), -1), saved_steps(path))
    last = max(parts, default=None)
    return None if last is None or parts[last] < 0 else (last, parts[last])


def saved_pack_size(folder: Path) -> int | None:
    """Return how many replicas the first pack of an interrupted run has; None if there is no readable checkpoint."""
    for path in sorted(folder.glob("checkpoint-0?.safetensors")):
        try:
            return len({tuple(replica) for replica in read_facts(path)["identity"]["replicas"]})
        except UNREADABLE:
            continue
    return None
