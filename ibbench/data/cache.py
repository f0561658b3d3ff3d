"""The cache of a data set: files that are written completely or not at all, and checked each time they are read."""

import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import safetensors.numpy
from safetensors import SafetensorError, safe_open

from ibbench.data.layout import FeatureLayout
from ibbench.errors import InputError
from ibbench.files import open_atomically, write_atomically


class CacheError(Exception):
    """A cache file cannot be used; the message says why."""


def cache_folder() -> Path:
    """Return the folder for caches: the environment variable `IBBENCH_CACHE`, or else this user's cache folder."""
    given = os.environ.get("IBBENCH_CACHE")
    return Path(given).expanduser() if given else platformdirs.user_cache_path("ibbench")


def cache_path(identity: str, hydrogens: str, layout: FeatureLayout = "qm9") -> Path:
    """Return where the cache of a data set lies, or is to lie.

    Args:
        identity: name of the source with a digest of its content, as `Source.identify` returns it.
        hydrogens: treatment of hydrogens, `implicit` or `explicit`.
        layout: the features of atoms, a name of `LAYOUTS`.
    """
    kind = hydrogens if layout == "qm9" else f"{hydrogens}-{layout}"
    return cache_folder() / f"{identity.replace(':', '-')}-{kind}.safetensors"


def write_cache(path: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write arrays and the facts about them to one safetensors file with a checksum.

    Args:
        path: the file.
        arrays: arrays of any shape, by name.
        facts: values of JSON types, by name.

    Raises:
        InputError: the file cannot be written, see `write_to_cache`.
    """
    described = json.dumps(facts, sort_keys=True)
    metadata = {"facts": described, "checksum": _checksum(arrays, described)}
    size = sum(array.nbytes for array in arrays.values())
    with _disk_errors_explained(f"{size / 1e6:.0f} MB", path.parent), open_atomically(path) as file:
        safetensors.numpy.save_file(arrays, file.name, metadata)


def write_to_cache(path: Path, content: bytes) -> None:
    """Write one file of the cache.

    Raises:
        InputError: the folder cannot be written to, or the disk is full. No part of the file is left behind.
    """
    with _disk_errors_explained(f"{len(content) / 1e6:.0f} MB", path.parent):
        write_atomically(path, content)


def check_writable(folder: Path) -> None:
    """Check that files can be written to a folder, before seconds are spent on computing their content.

    Raises:
        InputError: the folder cannot be made, or no file can be written to it.
    """
    with _disk_errors_explained("a place", folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextlib.contextmanager
def _disk_errors_explained(needed: str, folder: Path) -> Iterator[None]:
    """Turn an error of the disk into an `InputError` that says what the cache needs, and where."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"the data cache needs {needed} in {folder}, but {why}: "
            "make room there, or set IBBENCH_CACHE to another folder"
        ) from None


def read_cache(path: Path, expected: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read the arrays and facts that `write_cache` wrote, and check that they are undamaged and up to date.

    Args:
        path: the file.
        expected: facts that the file must have, with the values that they must have.

    Raises:
        FileNotFoundError: there is no such file.
        CacheError: the file is truncated, edited or outdated.
    """
    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    except (OSError, SafetensorError) as error:
        raise CacheError(f"is not readable ({error})") from None
    described = metadata.get("facts", "{}")
    if metadata.get("checksum") != _checksum(arrays, described):
        raise CacheError("does not match its checksum")
    facts = json.loads(described)
    for key, value in expected.items():
        if facts.get(key) != value:
            raise CacheError(f"is outdated ({key} was {facts.get(key)}, is {value})")
    return arrays, facts


def _checksum(arrays: dict[str, np.ndarray], described: str) -> str:
    digest = hashlib.sha256(described.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.data.cast("B") if array.size else b"")
    return digest.hexdigest()


def store_texts(name: str, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return M texts as two arrays, which `restore_texts` reads.

    The array called `name` holds the UTF-8 bytes of all texts, uint8 `[B]`; `name` with `_starts` behind it holds the
    place where each text begins and the place where the last one ends, int64 `[M + 1]`. No separator stands between
    texts, so that a text may contain any character.
    """
    encoded = [text.encode() for text in texts]
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(one) for one in encoded], out=starts[1:])
    return {name: np.frombuffer(b"".join(encoded), dtype=np.uint8), f"{name}_starts": starts}


def restore_texts(name: str, arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the M texts that `store_texts` turned into arrays.

    Raises:
        CacheError: the arrays do not fit together.
    """
    content, starts = arrays[name].tobytes(), arrays[f"{name}_starts"].tolist()
    if starts[:1] != [0] or starts[-1] != len(content) or starts != sorted(starts):
        raise CacheError(f"has `{name}` that are cut in wrong places")
    return [content[start:end].decode() for start, end in itertools.pairwise(starts)]


def check_lengths(arrays: dict[str, np.ndarray]) -> None:
    """Check that all arrays of a data set are for the same number of molecules.

    Raises:
        CacheError: they are not; the message names all their lengths.
    """
    lengths = {name: len(array) for name, array in arrays.items() if name not in {"smiles", "smiles_starts"}}
    lengths["smiles"] = len(arrays["smiles_starts"]) - 1
    if len(set(lengths.values())) > 1:
        raise CacheError(f"has arrays of different lengths ({lengths})")
