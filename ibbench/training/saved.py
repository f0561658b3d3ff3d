"""What can be told of a checkpoint without torch: `ibbench status` looks at many of them."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

UNREADABLE = (OSError, SafetensorError, ValueError, KeyError, TypeError)


def read_facts(path: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself.

    Raises:
        OSError, SafetensorError, ValueError, KeyError, TypeError: it is no whole checkpoint (`UNREADABLE`).
    """
    with safe_open(path, framework="numpy") as file:
        facts: dict[str, Any] = json.loads(file.metadata()["facts"])
        return facts


def saved_steps(path: Path) -> tuple[int, int]:
    """Return the epochs, and the steps of the next one, that a file has behind it; -1 if it cannot be read."""
    try:
        facts = read_facts(path)
        return int(facts["epoch"]), int(facts["batch"])
    except UNREADABLE:
        return -1, 0


def saved_epochs(folder: Path) -> int | None:
    """Return how many epochs of an interrupted run are saved, of the pack that it was at; None if nothing is."""
    packs: dict[int, int] = {}
    for path in folder.glob("checkpoint-*.safetensors"):
        number = path.stem.removeprefix("checkpoint-")[:-1]
        if number.isdecimal():
            packs[int(number)] = max(packs.get(int(number), -1), saved_steps(path)[0])
    return packs[max(packs)] if packs and packs[max(packs)] >= 0 else None


def saved_pack_size(folder: Path) -> int | None:
    """Return how many replicas the first pack of an interrupted run has; None if there is no readable checkpoint."""
    for path in sorted(folder.glob("checkpoint-0?.safetensors")):
        try:
            return len(read_facts(path)["identity"]["replicas"])
        except UNREADABLE:
            continue
    return None
